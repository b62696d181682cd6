"""JSON that everybody can read: what isn't a finite number is written as null (RFC 8259 knows no NaN)."""

import json
import math
from typing import Any


def dumps(content: Any, *, indent: int | None = 1, sort_keys: bool = False) -> str:
    """Return a value as JSON, NaN and infinities as null; NumPy's numbers count as numbers.

    Raises:
        TypeError: something in it has no form in JSON.
    """
    return json.dumps(_finite(content), indent=indent, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):  # A NumPy scalar.
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
