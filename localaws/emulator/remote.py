"""An emulator that runs elsewhere (LocalStack, or ministack in a process of its own): requests go through to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import urllib3

from localaws import http

_HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer", b"expect"}
_CHUNK = 1 << 16


class Remote:
    """An ASGI application that passes each request on and streams the answer back."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        # A pool of one host sends a path as it is; a manager of pools would take its dots for folders.
        self._pool = urllib3.connection_from_url(
            self._url, maxsize=32, retries=False, timeout=urllib3.Timeout(connect=5, read=900)
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, with 502 where the emulator doesn't."""
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        if scope["type"] != "http":
            return
        body = await http.body(receive)
        try:
            answer = await asyncio.to_thread(self._ask, scope, body)
        except urllib3.exceptions.HTTPError as error:
            text = f"The emulator at {self._url} did not answer: {type(error).__name__}".encode()
            await http.respond(send, 502, "text/plain", text)
            return
        with contextlib.closing(answer):
            headers = [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in answer.headers.items()
                if name.lower().encode() not in _HOP_BY_HOP
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            chunks = answer.stream(_CHUNK, decode_content=False)
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    def _ask(self, scope: Any, body: bytes) -> urllib3.BaseHTTPResponse:
        path = scope.get("raw_path", scope["path"].encode()).split(b"?")[0].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        return self._pool.urlopen(
            scope["method"],
            f"{path}{'?' if query else ''}{query}",
            body=body,
            headers=dict(_headers(scope)),
            preload_content=False,
            redirect=False,
            assert_same_host=False,
        )


def _headers(scope: Any) -> Iterator[tuple[str, str]]:
    for name, value in scope["headers"]:
        if name not in _HOP_BY_HOP and name != b"content-length":
            yield name.decode("latin-1"), value.decode("latin-1")
