"""Cells of text in, numbers out; what is wrong is named by its column, never by its value."""

import math
from collections.abc import Sequence
from functools import lru_cache


class NotANumber(ValueError):
    """A cell holds text, or an infinity."""


class BadRow(ValueError):
    """What is wrong with a row, and in which column if it is a single one."""

    def __init__(self, what: str, column: str | None = None) -> None:
        super().__init__(f"column {column}: {what}" if column else what)
        self.column = column


@lru_cache(maxsize=1 << 16)
def number(text: str, missing: str = "") -> float:
    """Return a cell's number, NaN where it is empty or holds the sign for a missing value.

    Raises:
        NotANumber: the cell holds anything else.
    """
    text = text.strip()
    if not text or text == missing:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise NotANumber from None
    # Python reads 1_0 as ten, and digits of every script; nobody else does.
    if not math.isfinite(value) or "_" in text or not text.isascii():
        raise NotANumber
    return value


def numbers(cells: Sequence[str], names: Sequence[str], missing: str = "") -> list[float]:
    """Return the numbers of one row, NaN where missing.

    Raises:
        BadRow: the row has another number of cells, or text in a number.
    """
    if len(cells) != len(names):
        raise BadRow(f"{len(cells)} column{'s'[len(cells) == 1 :]} where {len(names)} belong")
    try:
        return [number(cell, missing) for cell in cells]
    except NotANumber:
        wrong = next(name for cell, name in zip(cells, names, strict=True) if _is_text(cell, missing))
        raise BadRow("not a number", wrong) from None


def _is_text(cell: str, missing: str) -> bool:
    try:
        number(cell, missing)
    except NotANumber:
        return True
    return False
