"""Objects as records: split into payloads, and the answers put together again."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localaws.jobs.failure import JobFailed

MB = 1 << 20


def unpacked(file: Path, gzipped: bool, uri: str) -> bytes:
    """Return an object's content. Raises JobFailed."""
    if not gzipped:
        return file.read_bytes()
    try:
        return gzip.decompress(file.read_bytes())
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise JobFailed(f"ClientError: {uri} is truncated or isn't gzip-compressed.") from None


@dataclass(frozen=True)
class Payload:
    """Part of an object, and the numbers of its first and last line."""

    body: bytes
    first: int
    last: int


def payloads(content: bytes, by_line: bool, several: bool, most: int, uri: str) -> Iterator[Payload]:
    """Split an object into payloads of at most `most` bytes (0: no limit).

    By line, each payload holds whole lines with their ends: one, or with `several` as many as fit.
    Raises JobFailed for a record that doesn't fit, or where there is none.
    """
    if not by_line:
        if most and len(content) > most:
            raise JobFailed(
                f"ClientError: {uri} has {len(content)} bytes, more than MaxPayloadInMB allows ({most // MB} MB): "
                "set a SplitType or a larger MaxPayloadInMB."
            )
        yield Payload(content, 1, max(1, len(content.splitlines())))
        return
    if not content:
        raise JobFailed(f"ClientError: {uri} has no record.")
    start, line = 0, 1
    while start < len(content):
        end = _end(content, start, several, most)
        if most and end - start > most:
            raise JobFailed(f"ClientError: {uri}, line {line}: longer than MaxPayloadInMB allows ({most // MB} MB).")
        lines = max(1, content.count(b"\n", start, end) + (content[end - 1 : end] != b"\n"))
        yield Payload(content[start:end], line, line + lines - 1)
        start, line = end, line + lines


def _end(content: bytes, start: int, several: bool, most: int) -> int:
    first = content.find(b"\n", start) + 1 or len(content)
    if not several:
        return first
    if not most or len(content) - start <= most:
        return len(content)
    return content.rfind(b"\n", start, start + most) + 1 or first


def assembled(answer: bytes) -> bytes:
    """Return a payload's answer as whole lines."""
    return answer if answer.endswith(b"\n") else answer + b"\n"
