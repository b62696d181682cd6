"""The door in front of the emulator: whoever comes with a role's or a user's key is asked for permission first.

Accounts' own keys go through unasked. A call that another account's policy allows is handed on in that account's
name, because emulators know accounts, not roles.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from localaws.access import enforce, requests
from localaws.access.identities import Identity, Unassumable
from localaws.access.needs import NoSuchKey

if TYPE_CHECKING:
    from localaws.application import Application

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request)")
_ROOT = re.compile(r"\d{12}")
_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"
_XML, _JSON = "application/xml", "application/x-amz-json-1.1"
_FORM = "application/x-www-form-urlencoded"
THREADS = 16
_CHANGES = {
    "iam": re.compile(r"(?!Get|List|Simulate|Generate).+"),
    "s3": re.compile(r"(Put|Delete)Bucket(Policy|Encryption)|(Create|Delete)Bucket"),
    "kms": re.compile(r"(Create|Update|Delete)Alias|CreateKey|PutKeyPolicy|ScheduleKeyDeletion|(Tag|Untag)Resource"),
    "ecr": re.compile(r"(Set|Delete)RepositoryPolicy|(Create|Delete)Repository"),
    "sqs": re.compile(r"SetQueueAttributes|(Add|Remove)Permission|(Create|Delete)Queue"),
    "sns": re.compile(r"SetTopicAttributes|(Add|Remove)Permission|(Create|Delete)Topic"),
    "lambda": re.compile(r"(Add|Remove)Permission"),
    "events": re.compile(r"(Put|Remove)Permission|(Create|Delete)EventBus"),
}
"""Calls after which policies are read anew, by service."""


class Refused(Exception):
    """A request that is answered here: status, AWS's code and sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Front:
    """An ASGI application before another one, `inner`."""

    def __init__(self, app: Application, inner: Any) -> None:
        self._app, self._inner = app, inner
        # Permissions are asked for through this very port. Whoever decides about one waits for those calls, so what
        # they need must never wait for a decider's thread: reading has threads of its own.
        self._deciding = ThreadPoolExecutor(THREADS, thread_name_prefix="access")
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="reading")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or let the inner application answer it."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        signed = _CREDENTIAL.search(headers.get("authorization") or f"Credential={query.get('X-Amz-Credential', '')}")
        if signed is None or not self._app.settings.enforce:
            await self._inner(scope, receive, send)
            return
        key, _, region, service = signed.groups()
        root, method = _ROOT.fullmatch(key), scope["method"]
        if root and (service not in _CHANGES or method in ("GET", "HEAD") or not _concerns(service, scope, query)):
            await self._inner(scope, receive, send)
            return
        body = b""
        if requests.needs_body(service, method, query):
            body = await _whole(receive)
            receive = _again(body, receive)
        path = scope.get("raw_path", scope["path"].encode()).split(b"?")[0].decode("latin-1")
        asked = requests.Request(service, method, path, query, headers, body)
        token = headers.get("x-amz-security-token") or query.get("X-Amz-Security-Token")
        try:
            operation, params = await self._read(asked)
            identity, answering = None, key
            # Everybody may ask who he is; the answer is also how a key's owner is found here.
            if not root and (service, operation) != ("sts", "GetCallerIdentity"):
                identity, answering = await self._decide(self._permit, service, operation, params, key, token, region)
        except Refused as refused:
            await refuse(send, service, refused, headers.get("content-type", ""))
            return
        if identity is not None and operation == "GetObject":
            send = self._watched(send, identity, params, region)
        if _changes(service, operation):
            send = self._forgetting(send)
        if identity is not None and answering != identity.account:
            scope = _signed_by(scope, key, answering)
        await self._inner(scope, receive, send)

    def _permit(
        self, service: str, operation: str, params: Mapping[str, Any], key: str, token: str | None, region: str
    ) -> tuple[Identity, str]:
        """Who asks, and the account that answers. Raises Refused."""
        decides = enforce.access(self._app, region)
        caller = self._app.emulator.caller(key, token)
        if caller is None:
            code = "InvalidAccessKeyId" if service == "s3" else "UnrecognizedClientException"
            raise Refused(403, code, "The security token included in the request is invalid.")
        try:
            identity = decides.identities.of(caller[1])
            if identity is None:
                raise enforce.Denied(f"User: {caller[1]} is not authorized: IAM doesn't know it.")
            return identity, decides.require(identity, service, operation, params)
        except (enforce.Denied, Unassumable) as error:
            raise Refused(*enforce.refusal_of(service), str(error)) from None
        except NoSuchKey as error:
            raise Refused(400, "KMS.NotFoundException", str(error)) from None

    def _watched(self, send: Any, identity: Identity, params: Mapping[str, Any], region: str) -> Any:
        """Return a send that gives an encrypted object only to who may use its key."""
        refused = False

        async def sending(message: Any) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                headers = {name.decode("latin-1").lower(): value for name, value in message["headers"]}
                if (key := headers.get(_KEY_HEADER)) and message["status"] < 300:
                    decides = enforce.access(self._app, region)
                    try:
                        await self._decide(decides.require_decrypt, identity, params, key.decode())
                    except enforce.Denied as error:
                        refused = True
                        await refuse(send, "s3", Refused(*enforce.refusal_of("s3"), str(error)))
            if not refused:
                await send(message)

        return sending

    def _forgetting(self, send: Any) -> Any:
        """Return a send that forgets all policies before the caller hears of a change."""

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                enforce.forget(self._app)
            await send(message)

        return sending

    async def _decide(self, act: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._deciding, act, *arguments)

    async def _read(self, request: requests.Request) -> tuple[str, dict[str, Any]]:
        return await asyncio.get_running_loop().run_in_executor(self._reading, requests.read, request)


def _changes(service: str, operation: str) -> bool:
    return service in _CHANGES and _CHANGES[service].fullmatch(operation) is not None


def _concerns(service: str, scope: Any, query: Mapping[str, str]) -> bool:
    """Whether an account's own request may change policies, as far as that shows without its body."""
    if service != "s3":
        return True
    return "policy" in query or "encryption" in query or (scope["path"].strip("/").count("/") == 0 and not query)


def _signed_by(scope: Any, key: str, account: str) -> Any:
    """The request in the name of an account's root; emulators look at the key, not at the signature."""
    old, new = f"{key}/".encode(), f"{account}/".encode()
    headers = []
    for name, value in scope["headers"]:
        if name.lower() == b"authorization":
            headers.append((name, value.replace(b"Credential=" + old, b"Credential=" + new)))
        elif name.lower() != b"x-amz-security-token":
            headers.append((name, value))
    query = scope["query_string"].replace(b"X-Amz-Credential=" + old.replace(b"/", b"%2F"), b"X-Amz-Credential=" + new)
    query = re.sub(rb"&?X-Amz-Security-Token=[^&]*", b"", query)
    return {**scope, "headers": headers, "query_string": query}


async def _whole(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Any) -> Any:
    """Return a receive that gives a body which has been read already."""
    given = False

    async def receiving() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


async def refuse(send: Any, service: str, refused: Refused, content_type: str = "") -> None:
    """Answer in the form that the service's clients read; `content_type` is that of their request."""
    number, message, code = str(uuid.uuid4()), escape(str(refused)), refused.code
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    kind = _XML
    if service == "s3":
        body = f"<Error>{error}<RequestId>{number}</RequestId></Error>"
    elif service == "ec2":
        body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{number}</RequestID></Response>"
    elif service in ("sns", "sts", "iam") or content_type.startswith(_FORM):
        error = f"<Error><Type>Sender</Type>{error}</Error>"
        body = f"<ErrorResponse>{error}<RequestId>{number}</RequestId></ErrorResponse>"
    else:
        kind = _JSON
        body = json.dumps({"__type": code, "message": str(refused), "Message": str(refused)})
    content = body.encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"x-amzn-requestid", number.encode()),
        (b"x-amzn-errortype", code.encode()),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
