"""Reads the content of a model file by the format's own rules: XGBoost's reader may read beyond the end, and crash.

Source of the format: ubjson.org, draft 12; XGBoost writes big-endian numbers and typed arrays.
"""

import json
import struct
import sys
from array import array
from typing import Any

_NUMBERS = {"i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "d": "f", "D": "d"}
"""The format's numbers as the struct and array modules name them."""

_SIGNS = {"T": True, "F": False, "Z": None}
_INTEGERS = "iUIlL"
DEEPEST = 64
"""Objects and arrays within each other; a model has nine."""


class Broken(ValueError):
    """The content isn't one whole object of UBJSON or JSON."""


def decode(content: bytes) -> dict[str, Any]:
    """Return the one object that the content is, UBJSON or JSON; arrays of one type of number are array.array.

    Raises:
        Broken: it is cut, goes on behind the object, names a member twice, is nested too deep, or is something else.
    """
    if content[:1] == b"{" and content[1:].lstrip()[:1] in (b'"', b"}"):
        try:
            found = json.loads(content, object_pairs_hook=_members)
            if isinstance(found, dict):
                return found
        except (ValueError, RecursionError):
            pass  # As UBJSON, such a beginning is rare but possible.
    reader = _Reader(content)
    if reader.marker() != "{":
        raise Broken
    found = reader.value("{", 0)
    if reader.place != len(content):
        raise Broken
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Broken
    return found


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

    def _number(self, kind: str) -> Any:
        form = struct.Struct(f">{_NUMBERS[kind]}")
        return form.unpack(self.skip(form.size))[0]

    def _length(self) -> int:
        kind = self.marker()
        if kind not in _INTEGERS:
            raise Broken
        return self._number(kind)

    def _text(self) -> str:
        try:
            return self.skip(self._length()).decode()
        except UnicodeDecodeError:
            raise Broken from None

    def value(self, kind: str, depth: int) -> Any:
        if depth > DEEPEST:
            raise Broken
        if kind == "{":
            return self._object(depth)
        if kind == "[":
            return self._array(depth)
        if kind in _NUMBERS:
            return self._number(kind)
        if kind in _SIGNS:
            return _SIGNS[kind]
        if kind in ("S", "H"):
            return self._text()
        if kind == "C":
            return chr(self.skip(1)[0])
        raise Broken

    def _form(self) -> tuple[str, int | None]:
        kind = self.marker() if self._next_is("$") else ""
        count = self._length() if self._next_is("#") else None
        # Signs take no byte: a few bytes could stand for any number of them.
        if (kind and count is None) or (count is not None and count < 0) or kind in _SIGNS:
            raise Broken
        return kind, count

    def _array(self, depth: int) -> Any:
        kind, count = self._form()
        if kind in _NUMBERS and count is not None:
            numbers = array(_NUMBERS[kind])
            numbers.frombytes(self.skip(numbers.itemsize * count))
            if sys.byteorder == "little":
                numbers.byteswap()
            return numbers
        if count is not None:
            return [self.value(kind or self.marker(), depth + 1) for _ in range(count)]
        found = []
        while not self._next_is("]"):
            found.append(self.value(self.marker(), depth + 1))
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        kind, count = self._form()
        found: list[tuple[str, Any]] = []
        while len(found) != count:
            if count is None and self._next_is("}"):
                break
            name = self._text()
            found.append((name, self.value(kind or self.marker(), depth + 1)))
        return _members(found)
