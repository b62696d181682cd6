"""Which operation an HTTP request calls, and with which parameters, read from botocore's models.

Only what decides about access is read: members of path, query and headers, JSON bodies, and the plain members of
forms. S3 bodies are read for DeleteObjects alone, whose keys stand there.
"""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel

MODELS = {"monitoring": "cloudwatch", "states": "stepfunctions"}
"""Services that botocore calls otherwise than their signatures do."""
_ITEM = re.compile(r"(\w+)\.member\.(\d{1,4})(?:\.(\w+))?")
UNKNOWN = "UnknownOperation"
_MEMBER = re.compile(r"\{(\w+)(\+?)\}")
_CBOR = re.compile(r"/service/\w+/operation/(\w+)")
_HOSTED = re.compile(r"(.+?)\.(?:s3[.-].*|localhost(?::\d+)?)$")
_loading = threading.Lock()


@dataclass(frozen=True)
class Request:
    """An HTTP request as far as access is concerned; header names are in small letters, `query` is decoded."""

    service: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class _Route:
    """How one operation of a REST service is recognised, and where its parameters are."""

    name: str
    deprecated: bool
    method: str
    path: re.Pattern[str]
    query: Mapping[str, str]
    needed: tuple[tuple[str, str], ...]
    members: tuple[tuple[str, str, str], ...]

    @property
    def weight(self) -> int:
        """The more a route demands, the more it means what it matches."""
        return len(self.query) + len(self.needed)


def needs_body(service: str, method: str, query: Mapping[str, str]) -> bool:
    """Whether a request's body decides about access: not that of an object."""
    return service != "s3" or (method == "POST" and "delete" in query)


def read(request: Request) -> tuple[str, dict[str, Any]]:
    """The operation's name, UnknownOperation if it can't be told, and its parameters."""
    if target := request.headers.get("x-amz-target"):
        return target.rpartition(".")[2], _json(request.body)
    if found := _CBOR.fullmatch(request.path):
        return found[1], {}
    model = _model(request.service)
    if model is None or not model.protocol.startswith("rest"):
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"))) | dict(request.query)
        return form.get("Action", UNKNOWN), form | _lists(form)
    path = _with_bucket(request) if request.service == "s3" else request.path
    for route in _routes(request.service):
        found = route.path.fullmatch(path) if route.method == request.method else None
        if found and _fits(route, request):
            return route.name, _parameters(route, found, request)
    return UNKNOWN, {}


def _lists(form: Mapping[str, str]) -> dict[str, list[Any]]:
    """The lists of a form, whose items are written `Tags.member.1.Key` or `AlarmNames.member.1`."""
    found: dict[str, dict[int, Any]] = {}
    for name, value in form.items():
        if item := _ITEM.fullmatch(name):
            items = found.setdefault(item[1], {})
            if item[3]:
                items.setdefault(int(item[2]), {})[item[3]] = value
            else:
                items[int(item[2])] = value
    return {name: [items[number] for number in sorted(items)] for name, items in found.items()}


def _fits(route: _Route, request: Request) -> bool:
    if any(request.query.get(name) != value for name, value in route.query.items()):
        return False
    places = {"querystring": request.query, "header": request.headers}
    return all(name in places[where] for where, name in route.needed)


def _parameters(route: _Route, found: re.Match[str], request: Request) -> dict[str, Any]:
    params: dict[str, Any] = {name: unquote(value) for name, value in found.groupdict().items()}
    for where, name, member in route.members:
        place = request.query if where == "querystring" else request.headers
        if name in place:
            params[member] = place[name]
    if route.name == "DeleteObjects":
        params["Delete"] = {"Objects": _deleted(request.body)}
    elif route.name != UNKNOWN and request.service != "s3":
        params = _json(request.body) | params
    return params


def _with_bucket(request: Request) -> str:
    """The path with the bucket in front, which may stand in the host's name."""
    hosted = _HOSTED.fullmatch(request.headers.get("host", ""))
    return f"/{hosted[1]}{request.path}".rstrip("/") if hosted else request.path.rstrip("/") or "/"


def _deleted(body: bytes) -> list[dict[str, str]]:
    try:
        document = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return []
    objects = [item for item in document if item.tag.rpartition("}")[2] == "Object"]
    return [{part.tag.rpartition("}")[2]: part.text or "" for part in item} for item in objects]


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


@functools.cache
def _model(service: str) -> Any:
    with _loading:
        try:
            return _session().get_service_model(MODELS.get(service, service))
        except UnknownServiceError:
            return None


@functools.cache
def _routes(service: str) -> list[_Route]:
    model = _model(service)
    routes = [_route(model.operation_model(name)) for name in model.operation_names]
    return sorted(routes, key=lambda route: (-route.weight, route.deprecated))


def _route(operation: OperationModel) -> _Route:
    path, _, query = operation.http["requestUri"].partition("?")
    literal = dict(parse_qsl(query, keep_blank_values=True))
    parts, last = [], 0
    for found in _MEMBER.finditer(path):
        parts += [re.escape(path[last : found.start()]), f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"]
        last = found.end()
    parts.append(re.escape(path[last:]))
    shape = operation.input_shape
    members, needed = [], []
    for member, inner in (shape.members if shape else {}).items():
        where, name = inner.serialization.get("location"), inner.serialization.get("name", member)
        if where not in ("querystring", "header"):
            continue
        name = name.lower() if where == "header" else name
        members.append((where, name, member))
        # Its own literal query says what an operation is; a header is needed where it alone tells two apart.
        if member in shape.required_members and (where == "querystring" or name == "x-amz-copy-source"):
            needed.append((where, name))
    pattern = re.compile("".join(parts), re.DOTALL)
    return _Route(
        operation.name, operation.deprecated, operation.http["method"], pattern, literal, tuple(needed), tuple(members)
    )
