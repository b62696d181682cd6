"""botocore's shapes as a check of a definition's values, in which a reference may stand for any of them.

The wire's own check of requests speaks in AWS's words and knows no references; this one gives paths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.model import Shape

from localaws import patterns

Problem = tuple[str, str]
"""Path to a value, and a sentence about what is wrong with it."""

_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
}


def problems(
    shape: Shape,
    value: Any,
    path: str = "",
    given: str | None = None,
    skip: Callable[[Any], bool] = lambda _: False,
) -> Iterator[Problem]:
    """Give what is wrong with a value of a shape.

    Args:
        shape: botocore's.
        value: JSON value.
        path: to the value; paths in the answer begin with it.
        given: a required member that may be absent because somebody else fills it in.
        skip: says of a value that nothing is known of it yet (a reference), so that it fits every shape.
    """
    if skip(value):
        return
    kind = shape.type_name
    allowed = _TYPES.get(kind, (object,))
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed and object not in allowed):
        yield path, f"must be {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    elif kind == "structure":
        yield from _structure(shape, value, path, given, skip)
    elif kind == "list":
        yield from _length(shape, len(value), path, "items")
        for number, item in enumerate(value):
            yield from problems(shape.member, item, f"{path}[{number}]", skip=skip)
    elif kind == "map":
        yield from _length(shape, len(value), path, "entries")
        for key, item in value.items():
            yield from problems(shape.key, key, f"{path}.{key}", skip=skip)
            yield from problems(shape.value, item, f"{path}.{key}", skip=skip)
    elif kind == "string":
        yield from _text(shape, value, path)
    elif kind in ("integer", "long", "float", "double"):
        yield from _length(shape, value, path, "")


def _structure(
    shape: Shape, value: dict[str, Any], path: str, given: str | None, skip: Callable[[Any], bool]
) -> Iterator[Problem]:
    for member in shape.required_members:
        if member not in value and member != given:
            yield path, f"{member} is missing"
    for member, item in value.items():
        where = f"{path}.{member}" if path else member
        if member in shape.members:
            yield from problems(shape.members[member], item, where, skip=skip)
        else:
            yield where, "is unknown"


def _text(shape: Shape, value: str, path: str) -> Iterator[Problem]:
    yield from _length(shape, len(value), path, "characters")
    if enum := shape.metadata.get("enum"):
        if value not in enum:
            yield (
                path,
                f"{value[:64]} isn't one of its {len(enum)} values"
                + (f" ({', '.join(enum)})" if len(enum) <= 12 else ""),
            )
    elif (pattern := shape.metadata.get("pattern")) and not patterns.matches(pattern, value):
        yield path, f"doesn't match {pattern}"


def _length(shape: Shape, size: float, path: str, unit: str) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    unit = f" {unit}" if unit else ""
    if least is not None and size < least:
        yield (
            path,
            f"has {size}{unit}, and at least {least} are needed" if unit else f"must be at least {least}",
        )
    if most is not None and size > most:
        yield path, f"has {size}{unit}, and at most {most} are allowed" if unit else f"must be at most {most}"
