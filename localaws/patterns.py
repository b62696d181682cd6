"""Java's regular expressions, as the AWS models write them, for Python."""

from __future__ import annotations

import functools
import re
import unicodedata

_PROPERTY = re.compile(r"\\p\{(\w+)\}")
_SURROGATES = r"\uD800\uDC00-\uDBFF\uDFFF"


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as Python takes it: `\\p{L}` becomes ranges, surrogate pairs the astral planes."""
    text = pattern.replace(_SURROGATES, "\U00010000-\U0010ffff").replace("$" + "{", "(?:){")
    return re.compile(_PROPERTY.sub(lambda match: _ranges(match.group(1)), text))


def matches(pattern: str, value: str) -> bool:
    """Whether the whole value satisfies the pattern, as AWS reads it."""
    return compiled(pattern).fullmatch(value) is not None


@functools.cache
def _ranges(category: str) -> str:
    """A Unicode general category as the inside of a character class (planes 0 to 2)."""
    if category == "Alnum":
        return "a-zA-Z0-9"
    ranges: list[list[int]] = []
    for code in range(0x30000):
        if unicodedata.category(chr(code)).startswith(category):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{re.escape(chr(low))}-{re.escape(chr(high))}" for low, high in ranges)
