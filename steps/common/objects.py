"""JSON: one object a line or one array of objects, each read by its keys; any other shape is refused."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from steps.common.files import BLANK, BOM, File, Unreadable, opened

LONGEST_LINE = 1 << 20
"""Bytes of a line."""

LARGEST_ARRAY = 64 << 20
"""Bytes of a file that is one array."""

EXPECTED = "one object a line is expected, such as {%s}"


class NotAnObject(ValueError):
    """What is wrong with a piece of JSON, to be said after its place."""


def objects(file: File, names: Sequence[str] = ("name",)) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give a file's objects, each after its place (`row 3`: the line; in an array the element).

    Args:
        file: lines of JSON, or one array of objects of at most 64 MB.
        names: the keys that are expected, for what is said of another shape.

    Raises:
        Unreadable: naming the row that isn't an object.
    """
    with opened(file) as stream:
        head = stream.read(1 << 16).removeprefix(BOM).lstrip(BLANK)
    if head.startswith(b"[") and not _is_line(head):
        yield from _array(file, names)
        return
    number = 0
    with opened(file) as stream:
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise Unreadable(f"{file.name}, row {number}: the line is longer than {LONGEST_LINE} bytes.")
            if number == 1:
                line = line.removeprefix(BOM)
            if line.strip(BLANK):
                yield f"row {number}", parsed(line, f"{file.name}, row {number}", names)


def parsed(line: bytes | str, place: str, names: Sequence[str] = ("name",)) -> dict[str, Any]:
    """Return the object that a line of JSON is. Raises Unreadable where it isn't one."""
    try:
        return as_row(loads(line), names)
    except NotAnObject as problem:
        raise Unreadable(f"{place}: {problem}.") from None


def loads(text: bytes | str) -> Any:
    """Return what a JSON text holds.

    Raises:
        NotAnObject: it isn't JSON, isn't UTF-8, or an object in it has a key twice.
    """
    try:
        return json.loads(
            text.decode("utf-8") if isinstance(text, bytes) else text,
            object_pairs_hook=_distinct,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError:
        raise NotAnObject("not UTF-8 text") from None
    except RecursionError:
        raise NotAnObject("holds nested values") from None
    except json.JSONDecodeError as error:
        shape = str(text[:1], "utf-8", "replace") if isinstance(text, bytes) else text[:1]
        whole = error.pos >= len(text.rstrip()) and shape == "{"
        said = "; the object goes on in the next line, or is cut off" if whole else ""
        raise NotAnObject(f"not readable as JSON{said}") from None


def as_row(value: Any, names: Sequence[str] = ("name",)) -> dict[str, Any]:
    """Return a row's object.

    Raises:
        NotAnObject: the value is an array, a bare value, or an object of columns.
    """
    expected = EXPECTED % ", ".join(f'"{name}": …' for name in list(names)[:2])
    if isinstance(value, list):
        raise NotAnObject(f"an array, where {expected}")
    if not isinstance(value, dict):
        raise NotAnObject(f"not an object; {expected}")
    nested = [each for each in value.values() if isinstance(each, dict | list)]
    if nested and len(nested) == len(value):
        raise NotAnObject(f"holds whole columns or a nested table; {expected}")
    return value


def _is_line(head: bytes) -> bool:
    """Whether the first line is an array by itself, a row as one; more lines may follow."""
    first, parted, rest = head.partition(b"\n")
    try:
        value = json.loads(first)
    except ValueError:
        return False
    follows = bool(parted and rest.strip(BLANK)) and not any(isinstance(each, dict) for each in value)
    return follows or (bool(value) and not any(isinstance(each, dict | list) for each in value))


def _array(file: File, names: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    with opened(file) as stream:
        text = stream.read(LARGEST_ARRAY + 1)
    if len(text) > LARGEST_ARRAY:
        raise Unreadable(f"{file.name}: a JSON array of more than {LARGEST_ARRAY >> 20} MB; write one object a line.")
    try:
        content = loads(text.removeprefix(BOM))
    except NotAnObject as problem:
        raise Unreadable(f"{file.name}: {problem}.") from None
    for number, each in enumerate(content, 1):
        try:
            yield f"row {number}", as_row(each, names)
        except NotAnObject as problem:
            raise Unreadable(f"{file.name}, row {number}: {problem}.") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise NotAnObject(f"key {_printable(twice)} occurs twice")
    return found


def _no_constant(name: str) -> Any:
    raise NotAnObject(f"{name} isn't JSON; write null where a value is missing")


def _printable(key: str) -> str:
    return re.sub(r"\W", "_", key)[:64]
