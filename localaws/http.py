"""HTTP as localaws speaks it: a request's parts, its body, an answer, and errors in the form that clients read."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

JSON, XML, FORM = "application/x-amz-json-1.1", "application/xml", "application/x-www-form-urlencoded"
_XML_SERVICES = ("sns", "sts", "iam")

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


class Refused(Exception):
    """A request that localaws answers itself: HTTP status, AWS's code and its sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class TooLarge(Exception):
    """A body with more bytes than its reader takes."""


@dataclass(frozen=True)
class Request:
    """A request without its body.

    Args:
        method: in capitals.
        path: as it was sent, percent signs and all, without the query.
        query: decoded; of a name that is given more than once, the last value.
        headers: by their names in small letters; of one that is given more than once, all values, joined by commas.
        repeated: names, of headers (in small letters) and of the query, that are given more than once.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()

    @property
    def content_type(self) -> str:
        """The media type of the body, in small letters and without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def first_segment(self) -> str:
        """What stands between the path's first two slashes, decoded."""
        return unquote(self.path.split("/", 2)[1]) if self.path.startswith("/") else ""


def received(scope: Any) -> Request:
    """The request of an ASGI scope."""
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1").strip()) for name, value in scope["headers"]]
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    repeated = frozenset(
        name for place in (pairs, query) for name, times in Counter(name for name, _ in place).items() if times > 1
    )
    path = scope.get("raw_path", scope["path"].encode()).split(b"?")[0].decode("latin-1")
    return Request(scope["method"], path, dict(query), headers, repeated)


async def body(receive: Receive, most: int | None = None) -> bytes:
    """A request's body.

    One that is too large is read to its end too: its sender hears nothing before. Raises TooLarge.
    """
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if most is None or size <= most:
            parts.append(part)
        if not message.get("more_body"):
            break
    if most is not None and size > most:
        raise TooLarge
    return b"".join(parts)


def again(content: bytes, receive: Receive) -> Receive:
    """A receive that gives a body which has been read already."""
    given = False

    async def receiving() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": content, "more_body": False}

    return receiving


def before_start(send: Send, act: Callable[[Any], Any]) -> Send:
    """A send that calls `act` with the start of an answer before the client hears of it."""

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start" and (waiting := act(message)) is not None:
            await waiting
        await send(message)

    return sending


async def respond(send: Send, status: int, kind: str, content: bytes, **more: str) -> None:
    """Answer with a whole body; `more` are headers, with _ for -."""
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(content)).encode()),
        *((name.replace("_", "-").encode(), value.encode()) for name, value in more.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def refuse(send: Send, service: str, refused: Refused, content_type: str = "") -> None:
    """Answer in the form that the service's clients read; `content_type` is that of their request."""
    number, message, code = str(uuid.uuid4()), escape(str(refused)), refused.code
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    kind = XML
    if service == "s3":
        text = f"<Error>{error}<RequestId>{number}</RequestId></Error>"
    elif service == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{number}</RequestID></Response>"
    elif service in _XML_SERVICES or content_type.startswith(FORM):
        error = f"<Error><Type>Sender</Type>{error}</Error>"
        text = f"<ErrorResponse>{error}<RequestId>{number}</RequestId></ErrorResponse>"
    else:
        kind, text = JSON, json.dumps({"__type": code, "message": str(refused)})
    more = {"www_authenticate": 'Basic realm="localaws"'} if refused.status == 401 else {}
    await respond(send, refused.status, kind, text.encode(), x_amzn_requestid=number, x_amzn_errortype=code, **more)
