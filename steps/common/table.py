"""CSV files in, numbers out; what is wrong is named by file, row and column, never by its value."""

import csv
import math
from array import array
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from steps.common.failure import StepFailed


class NotANumber(ValueError):
    """A cell holds text, or an infinity."""


class BadRow(ValueError):
    """What is wrong with a row, to be said after its place."""


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
    # Python reads 1_0 as ten; nobody else does.
    if not math.isfinite(value) or "_" in text:
        raise NotANumber
    return value


def read(
    file: Path,
    names: Sequence[str],
    missing: str = "",
    allowed: Mapping[str, Collection[float]] = MappingProxyType({}),
) -> "array[float]":
    """Return the numbers of a CSV file without header, row after row, NaN where missing.

    Args:
        file: UTF-8 text with commas; blank lines don't count, but keep their row number.
        names: the columns' names in order; each row has as many cells.
        missing: the sign for a missing value beside an empty cell.
        allowed: the only values that a column may hold, by its name; such a column is never missing.

    Raises:
        StepFailed: naming file, row (the line, counted from 1) and column of the first thing wrong.
    """
    numbers = array("d")
    checks = [(names.index(name), name, values) for name, values in allowed.items()]
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            for cells in reader:
                if not cells:
                    continue
                row = _row(cells, names, missing)
                wrong = next((name for position, name, values in checks if row[position] not in values), None)
                if wrong:
                    choices = " or ".join(f"{value:g}" for value in allowed[wrong])
                    raise BadRow(f", column {wrong}: not {choices}.")
                numbers.extend(row)
    except BadRow as bad:
        raise StepFailed(f"{file.name}, row {reader.line_num}{bad}") from None
    except UnicodeDecodeError:
        raise StepFailed(f"{file.name}: not UTF-8 text.") from None
    except csv.Error as error:
        raise StepFailed(f"{file.name}: not readable as CSV ({error}).") from None
    if not numbers:
        raise StepFailed(f"{file.name}: the file is empty.")
    return numbers


def _row(cells: Sequence[str], names: Sequence[str], missing: str) -> list[float]:
    if len(cells) != len(names):
        raise BadRow(f": {len(cells)} columns where {len(names)} belong.")
    try:
        return [number(cell, missing) for cell in cells]
    except NotANumber:
        raise BadRow(f", column {_not_a_number(cells, names, missing)}: not a number.") from None


def _not_a_number(cells: Sequence[str], names: Sequence[str], missing: str) -> str:
    for cell, name in zip(cells, names, strict=True):
        try:
            number(cell, missing)
        except NotANumber:
            return name
    raise AssertionError("one of the cells isn't a number")
