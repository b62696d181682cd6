"""The middleware before the emulator: what isn't an operation of AWS ends here, and so does what isn't allowed.

Whoever comes with a role's key is asked for permission; accounts' own keys may do all in their account. A call that
another account's policy allows is handed on in that account's name, because emulators know accounts, not roles.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from localaws import http, tokens
from localaws.access import enforce, forms, offered, requests, signatures, unsigned
from localaws.access.identities import ANONYMOUS, Identity, Unassumable
from localaws.access.needs import NoSuchKey
from localaws.access.resources import NoSuchBucket
from localaws.access.signatures import Signature
from localaws.http import Refused, Request
from localaws.origins import host_name

if TYPE_CHECKING:
    from localaws.application import Application

_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"
THREADS = 16
MOST_BYTES = 256 << 20
"""The largest body that decides about access: a function's code, or a form that uploads an object."""
_CHANGES = {
    "iam": re.compile(r"(?!Get|List|Simulate|Generate).+"),
    "s3": re.compile(r"(Put|Delete)Bucket(Policy|Encryption)|(Create|Delete)Bucket"),
    "kms": re.compile(r"(Create|Update|Delete)Alias|CreateKey|PutKeyPolicy|ScheduleKeyDeletion|(Tag|Untag)Resource"),
    "ecr": re.compile(r"(Set|Delete)RepositoryPolicy|(Create|Delete)Repository"),
    "sqs": re.compile(r"SetQueueAttributes|(Add|Remove)Permission|(Create|Delete)Queue"),
    "sns": re.compile(r"SetTopicAttributes|(Add|Remove)Permission|(Create|Delete)Topic"),
    "lambda": re.compile(r"(Add|Remove)Permission|\w+FunctionUrlConfig"),
    "events": re.compile(r"(Put|Remove)Permission|(Create|Delete)EventBus"),
}
"""Calls after which policies are read anew, by service."""


@dataclass(frozen=True)
class Called:
    """An operation that may be answered: who calls it (None with an unsigned request), and what it is."""

    request: Request
    signature: Signature | None
    service: str
    operation: str
    params: Mapping[str, Any]

    @property
    def region(self) -> str:
        """The region that answers."""
        return self.signature.region if self.signature else unsigned.REGION


Inner = Callable[[Called | None, Any, Any, Any], Awaitable[None]]
"""Answers what was called; None stands for localaws' own look-ups."""


class AuthorizationMiddleware:
    """Decides about requests, and has those that may be answered by `inner`."""

    def __init__(self, app: Application, inner: Inner) -> None:
        self._app, self._inner = app, inner
        # Reading loads botocore's models, and may not wait behind decisions that wait for each other.
        self._deciding = ThreadPoolExecutor(THREADS, thread_name_prefix="access")
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="reading")

    async def __call__(self, request: Request, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or have it answered."""
        if tokens.shows(request, self._app.token):
            await self._inner(None, tokens.without(scope), receive, send)
            return
        shown = signatures.style(request)
        try:
            if unsigned.is_function_url(request):
                await self._decide(unsigned.require_function_url, self._app, request)
                await self._inner(Called(request, None, "lambda", "InvokeFunctionUrl", {}), scope, receive, send)
                return
            if offered.is_registry(request.path):
                await self._decide(unsigned.require_registry, self._app, request)
                await self._inner(Called(request, None, "ecr", "Registry", {}), scope, receive, send)
                return
            signature = self._signature(request)
            shown = service = signature.service if signature else unsigned.service(request)
            body = b""
            if requests.needs_body(service, request):
                body = await _body(receive)
                receive = http.again(body, receive)
            called = await self._read(self._called, request, signature, service, body)
            scope = _addressed(scope, called, self._app.settings.port)
            identity = owner = None
            if self._app.settings.enforce:
                identity, owner = await self._decide(self._permit, called)
            elif called.service == "s3" and not self._app.settings.emulator:
                # The built-in emulator would refuse other accounts' buckets by itself.
                owner = await self._decide(self._owner, called)
            if self._app.settings.enforce or owner is not None:
                scope = _forwarded(scope, called, owner)
        except Refused as refused:
            await http.refuse(send, shown, refused, request.headers.get("content-type", ""))
            return
        if identity is not None and not identity.root and called.operation == "GetObject":
            send = self._watched(send, identity, called)
        if _changes(called.service, called.operation):
            send = http.before_start(send, lambda _: enforce.forget(self._app))
        await self._inner(called, scope, receive, send)

    def _signature(self, request: Request) -> Signature | None:
        try:
            return signatures.read(request, self._app.clock.real())
        except Refused:
            if self._app.settings.enforce:
                raise
            return None

    def _called(self, request: Request, signature: Signature | None, service: str, body: bytes) -> Called:
        """What is called. Raises Refused: 404 for what isn't anything that localaws offers."""
        if service not in offered.SERVICES:
            raise Refused(404, "UnknownOperationException", f"localaws doesn't offer the service {service}.")
        operation, params = requests.read(service, request, body)
        if operation == requests.UNKNOWN and service == "s3" and requests.is_form(request):
            signature, operation, params = forms.read(request, signature, body, self._app.clock.real())
        if operation == requests.UNKNOWN:
            raise Refused(
                404, "UnknownOperationException", f"This isn't any operation of {service} that localaws knows."
            )
        bucket = params.get("Bucket") if service == "s3" else None
        if bucket is not None and not offered.is_bucket(bucket):
            if operation == "CreateBucket" and not offered.is_taken(bucket):
                raise Refused(400, "InvalidBucketName", "The specified bucket is not valid.")
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        return Called(request, signature, service, operation, params)

    def _permit(self, called: Called) -> tuple[Identity | None, str | None]:
        """Who asks, and the account that answers unless it is the one that asks. Raises Refused."""
        signature, service, operation, params = called.signature, called.service, called.operation, called.params
        if signature is None:
            if (service, operation) == ("sts", "AssumeRoleWithWebIdentity"):
                return None, unsigned.require_web_identity(self._app, params)
            if service != "s3":
                raise unsigned.refusal(called.request, service)
        decides = enforce.access(self._app, called.region)
        try:
            identity = self._identity(decides, called)
            if identity is None:
                return None, None
            owner = identity.account
            if not (identity.root and owner and decides.within(owner, service, operation, params)):
                owner = decides.require(identity, service, operation, params)
            if service == "s3" and "Bucket" in params and operation != "CreateBucket":
                decides.resources.bucket_owner(params["Bucket"], identity.account)
            return identity, owner if owner != identity.account else None
        except NoSuchBucket:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist") from None
        except (enforce.Denied, Unassumable) as error:
            raise Refused(*enforce.refusal_of(service), str(error)) from None
        except NoSuchKey as error:
            raise Refused(400, "KMS.NotFoundException", str(error)) from None

    def _owner(self, called: Called) -> str | None:
        """The account of the bucket that is called for; None where there is none."""
        resources, key = enforce.access(self._app, called.region).resources, called.signature and called.signature.key
        if "Bucket" not in called.params or called.operation == "CreateBucket":
            return None
        with contextlib.suppress(NoSuchBucket):
            return resources.bucket_owner(called.params["Bucket"], key if key and key.isdigit() else "")
        return None

    def _identity(self, decides: enforce.Access, called: Called) -> Identity | None:
        """Who calls; None for whoever only asks who he is. Raises Refused, Denied or Unassumable."""
        signature = called.signature
        if signature is None:
            return ANONYMOUS
        caller = self._app.emulator.caller(signature.key, signature.token)
        if caller is None:
            raise signatures.error("unknown", called.request, "The security token included in the request is invalid.")
        # Everybody may ask who he is.
        if (called.service, called.operation) == ("sts", "GetCallerIdentity"):
            return None
        identity = decides.identities.of(caller[1])
        if identity is None:
            raise enforce.Denied(f"User: {caller[1]} is not authorized: IAM doesn't know it.")
        return identity

    def _watched(self, send: Any, identity: Identity, called: Called) -> Any:
        """Return a send that gives an encrypted object only to who may use its key."""
        refused = False

        async def sending(message: Any) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                headers = {name.decode("latin-1").lower(): value for name, value in message["headers"]}
                if (key := headers.get(_KEY_HEADER)) and message["status"] < 300:
                    decides = enforce.access(self._app, called.region)
                    try:
                        await self._decide(decides.require_decrypt, identity, called.params, key.decode())
                    except enforce.Denied as error:
                        refused = True
                        await http.refuse(send, "s3", Refused(*enforce.refusal_of("s3"), str(error)))
            if not refused:
                await send(message)

        return sending

    async def _decide(self, act: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._deciding, act, *arguments)

    async def _read(self, act: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._reading, act, *arguments)


async def _body(receive: Any) -> bytes:
    try:
        return await http.body(receive, MOST_BYTES)
    except http.TooLarge:
        raise Refused(413, "RequestEntityTooLarge", "The request's body is too large.") from None


def _changes(service: str, operation: str) -> bool:
    return service in _CHANGES and _CHANGES[service].fullmatch(operation) is not None


def _addressed(scope: Any, called: Called, port: int) -> Any:
    """The request at a plain host: emulators see services of their own in the names below localhost."""
    request = called.request
    if not (host_name(request.headers.get("host", "")) or "").endswith(".localhost"):
        return scope
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
    scope = {**scope, "headers": [(b"host", f"localhost:{port}".encode()), *headers]}
    if called.service == "s3" and (bucket := requests.bucket_of_host(request)):
        raw = f"/{bucket}{request.path}"
        scope |= {"raw_path": raw.encode("latin-1"), "path": f"/{bucket}{scope['path']}"}
    return scope


def _forwarded(scope: Any, called: Called, owner: str | None) -> Any:
    """The request signed by whoever signs it, or by the account that answers instead, and by nobody else."""
    signature = called.signature or Signature("", None, called.region, called.service)
    if owner is not None:
        signature = replace(signature, key=owner, token=None)
    return signatures.signed_by(scope, signature)
