"""References: where they stand in a value, and the paths they are written with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FUNCTIONS = ("Get", "Std:Join", "Std:JsonGet")

Key = str | int
_KEY = re.compile(r"""\.?([^.\[\]'"]+)|\[(-?\d+)\]|\[(?:'([^']*)'|"([^"]*)")\]""")


@dataclass(frozen=True)
class Reference:
    """What a Get names: `keys` are its path's parts, with Steps, Parameters or Execution first."""

    text: str
    keys: tuple[Key, ...]

    @property
    def root(self) -> Key:
        """Steps, Parameters or Execution, in a reference that is right."""
        return self.keys[0] if self.keys else ""


def is_reference(value: Any) -> bool:
    """Whether a value is one of the language's functions: Get, Std:Join or Std:JsonGet."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in FUNCTIONS


def keys(path: str) -> tuple[Key, ...]:
    """Return the parts of a path such as Outputs['train'].S3Output or a.b[0]; numbers in brackets are ints.

    A leading $ is left out. Raises ValueError with a sentence.
    """
    rest = path[1:] if path.startswith("$") else path
    found: list[Key] = []
    position = 0
    while position < len(rest):
        match = _KEY.match(rest, position)
        if not match:
            raise ValueError(f"{path} can't be read at character {position + len(path) - len(rest) + 1}")
        plain, number, *quoted = match.groups()
        found.append(int(number) if number is not None else next(k for k in (plain, *quoted) if k is not None))
        position = match.end()
    return tuple(found)


def gets(value: Any, path: str = "") -> Iterator[tuple[str, Reference]]:
    """Give every Get within a value, also within functions, with the path to where it stands.

    Raises ValueError for a Get whose text can't be read.
    """
    if isinstance(value, dict):
        if is_reference(value) and isinstance(text := value.get("Get"), str):
            yield path, Reference(text, keys(text))
            return
        for name, item in value.items():
            yield from gets(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from gets(item, f"{path}[{number}]")


def follow(document: Any, path: tuple[Key, ...]) -> Any:
    """Return what lies at a path of a JSON value.

    A text key picks the item of a list that has this name (OutputName, ChannelName, MetricName, …), as the
    language does for a processing job's outputs. Raises LookupError.
    """
    for key in path:
        if isinstance(document, list) and isinstance(key, str):
            document = next(item for item in _named(document, key))
        elif isinstance(document, dict | list):
            document = document[key]
        else:
            raise LookupError(key)
    return document


def _named(items: list[Any], name: str) -> list[Any]:
    found = [
        item
        for item in items
        if isinstance(item, dict) and any(key.endswith("Name") and item[key] == name for key in item)
    ]
    if not found:
        raise LookupError(name)
    return found
