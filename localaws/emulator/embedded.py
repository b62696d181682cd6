"""The built-in emulator, ministack, in this very process: all that reaches into its private functions.

Everything here is held by test_embedded.py, and the version is pinned exactly, because none of it is promised:
events go to localaws instead of ministack's own delivery, schedules are localaws', functions run with their own
roles, and what a call has changed is on disk before it is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from localaws import disk, http
from localaws.access import policies
from localaws.emulator import functions, managed, objects, outside, persistence
from localaws.emulator.persistence import Files
from localaws.errors import ApiError, InternalFailure
from localaws.statefiles import Contents, Damaged

Emit = Callable[[str, str, str, dict[str, Any]], Future[None]]
"""Takes account, region, bus and envelope of an event; the future ends when it is on disk."""

_access_key: ContextVar[str] = ContextVar("access_key")
"""Who signs the request that is being answered."""

_emitted: ContextVar[list[Future[None]]] = ContextVar("emitted")
"""The events of the request that is being answered."""

_ACTION = re.compile(rb"(?:.*&)?Action=(\w+)")

_ONLY_READS = re.compile(rb"(?:.*&)?Action=(?:Get(?!SessionToken|FederationToken)|List|Describe)")
"""The beginning of a request of IAM's protocol that changes nothing."""

_ROOM_PER_BYTE = 3
"""Bytes that a byte of a request may take: as a part, in an object that is put together, and as text."""

_ACTION_WITHIN = 256


def load(port: int, state: Path, contents: Contents, emit: Emit) -> Embedded:
    """Import ministack with its settings, which it reads only then, and put localaws' parts in place.

    Args:
        port: where clients, and functions too, reach every service.
        state: folder that its state is kept in, in which nothing is damaged (see `check`).
        contents: takes the names of the files that are written there.
        emit: called for each event that one of its services sends, or that PutEvents takes.

    Raises Damaged.
    """
    ministack = _imported(port, state)
    functions.make_folder(state / "functions")
    tempfile.tempdir = str(state / "functions")
    persistence.tidy(state)
    from ministack.core import hypercorn_compat

    hypercorn_compat.install()
    objects.own_files(ministack)
    _own_delivery(ministack, emit)
    _own_roles(ministack)
    functions.own_environment(ministack, state / "functions")
    _own_principals(ministack)
    _whole_alarms(ministack)
    _own_metrics_of_alarms(ministack)
    _whole_bus_policies(ministack)
    managed.own_policies(ministack)
    return Embedded(ministack, Files(ministack, state, contents), state)


def check(port: int, state: Path) -> Iterator[Damaged]:
    """Look through the state of all services, and change nothing."""
    return persistence.check(_imported(port, state), state)


def _imported(port: int, state: Path) -> Any:
    os.environ |= {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "EDGE_PORT": str(port),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state / "services"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_EDITION": "light",
        # Clients take keys and profiles from here otherwise, and functions would get them.
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
        os.environ.pop(name, None)
    from ministack import app

    return app


class Embedded:
    """ministack as an ASGI application that answers changes only after they are saved."""

    def __init__(self, ministack: Any, files: Files, state: Path) -> None:
        self._app, self._files, self._folder = ministack.app, files, state
        self._service_of, self._modules = ministack.detect_service, ministack
        self._log = logging.getLogger("localaws.emulator")

    def connect(self, client: outside.Client, session: outside.Client, services: frozenset[str]) -> None:
        """Let functions use the services that another emulator answers; see `outside.connect`."""
        outside.connect(self._modules, client, session, services)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            headers = http.received(scope).headers
            _access_key.set(self._modules.extract_access_key_id(headers, {}) or "")
        if scope["type"] != "http" or not self._changes(scope):
            await self._app(scope, receive, send)
            return
        first = await receive() if "x-www-form-urlencoded" in headers.get("content-type", "") else None
        beginning = first.get("body", b"")[:_ACTION_WITHIN] if first else b""
        if self._takes_room(scope, beginning):
            try:
                disk.require(self._folder, _ROOM_PER_BYTE * int(headers.get("content-length") or 0))
            except disk.DiskFull as full:
                await self._refuse(scope, send, full)
                return

        scope = _whole_encryption(scope, headers)
        events: list[Future[None]] = []
        _emitted.set(events)

        refused = False
        failures = objects.failures()

        async def receive_again() -> Any:
            nonlocal first
            message, first = first or await receive(), None
            return message

        async def send_saved(message: Any) -> None:
            nonlocal refused
            if refused:
                return
            if (
                message["type"] == "http.response.start"
                and message["status"] < 500
                and not _ONLY_READS.match(beginning)
            ):
                try:
                    await self._files.save(self._names(scope))
                    for event in events:
                        await asyncio.wrap_future(event)
                    if failures:
                        raise failures[0]
                except (OSError, RuntimeError, disk.DiskFull) as error:
                    refused = True
                    self._log.warning("a call could not be kept: %s", error)
                    full = isinstance(error, disk.DiskFull) or disk.is_full(error, self._folder)
                    told = (
                        disk.DiskFull(self._folder) if full else InternalFailure("localaws failed; its log says how.")
                    )
                    await self._refuse(scope, send, told)
                    return
            await send(message)

        await self._app(scope, receive_again, send_saved)

    async def _refuse(self, scope: Any, send: Any, error: ApiError) -> None:
        refused, headers = http.Refused(error.status, error.code, error.message), http.received(scope).headers
        await http.refuse(send, self._service(scope), refused, headers.get("content-type", ""))

    def _service(self, scope: Any) -> str:
        return self._service_of(scope["method"], scope["path"], http.received(scope).headers, {})

    @staticmethod
    def _takes_room(scope: Any, beginning: bytes) -> bool:
        target = dict(scope["headers"]).get(b"x-amz-target", b"").decode().rpartition(".")[2]
        if found := _ACTION.match(beginning):
            target = found[1].decode()
        return scope["method"] != "DELETE" and (not target or disk.takes_room(target))

    @staticmethod
    def _changes(scope: Any) -> bool:
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return False
        target = dict(scope["headers"]).get(b"x-amz-target", b"").decode().rpartition(".")[2]
        return not target.startswith(("Describe", "List", "Get", "Test", "Batch", "Filter"))

    def _names(self, scope: Any) -> set[str]:
        service = self._service(scope)
        # Functions and topics reach queues and log groups on their own.
        beside = {"sns": {"sqs"}, "lambda": {"cloudwatch_logs"}, "events": {"sqs", "sns"}, "s3": {"sqs", "sns"}}
        module = self._modules.SERVICE_REGISTRY.get(service, {}).get("module", service)
        return {module, *beside.get(service, ())}


def _whole_encryption(scope: Any, headers: dict[str, str]) -> Any:
    """Name AWS's own key where S3 is asked for KMS without one; ministack refuses what AWS then fills in."""
    key = "x-amz-server-side-encryption-aws-kms-key-id"
    if headers.get("x-amz-server-side-encryption") != "aws:kms" or key in headers:
        return scope
    return scope | {"headers": [*scope["headers"], (key.encode(), b"alias/aws/s3")]}


def _own_delivery(ministack: Any, emit: Emit) -> None:
    events = ministack._get_module("eventbridge")

    def dispatch(event: dict[str, Any], view: Any = None) -> None:
        envelope = (view or events._pattern_event_view(event)).event_with_detail()
        account, region = envelope["account"], envelope["region"]
        written = emit(account, region, event.get("EventBusName", "default"), envelope)
        _emitted.get([]).append(written)

    events._dispatch_event = dispatch
    events.start_scheduler = lambda: None


def _own_roles(ministack: Any) -> None:
    """Give functions a session of their own role, as Lambda does, instead of the account's root."""
    from ministack.core import lambda_runtime

    def credentials(config: dict[str, Any]) -> dict[str, str]:
        account, _ = lambda_runtime._account_region_from_function_config(config)
        role = config.get("Role", "").rsplit("/", 1)[-1]
        name = config.get("FunctionName", "function")[:64]
        key = "ASIA" + hashlib.sha256(f"{config.get('FunctionArn')} {role}".encode()).hexdigest()[:16].upper()
        ministack._get_module("sts")
        from ministack.services import sts

        sts.register_session(
            key,
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
                "UserId": f"{role}:{name}",
                "SecretAccessKey": "local",
                "SessionToken": "local",
            },
        )
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local"}

    lambda_runtime.execution_credentials = credentials
    with contextlib.suppress(ImportError):
        from ministack.services import lambda_svc

        if hasattr(lambda_svc, "execution_credentials"):
            lambda_svc.execution_credentials = credentials


def _own_principals(ministack: Any) -> None:
    """Let a bucket's policy see which role of another account asks, not only which account."""
    from ministack.core import iam_evaluator
    from ministack.services import sts

    evaluate = iam_evaluator.evaluate_resource_policy

    def evaluated(policy: Any, context: Any, *more: Any, **named: Any) -> Any:
        arn = (sts._sessions.get(_access_key.get("")) or {}).get("Arn", "")
        if context.principal_type == "Root" and ":assumed-role/" in arn:
            role = policies.principal_context(arn)["aws:PrincipalArn"]
            context = replace(context, principal_arn=role, principal_type="AssumedRole")
        # The loopback interface stands for TLS: a policy that demands it is about the network.
        return evaluate(policy, replace(context, secure_transport=True), *more, **named)

    iam_evaluator.evaluate_resource_policy = evaluated


def _whole_alarms(ministack: Any) -> None:
    """Let DescribeAlarms tell all there is of an alarm in XML too, as it does in JSON."""
    cloudwatch = ministack._get_module("cloudwatch")
    incomplete = cloudwatch._describe_alarms

    def describe(params: dict[str, Any], cbor: Any, is_cbor: bool, is_json: bool = False) -> Any:
        if is_cbor or is_json:
            return incomplete(params, cbor, is_cbor, is_json)

        def one(value: Any) -> Any:
            return value[0] if isinstance(value, list) else value

        asked: dict[str, Any] = {
            name: one(params[name]) for name in ("StateValue", "AlarmNamePrefix", "NextToken") if params.get(name)
        }
        if names := [one(value) for name, value in params.items() if name.startswith("AlarmNames.member.")]:
            asked["AlarmNames"] = names
        status, _, body = incomplete({}, asked, False, True)
        if status != 200:
            return incomplete(params, cbor, is_cbor, is_json)
        answer = json.loads(body)
        kinds = ("MetricAlarms", "CompositeAlarms")
        inner = "".join(f"<{kind}>{_members(answer.get(kind, []))}</{kind}>" for kind in kinds)
        return cloudwatch._xml(200, "DescribeAlarmsResponse", f"<DescribeAlarmsResult>{inner}</DescribeAlarmsResult>")

    cloudwatch._describe_alarms = describe


def _own_metrics_of_alarms(ministack: Any) -> None:
    """Let an alarm look at the metric of its own dimensions; ministack takes all metrics of that name together."""
    cloudwatch = ministack._get_module("cloudwatch")
    evaluate, metrics = cloudwatch._evaluate_alarm, cloudwatch._metrics
    wanted: ContextVar[str | None] = ContextVar("wanted", default=None)

    class Metrics(type(metrics)):  # type: ignore[misc]
        __slots__ = ()

        def items(self) -> list[tuple[Any, Any]]:
            of = wanted.get()
            return [(key, points) for key, points in super().items() if of is None or key[2] == of]

    def evaluate_own(alarm: dict[str, Any]) -> None:
        asked = wanted.set(cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or [])))
        try:
            evaluate(alarm)
        finally:
            wanted.reset(asked)

    metrics.__class__ = Metrics
    cloudwatch._evaluate_alarm = evaluate_own


def _whole_bus_policies(ministack: Any) -> None:
    """Let PutPermission take a whole policy, where ministack makes a statement for everybody of it."""
    events = ministack._get_module("eventbridge")
    put_statement = events._put_permission

    def put(data: dict[str, Any]) -> Any:
        if "Policy" not in data:
            return put_statement(data)
        events._event_bus_policies[data.get("EventBusName", "default")] = json.loads(data["Policy"])
        return events.json_response({})

    events._put_permission = put


def _members(alarms: list[dict[str, Any]]) -> str:
    def told(alarm: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in alarm.items() if v is not None and "Timestamp" not in k and not isinstance(v, dict)}

    return "".join(f"<member>{_xml(told(alarm))}</member>" for alarm in alarms)


def _xml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "".join(f"<member>{_xml(item)}</member>" for item in value)
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(item)}</{name}>" for name, item in value.items() if not name.startswith("_"))
    return escape(str(value))
