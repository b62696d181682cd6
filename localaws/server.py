"""One port for everything: SageMaker is answered here, the rest by the emulator."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localaws import admin, api, disk, http, origins, tokens, wire
from localaws.access import signatures
from localaws.access.authorization import AuthorizationMiddleware, Called
from localaws.application import Application
from localaws.emulator import home, s3events
from localaws.errors import AccessDenied, ApiError, InternalFailure, Invalid, UnknownOperation
from localaws.http import Refused, Request

_log = logging.getLogger("localaws.server")
_CHANGES_EVENTS = re.compile(r"Put(Rule|Targets|Permission)|(Delete|Remove|Enable|Disable)\w+|CreateEventBus")
_MOST_BYTES = 16 * 1024 * 1024
_THREADS = 16
_TARGET = "SageMaker."


class Server:
    """The ASGI application."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._names = frozenset(app.settings.host_names)
        self._authorization = AuthorizationMiddleware(app, self._emulated)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="api")
        self._admin = ThreadPoolExecutor(2, thread_name_prefix="admin")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request by its path, its target header and the service it is signed for."""
        if scope["type"] == "lifespan":
            await self._app.services(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request, send = http.received(scope), http.before_start(send, _drop_cors)
        try:
            origins.check(request, self._names)
        except Refused as refused:
            await http.refuse(send, signatures.style(request), refused, request.headers.get("content-type", ""))
            return
        if request.path.startswith(admin.PATH):
            await self._administer(request, receive, send)
        elif _is_sagemaker(request):
            await self._sagemaker(request, receive, send)
        else:
            await self._authorization(request, scope, receive, send)

    async def _emulated(self, called: Called | None, scope: Any, receive: Any, send: Any) -> None:
        """Answer what may be asked of the emulator; None is a look-up of localaws' own."""
        if called is not None and called.signature is not None:
            service, operation, elsewhere = called.service, called.operation, self._app.elsewhere
            if service == "events" and _CHANGES_EVENTS.fullmatch(operation):
                send = http.before_start(send, lambda _: self._in_thread(self._events_changed, called))
            elif service == "s3" and service in elsewhere and operation in s3events.CREATES:
                send = self._after_creation(send, called)
            elif service == "lambda" and service in elsewhere and operation in home.MAKES_FUNCTIONS:
                address = self._app.settings.emulator_functions
                receive = http.again(home.with_endpoint(operation, await http.body(receive), address), receive)
        await self._app.services(scope, receive, send)

    def _after_creation(self, send: Any, called: Called) -> Any:
        """Return a send that tells of a new object once the emulator has it, before the caller hears."""
        status = 0

        async def sending(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.body" and not message.get("more_body") and status == 200:
                await self._in_thread(self._created, called)
            await send(message)

        return sending

    def _created(self, called: Called) -> None:
        if (signature := called.signature) and (found := self._app.emulator.caller(signature.key, signature.token)):
            bucket, key = called.params["Bucket"], called.params["Key"]
            s3events.tell(self._app, found[0], signature.region, bucket, key, called.operation)

    async def _sagemaker(self, request: Request, receive: Any, send: Any) -> None:
        try:
            body = await http.body(receive, _MOST_BYTES)
            status, content = await self._in_thread(self._answer, request, body)
        except http.TooLarge:
            error = Invalid("The request's body is too large.")
            status, content = error.status, wire.refusal(error)
        await http.respond(send, status, wire.CONTENT_TYPE, content, x_amzn_requestid=str(uuid.uuid4()))

    def _answer(self, request: Request, body: bytes) -> tuple[int, bytes]:
        target = request.headers.get("x-amz-target", "")
        try:
            if not target.startswith(_TARGET) or request.path != "/" or request.method != "POST":
                raise UnknownOperation("localaws answers SageMaker's control plane, not its run-time operations.")
            operation = target.removeprefix(_TARGET)
            model = wire.operation(operation)
            api.handler(operation)
            account, principal, region = self._caller(request)
            value = wire.request(model, body)
            if disk.takes_room(operation):
                disk.require(self._app.settings.state, len(body))
            return 200, wire.answer(model, self._app.invoke(operation, account, region, principal, value))
        except ApiError as error:
            return error.status, wire.refusal(error)
        except Refused as refused:
            return refused.status, wire.coded(refused.code, str(refused))
        except Exception:
            _log.exception("%s failed", target)
            error = InternalFailure("localaws failed; its log says how.")
            return error.status, wire.refusal(error)

    def _caller(self, request: Request) -> tuple[str, str, str]:
        """Account, ARN and region of whoever signs a request. Raises AccessDenied or Refused."""
        signature = signatures.read(request, self._app.clock.real())
        found = self._app.emulator.caller(signature.key, signature.token) if signature else None
        if signature is None or found is None:
            raise AccessDenied(
                "The request isn't signed with a known key: use a 12-digit account id, or an assumed role's key."
            )
        if signature.service != "sagemaker":
            raise signatures.error("scope", request, "Credential should be scoped to correct service: 'sagemaker'.")
        return *found, signature.region

    def _events_changed(self, called: Called) -> None:
        if (signature := called.signature) and (found := self._app.emulator.caller(signature.key, signature.token)):
            self._app.emulator.events_changed(found[0], signature.region)

    async def _administer(self, request: Request, receive: Any, send: Any) -> None:
        if request.path == admin.HEALTH and request.method in ("GET", "HEAD"):
            status, answer = 200, {"status": "up"}
        elif not tokens.shows(request, self._app.token):
            status, answer = 403, {"message": "Only localaws' own commands may ask this; they know its token."}
        else:
            body = await http.body(receive, _MOST_BYTES)
            act = self._app, request.method, request.path, body
            status, answer = await asyncio.get_running_loop().run_in_executor(self._admin, admin.answer, *act)
        await http.respond(send, status, "application/json", json.dumps(answer).encode())

    async def _in_thread(self, act: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, act, *arguments)


def _is_sagemaker(request: Request) -> bool:
    """Whether a request is for SageMaker, by its target or by the service that it is signed for."""
    signed = request.headers.get("authorization", request.query.get("X-Amz-Credential", ""))
    return request.headers.get("x-amz-target", "").startswith(_TARGET) or "/sagemaker/aws4_request" in signed


def _drop_cors(message: Any) -> None:
    """Take out what would let a page read an answer; emulators let every page."""
    headers = message.get("headers", ())
    message["headers"] = [pair for pair in headers if not pair[0].lower().startswith(b"access-control-")]
