"""Which operation an HTTP request calls, and with which parameters, read from botocore's models.

Only what decides about access is read: members of path, query and headers, JSON bodies, and the plain members of
forms. S3 bodies are read for DeleteObjects alone, whose keys stand there.
"""

from __future__ import annotations

import functools
import json
import re
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

import botocore.session
from botocore.model import OperationModel, ServiceModel

from localaws.access import offered
from localaws.http import Refused, Request
from localaws.origins import host_name

MOST_BYTES = 64 << 20
"""What a packed body may unpack to."""
_LISTED = frozenset({"tagKeys", "TagKeys"})
"""What may be given more than once in a query: the items of a list."""
_OPAQUE = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")
"""Lambda's operations whose body is the function's."""
_READS = re.compile(r"(Get|List|Describe)\w+")
_QUEUE = re.compile(r"/\d{12}/[\w-]{1,80}(?:\.fifo)?")
_ITEM = re.compile(r"(\w+)\.member\.(\d{1,4})(?:\.(\w+))?")
UNKNOWN = "UnknownOperation"
_MEMBER = re.compile(r"\{(\w+)(\+?)\}")
_CBOR = re.compile(r"/service/(\w+)/operation/(\w+)")
_HOSTED = re.compile(r"(.+?)\.(?:s3(?:\.[a-z0-9-]+)?\.)?localhost")
_NO_BUCKET = re.compile(
    r"^s3\.|\.(execute-api|lambda-url|alb|s3-website|s3-control|appsync-api|appsync-realtime-api|cloudfront)\."
)
_loading = threading.Lock()


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


def needs_body(service: str, request: Request) -> bool:
    """Whether a request's body decides about access: not that of an object."""
    return service != "s3" or (request.method == "POST" and ("delete" in request.query or is_form(request)))


def is_form(request: Request) -> bool:
    """Whether a request may be a form that uploads an object (PostObject, which botocore's model doesn't have)."""
    return request.method == "POST" and request.content_type == "multipart/form-data"


def read(service: str, request: Request, body: bytes = b"") -> tuple[str, dict[str, Any]]:
    """The operation's name, UnknownOperation if it can't be told, and its parameters.

    What isn't exactly one operation of a service that localaws offers, at the path that it has in AWS, is unknown.
    Raises Refused for a body that isn't what its service takes.
    """
    if request.repeated - _LISTED:
        return UNKNOWN, {}
    for model in _models(service):
        operation, params = _read_as(model, service, request, body)
        if operation != UNKNOWN:
            return operation, params
    return UNKNOWN, {}


def service_of_target(target: str) -> str:
    """The name that a service signs for whose operation a target header names; the target itself if there is none."""
    prefix = target.rpartition(".")[0]
    for service in offered.SERVICES:
        if any(model.metadata.get("targetPrefix") == prefix for model in _models(service)):
            return service
    return target


def _read_as(model: ServiceModel, service: str, request: Request, body: bytes) -> tuple[str, dict[str, Any]]:
    if target := request.headers.get("x-amz-target"):
        prefix, _, operation = target.rpartition(".")
        known = prefix == model.metadata.get("targetPrefix") and operation in model.operation_names
        if not known or request.path != "/" or request.method != "POST":
            return UNKNOWN, {}
        return operation, _json(_plain(request, body))
    if found := _CBOR.fullmatch(request.path):
        known = found[1] == model.metadata.get("targetPrefix") and found[2] in model.operation_names
        return (found[2], {}) if known and request.method == "POST" else (UNKNOWN, {})
    if not model.protocol.startswith("rest"):
        return _read_form(model, service, request, body)
    path = path_with_bucket(request) if service == "s3" else request.path
    for route in _routes(model.service_name):
        found = route.path.fullmatch(path) if route.method == request.method else None
        if found and _fits(route, request) and (service, route.name) not in offered.UNOFFERED:
            plain = body if service == "s3" else _plain(request, body)
            return route.name, _parameters(route, found, service, request, plain)
    return UNKNOWN, {}


def _read_form(model: ServiceModel, service: str, request: Request, body: bytes) -> tuple[str, dict[str, Any]]:
    """An operation of AWS's oldest protocol; SQS takes it too, also at the path of a queue. GET is for reading."""
    if (
        model.protocol not in ("query", "ec2")
        and "query" not in model.metadata.get("protocols", ())
        and service != "sqs"
    ):
        return UNKNOWN, {}
    given = parse_qsl(_plain(request, body).decode("utf-8", "replace"), keep_blank_values=True)
    form = dict(given) | dict(request.query)
    reads = request.method == "GET" and _READS.fullmatch(form.get("Action", ""))
    if len(form) < len(given) + len(request.query) or not (reads or request.method == "POST"):
        return UNKNOWN, {}
    queue = _QUEUE.fullmatch(request.path) if service == "sqs" and "QueueUrl" not in form else None
    if form.get("Action") not in model.operation_names or not (request.path == "/" or queue):
        return UNKNOWN, {}
    if queue:
        form["QueueUrl"] = f"http://localhost{request.path}"
    return form["Action"], form | _lists(form)


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


def _plain(request: Request, body: bytes) -> bytes:
    """A body without the compression that some clients give it. Raises Refused."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding == "identity":
        return body
    try:
        unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16)
        plain = unpacked.decompress(body, MOST_BYTES)
        if coding != "gzip" or not unpacked.eof or unpacked.unused_data:
            raise ValueError(coding)
    except (zlib.error, ValueError):
        raise Refused(400, "SerializationException", "The request's body can't be unpacked.") from None
    return plain


def _fits(route: _Route, request: Request) -> bool:
    if any(request.query.get(name) != value for name, value in route.query.items()):
        return False
    places = {"querystring": request.query, "header": request.headers}
    return all(name in places[where] for where, name in route.needed)


def _parameters(route: _Route, found: re.Match[str], service: str, request: Request, body: bytes) -> dict[str, Any]:
    params: dict[str, Any] = {name: unquote(value) for name, value in found.groupdict().items()}
    for where, name, member in route.members:
        place = request.query if where == "querystring" else request.headers
        if name in place:
            params[member] = place[name]
    if route.name == "DeleteObjects":
        params["Delete"] = {"Objects": _deleted(body)}
    elif service != "s3" and route.name not in _OPAQUE:
        params = _json(body) | params
    return params


def bucket_of_host(request: Request) -> str | None:
    """The bucket in the host's name, as in bucket.localhost or bucket.s3.localhost; None if it holds none."""
    found = _HOSTED.fullmatch(host_name(request.headers.get("host", "")) or "")
    return found[1] if found and not _NO_BUCKET.search(found[0]) else None


def path_with_bucket(request: Request) -> str:
    """The path with the bucket in front, which may stand in the host's name."""
    bucket = bucket_of_host(request)
    path = f"/{bucket}{request.path}" if bucket else request.path
    return path[:-1] if path.count("/") == 2 and path.endswith("/") else path


def _deleted(body: bytes) -> list[dict[str, str]]:
    try:
        document = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return []
    objects = [item for item in document if item.tag.rpartition("}")[2] == "Object"]
    return [{part.tag.rpartition("}")[2]: part.text or "" for part in item} for item in objects]


def _json(body: bytes) -> dict[str, Any]:
    """A JSON body's object, empty for an empty body. Raises Refused."""
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Refused(400, "SerializationException", "The request's body is not a JSON object.")
    return value


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


@functools.cache
def _models(service: str) -> tuple[ServiceModel, ...]:
    """The models of the services that sign with a name; none if localaws doesn't offer it."""
    with _loading:
        return tuple(_session().get_service_model(name) for name in offered.SERVICES.get(service, ()))


@functools.cache
def _routes(name: str) -> list[_Route]:
    model = _session().get_service_model(name)
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
