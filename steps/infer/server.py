"""The hosting contract of SageMaker: /ping, /invocations and /execution-parameters."""

import asyncio
import json
import os
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import BrokenExecutor, Executor
from typing import Any

from steps.common import log
from steps.common.failure import sentence_for
from steps.infer import pool
from steps.infer.accept import best
from steps.infer.answers import GIVEN, NAMED, TAKEN, blocks, not_utf8_at

MAX_PAYLOAD_MB = 6
"""What a batch transform sends at once."""

LARGEST_BODY = 100 << 20
"""Bytes; the most that SageMaker can be told to send."""

LARGE = 8 << 20
"""Bytes; of larger payloads one is held at a time, the next waits in its client."""

AT_ONCE = 32 << 10
"""Bytes of a payload that takes longer to hand to another process than to score."""

IDLE = 60
"""Seconds that a client may be silent within a payload."""

Message = MutableMapping[str, Any]
Receive, Send = Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]


class Refused(Exception):
    """A request can't be answered: HTTP status and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Gone(Exception):
    """The client hung up: nobody waits for an answer."""


class Application:
    """An ASGI application that serves a model with a pool of processes."""

    def __init__(self, executor: Executor, workers: int) -> None:
        self._executor, self._workers = executor, workers
        self._large = asyncio.Semaphore(1)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path, method = scope["path"], scope["method"]
        reading = method in ("GET", "HEAD")
        if path not in ("/ping", "/execution-parameters", "/invocations"):
            await _whole(send, 404, "text/plain; charset=utf-8", b"Not Found")
        elif (path == "/invocations") == reading or not (reading or method == "POST"):
            await _whole(send, 405, "text/plain; charset=utf-8", b"Method Not Allowed")
        elif path == "/ping":
            await _whole(send, 200, "text/plain; charset=utf-8", b"")
        elif path == "/execution-parameters":
            said = {
                "MaxConcurrentTransforms": self._workers, "BatchStrategy": "MULTI_RECORD",
                "MaxPayloadInMB": MAX_PAYLOAD_MB,
            }  # fmt: skip
            await _whole(send, 200, "application/json", json.dumps(said).encode())
        else:
            await self._invocations(dict(scope["headers"]), scope["headers"], receive, send)

    async def _invocations(self, headers: dict[bytes, bytes], all_headers: Any, receive: Receive, send: Send) -> None:
        begun = False
        large = _Once(self._large)
        try:
            taken, given = _types(headers, all_headers)
            body = await _body(headers, receive, large)
            async for part, last in self._answer(body, taken, given):
                if last and not begun:
                    await _whole(send, 200, given, part)
                    return
                if not begun:
                    await send(
                        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", given.encode())]}
                    )
                    begun = True
                await send({"type": "http.response.body", "body": part, "more_body": not last})
        except Gone:
            pass
        except Refused as refused:
            await _whole(send, refused.status, "text/plain; charset=utf-8", f"{refused}\n".encode())
        except Exception as error:  # A traceback could quote a row.
            died = isinstance(error, BrokenExecutor)
            said = "A process that scores has died; perhaps the memory is too small." if died else sentence_for(error)
            log.error(said)
            if not begun:  # Else the answer stays without its end, by which the client knows.
                await _whole(send, 500, "text/plain; charset=utf-8", f"{said}\n".encode())
            if died:  # Whoever runs the container starts a whole one.
                os._exit(1)
        finally:
            large.release()

    async def _answer(self, body: bytearray, taken: str, given: str) -> Any:
        """Yield the answer's parts in order, and whether each is the last; log which rows were rejected."""
        if len(body) <= AT_ONCE:
            part, rejected, sentences = pool.answer(bytes(body), 1, taken, given)
            _log(rejected, sentences)
            yield part, True
            return
        loop = asyncio.get_running_loop()
        waiting: deque[asyncio.Future[tuple[bytes, int, list[str]]]] = deque()
        total, said = 0, 0
        left = blocks(body)
        more = True
        while more or waiting:
            while more and len(waiting) <= self._workers:
                row, block = next(left, (0, b""))
                if more := bool(row):
                    waiting.append(loop.run_in_executor(self._executor, pool.answer, block, row, taken, given))
            if waiting:
                part, rejected, sentences = await waiting.popleft()
                for sentence in sentences[: NAMED - said]:
                    log.info(sentence)
                said, total = min(said + len(sentences), NAMED), total + rejected
                if not waiting and not more:
                    _log(total, [])
                yield part, not waiting and not more


class _Once:
    """A semaphore that one request takes at most once."""

    def __init__(self, of: asyncio.Semaphore) -> None:
        self._of, self._held = of, False

    async def take(self) -> None:
        if not self._held:
            await self._of.acquire()
            self._held = True

    def release(self) -> None:
        if self._held:
            self._of.release()
            self._held = False


def _types(headers: dict[bytes, bytes], all_headers: Any) -> tuple[str, str]:
    """Return the types of payload and answer."""
    if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
        raise Refused(415, "Content-Encoding: this model takes payloads as they are.")
    taken = headers.get(b"content-type", b"").decode("latin-1").split(";")[0].strip().lower() or TAKEN[0]
    if taken not in TAKEN:
        raise Refused(415, f"Content-Type: this model takes {' or '.join(TAKEN)}.")
    accept = ",".join(value.decode("latin-1") for name, value in all_headers if name == b"accept")
    given = best(accept, GIVEN)
    if given is None:
        raise Refused(406, f"Accept: this model gives {' or '.join(GIVEN)}.")
    return taken, given


async def _body(headers: dict[bytes, bytes], receive: Receive, large: _Once) -> bytearray:
    too_large = Refused(413, f"The payload is larger than {LARGEST_BODY >> 20} MB.")
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > LARGEST_BODY:
        raise too_large
    body = bytearray()
    more = True
    while more:
        try:
            async with asyncio.timeout(IDLE):
                message = await receive()
        except TimeoutError:
            raise Refused(408, f"The payload stopped for {IDLE} seconds.") from None
        if message["type"] == "http.disconnect":
            raise Gone
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise too_large
        if len(body) > LARGE:
            await large.take()
    if body.startswith(b"\xef\xbb\xbf"):
        del body[:3]
    if (place := not_utf8_at(body)) is not None:
        raise Refused(400, f"The payload isn't UTF-8 text at byte {place}.")
    if not body or body.isspace():
        raise Refused(400, "The payload has no row.")
    return body


async def _whole(send: Send, status: int, kind: str, content: bytes) -> None:
    length = str(len(content)).encode()
    headers = [(b"content-type", kind.encode()), (b"content-length", length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _log(rejected: int, sentences: list[str]) -> None:
    for sentence in sentences:
        log.info(sentence)
    if rejected > NAMED:
        log.info(f"{rejected} rows of the payload rejected in all.")
