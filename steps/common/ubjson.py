"""Whether a model file is whole: XGBoost's own reader may read beyond the end of one that was cut, and crash.

Source of the format: ubjson.org, draft 12; XGBoost writes big-endian numbers and typed arrays.
"""

import json

_SIZES = {"i": 1, "U": 1, "C": 1, "I": 2, "l": 4, "d": 4, "L": 8, "D": 8, "T": 0, "F": 0, "Z": 0, "N": 0}
_INTEGERS = "iUIlL"


class Broken(ValueError):
    """The content isn't one whole UBJSON object."""


def is_whole(content: bytes) -> bool:
    """Return whether the content is exactly one object of UBJSON or JSON."""
    try:
        if content[:1] == b"{" and content[1:].lstrip()[:1] in (b'"', b"}") and _is_json(content):
            return True
        reader = _Reader(content)
        if reader.marker() != "{":
            return False
        reader.object()
        return reader.place == len(content)
    except (Broken, RecursionError):
        return False


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False


class _Reader:
    """A place in the content that only moves forward, and never beyond the end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def skip(self, count: int) -> bytes:
        """Move by `count` bytes and return them."""
        if count < 0 or self.place + count > len(self._content):
            raise Broken
        self.place += count
        return self._content[self.place - count : self.place]

    def marker(self) -> str:
        return chr(self.skip(1)[0])

    def _next_is(self, marker: str) -> bool:
        if self._content[self.place : self.place + 1] == marker.encode():
            self.place += 1
            return True
        return False

    def length(self) -> int:
        kind = self.marker()
        if kind not in _INTEGERS:
            raise Broken
        return int.from_bytes(self.skip(_SIZES[kind]), "big", signed=kind != "U")

    def value(self, kind: str) -> None:
        if kind == "{":
            self.object()
        elif kind == "[":
            self.array()
        elif kind in "SH":
            self.skip(self.length())
        elif kind in _SIZES:
            self.skip(_SIZES[kind])
        else:
            raise Broken

    def _form(self) -> tuple[str, int | None]:
        kind = self.marker() if self._next_is("$") else ""
        count = self.length() if self._next_is("#") else None
        if (kind and count is None) or (count is not None and count < 0):
            raise Broken
        return kind, count

    def array(self) -> None:
        kind, count = self._form()
        if kind in _SIZES and count is not None:
            self.skip(_SIZES[kind] * count)
        elif count is not None:
            for _ in range(count):
                self.value(kind or self.marker())
        else:
            while not self._next_is("]"):
                self.value(self.marker())

    def object(self) -> None:
        kind, count = self._form()
        while count is None or count > 0:
            if count is None and self._next_is("}"):
                return
            self.skip(self.length())
            self.value(kind or self.marker())
            count = None if count is None else count - 1
