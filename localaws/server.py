"""One port for everything: SageMaker is answered here, the rest by the emulator."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

from localaws import admin, api, disk, wire
from localaws.access.front import Front
from localaws.application import Application
from localaws.emulator import putevents, s3events
from localaws.errors import AccessDenied, ApiError, InternalFailure, Invalid, UnknownOperation

_log = logging.getLogger("localaws.server")
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_CHANGES_EVENTS = re.compile(r"AWSEvents\.(Put(Rule|Targets)|Delete|Remove|Enable|Disable|CreateEventBus)")
_MOST_BYTES = 16 * 1024 * 1024
_THREADS = 16


class Server:
    """The ASGI application."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._front = Front(app, self._emulated)
        self._services = Front(app, app.services)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="api")
        self._admin = ThreadPoolExecutor(2, thread_name_prefix="admin")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request by its path, its target header and the service it is signed for."""
        if scope["type"] != "http":
            await self._app.services(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        target = headers.get("x-amz-target", "")
        key, region, service = _signed(headers, scope)
        if scope["path"].startswith(admin.PATH):
            await self._administer(scope, receive, send)
        elif target.startswith("SageMaker.") or service == "sagemaker":
            await self._sagemaker(target, key, region, headers, receive, send)
        else:
            await self._front(scope, receive, send)

    async def _emulated(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer what the caller may ask of the emulator."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        target = headers.get("x-amz-target", "")
        key, region, service = _signed(headers, scope)
        if service == "events" and target == "AWSEvents.PutEvents" and self._app.settings.emulator:
            await self._put_events(key, region, headers, receive, send)
        elif service == "events" and _CHANGES_EVENTS.match(target):
            await self._services(scope, receive, self._after_change(send, key, region, headers))
        elif service == "s3" and self._app.settings.emulator and (made := s3events.created(scope, headers)):
            await self._services(scope, receive, self._after_creation(send, key, region, headers, made))
        else:
            await self._services(scope, receive, send)

    def _after_creation(self, send: Any, key: str, region: str, headers: Any, made: tuple[str, str, str]) -> Any:
        """Return a send that tells of a new object once the emulator has it, before the caller hears."""
        token, status = headers.get("x-amz-security-token"), 0

        async def sending(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.body" and not message.get("more_body") and status == 200:
                account, _ = await self._in_thread(self._caller, key, token)
                await self._in_thread(s3events.tell, self._app, account, region, *made)
            await send(message)

        return sending

    def _after_change(self, send: Any, key: str, region: str, headers: Any) -> Any:
        """Return a send that forgets what is known of rules before the caller hears that they have changed."""

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                await self._in_thread(self._events_changed, key, region, headers.get("x-amz-security-token"))
            await send(message)

        return sending

    async def _sagemaker(self, target: str, key: str, region: str, headers: Any, receive: Any, send: Any) -> None:
        token = headers.get("x-amz-security-token")
        try:
            body = await _body(receive)
            status, content = await self._in_thread(self._answer, target, key, region, token, body)
        except ApiError as error:
            status, content = error.status, wire.refusal(error)
        await _respond(send, status, wire.CONTENT_TYPE, content)

    def _answer(self, target: str, key: str, region: str, token: str | None, body: bytes) -> tuple[int, bytes]:
        try:
            if not target.startswith("SageMaker."):
                raise UnknownOperation("localaws answers SageMaker's control plane, not its run-time operations.")
            operation = target.removeprefix("SageMaker.")
            model = wire.operation(operation)
            api.handler(operation)
            account, principal = self._caller(key, token)
            request = wire.request(model, body)
            if disk.takes_room(operation):
                disk.require(self._app.settings.state, len(body))
            return 200, wire.answer(model, self._app.invoke(operation, account, region, principal, request))
        except ApiError as error:
            return error.status, wire.refusal(error)
        except Exception:
            _log.exception("%s failed", target)
            error = InternalFailure("localaws failed; its log says how.")
            return error.status, wire.refusal(error)

    def _caller(self, key: str, token: str | None) -> tuple[str, str]:
        found = self._app.emulator.caller(key, token) if key else None
        if found is None:
            raise AccessDenied(
                "The request isn't signed with a known key: use a 12-digit account id, or an assumed role's key."
            )
        return found

    def _events_changed(self, key: str, region: str, token: str | None) -> None:
        if found := self._app.emulator.caller(key, token):
            self._app.emulator.events_changed(found[0], region)

    async def _put_events(self, key: str, region: str, headers: Any, receive: Any, send: Any) -> None:
        body = await _body(receive)
        account, _ = await self._in_thread(self._caller, key, headers.get("x-amz-security-token"))
        answer = await self._in_thread(putevents.put, self._app, account, region, body)
        await _respond(send, 200, wire.CONTENT_TYPE, json.dumps(answer).encode())

    async def _administer(self, scope: Any, receive: Any, send: Any) -> None:
        body = await _body(receive)
        loop = asyncio.get_running_loop()
        status, answer = await loop.run_in_executor(
            self._admin, admin.answer, self._app, scope["method"], scope["path"], body
        )
        await _respond(send, status, "application/json", json.dumps(answer).encode())

    async def _in_thread(self, act: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, act, *arguments)


def _signed(headers: dict[str, str], scope: Any) -> tuple[str, str, str]:
    """Return access key, region and service of a signature in the header or the query."""
    text = headers.get("authorization", "") or unquote(scope["query_string"].decode("latin-1")).replace("X-Amz-", "")
    found = _CREDENTIAL.search(text)
    return found.groups() if found else ("", "us-east-1", "")  # type: ignore[return-value]


async def _body(receive: Any) -> bytes:
    """A request's body. One that is too large is read to its end too: its sender hears nothing before."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= _MOST_BYTES:
            parts.append(part)
        if not message.get("more_body"):
            break
    if size > _MOST_BYTES:
        raise Invalid("The request's body is too large.")
    return b"".join(parts)


async def _respond(send: Any, status: int, kind: str, content: bytes) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
