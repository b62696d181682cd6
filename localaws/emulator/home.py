"""Two emulators as one: services that the one elsewhere lacks are answered by the built-in one, at home.

EventBridge is always at home: localaws delivers its events, and two that deliver would deliver twice. So are functions,
unless they are asked for elsewhere: LocalStack runs them in containers only.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from botocore.exceptions import ClientError

from localaws import http
from localaws.access import offered, signatures, unsigned
from localaws.access.signatures import Signature
from localaws.settings import WrongSetting
from localaws.store import Store

ALWAYS = frozenset({"events"})
MAKES_FUNCTIONS = frozenset({"CreateFunction", "UpdateFunctionConfiguration"})
_FUNCTIONS = "lambda"
START_SECONDS = 60
_MARKED = "emulator-marked"
_ACCOUNT = re.compile(r"\d{12}")
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_HEALTH = ("/_localstack/health", "/_ministack/health")
_NAMES = {
    "cloudwatch": "monitoring",
    "stepfunctions": "states",
    "resourcegroupstaggingapi": "tagging",
    "elbv2": "elasticloadbalancing",
}
"""Service by an emulator's name → by the name that it is signed for, where they differ."""


def learn(url: str, wanted: str = "", functions_elsewhere: bool = False) -> frozenset[str]:
    """Return the services, by the names they are signed for, that are answered at home.

    Args:
        url: of the emulator elsewhere; it gets a minute to come up.
        wanted: names of services, separated by commas, that are kept at home though it has them.
        functions_elsewhere: whether it runs the functions.

    Raises WrongSetting: it doesn't answer, or `wanted` names what localaws doesn't offer.
    """
    named = {name.strip() for name in wanted.split(",") if name.strip()}
    if unknown := sorted(named - offered.SERVICES.keys()):
        raise WrongSetting(f"at_home {unknown[0]}: localaws offers no such service.")
    found = _answered(url.rstrip("/"))
    missing = offered.SERVICES.keys() - {_NAMES.get(name, name) for name in found}
    if functions_elsewhere and _FUNCTIONS in missing | named:
        raise WrongSetting(f"emulator_functions: the emulator at {url} has no functions, or at_home keeps them.")
    return frozenset(ALWAYS | named | missing | (set() if functions_elsewhere else {_FUNCTIONS}))


def _answered(url: str) -> set[str]:
    """The services that an emulator says it has. Raises WrongSetting."""
    # A proxy has no business on the loopback interface.
    opener, deadline = build_opener(ProxyHandler({})), time.monotonic() + START_SECONDS
    while True:
        for path in _HEALTH:
            try:
                with opener.open(url + path, timeout=30) as answer:
                    services = json.load(answer)["services"]
                return {name for name, state in services.items() if state in ("available", "running")}
            except HTTPError:
                continue
            except (KeyError, AttributeError, ValueError):
                raise WrongSetting(f"emulator {url}: its health doesn't list its services.") from None
            except (URLError, OSError) as error:
                if time.monotonic() > deadline:
                    reason = getattr(error, "reason", error)
                    raise WrongSetting(f"emulator {url}: it doesn't answer ({reason}).") from None
                time.sleep(0.5)
                break
        else:
            raise WrongSetting(f"emulator {url}: it isn't one that localaws knows, LocalStack or ministack.")


class Split:
    """An ASGI application that answers some services at home and passes all others on."""

    def __init__(
        self,
        elsewhere: Any,
        at_home: Any,
        services: frozenset[str],
        caller: Callable[[str, str | None], tuple[str, str] | None],
    ) -> None:
        self._elsewhere, self._at_home, self.services, self._caller = elsewhere, at_home, services, caller

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request by the service it is signed for."""
        if scope["type"] != "http":
            await self._at_home(scope, receive, send)
            return
        request = http.received(scope)
        signed = _CREDENTIAL.search(request.headers.get("authorization", ""))
        if _service(request, signed) not in self.services:
            await self._elsewhere(scope, receive, send)
            return
        if signed and not _ACCOUNT.fullmatch(signed[1]):
            # Sessions are the other emulator's; at home they count as what they may act for, which is decided already.
            token = request.headers.get("x-amz-security-token")
            found = await asyncio.to_thread(self._caller, signed[1], token)
            if found is not None:
                scope = signatures.signed_by(scope, Signature(found[0], None, signed[2], signed[3]))
        await self._at_home(scope, receive, send)


def _service(request: http.Request, signed: re.Match[str] | None) -> str:
    if signed:
        return signed[3]
    if offered.is_registry(request.path):
        return "ecr"
    return _FUNCTIONS if unsigned.is_function_url(request) else unsigned.service(request)


def with_endpoint(operation: str, content: bytes, address: str) -> bytes:
    """Put AWS_ENDPOINT_URL into the environment of a function that is being made or changed elsewhere.

    An emulator gives its functions its own address, but what stands in a function's own environment comes last.
    """
    with suppress(ValueError):
        asked = json.loads(content)
        # A change without an environment leaves the one that is there.
        if isinstance(asked, dict) and (operation == "CreateFunction" or "Environment" in asked):
            variables = asked.setdefault("Environment", {}).setdefault("Variables", {})
            variables.setdefault("AWS_ENDPOINT_URL", address)
            return json.dumps(asked).encode()
    return content


def same(s3: Any, store: Store, url: str) -> None:
    """Mark a new emulator as this state's own; raise WrongSetting if it isn't the one that the state was made with.

    LocalStack's free edition keeps nothing when it ends, and pipelines are of no use without their roles and buckets.
    """
    bucket = f"localaws-{store.setting('identity')}"
    try:
        s3.head_bucket(Bucket=bucket)
        return
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise WrongSetting(f"emulator {url}: {error}.") from None
    if store.setting(_MARKED):
        raise WrongSetting(
            f"emulator {url}: it isn't the one that this state was made with, or it has lost what it held. "
            "Begin with another state folder, or remove this one; in compose, `docker compose down --volumes`."
        )
    s3.create_bucket(Bucket=bucket)
    store.set_setting(_MARKED, "yes")
