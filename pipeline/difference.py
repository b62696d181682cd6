"""Where two definitions differ, by path instead of by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def differences(left: Any, right: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Give (path, left value, right value) wherever two JSON values differ; steps go by their names."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(key for key in right if key not in left)]:
            yield from differences(left.get(key), right.get(key), f"{path}.{key}" if path else key)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            name = one.get("Name", number) if isinstance(one, dict) else number
            yield from differences(one, other, f"{path}[{name}]")
    elif left != right:
        yield path, left, right
