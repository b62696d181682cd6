"""CSV files in, numbers out; what is wrong is named by file, row and column, never by its value."""

import csv
import math
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from steps.common.failure import StepFailed

LONGEST_LINE = 1 << 20
"""Characters of a line; a longer one is no row of a table, and isn't read to its end."""

ANY: Mapping[str, Collection[float]] = MappingProxyType({})


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


def numbers(
    cells: Sequence[str],
    names: Sequence[str],
    missing: str = "",
    allowed: Mapping[str, Collection[float]] = ANY,
) -> list[float]:
    """Return the numbers of one row, NaN where missing.

    Raises:
        BadRow: the row has another number of cells, text in a number, or a value that isn't allowed.
    """
    if len(cells) != len(names):
        raise BadRow(f"{len(cells)} column{'s'[len(cells) == 1 :]} where {len(names)} belong")
    try:
        row = [number(cell, missing) for cell in cells]
    except NotANumber:
        wrong = next(name for cell, name in zip(cells, names, strict=True) if _is_text(cell, missing))
        raise BadRow("not a number", wrong) from None
    for name, values in allowed.items():
        if row[names.index(name)] not in values:
            raise BadRow(f"not {' or '.join(f'{value:g}' for value in values)}", name)
    return row


def read(
    file: Path,
    names: Sequence[str],
    missing: str = "",
    allowed: Mapping[str, Collection[float]] = ANY,
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
    found = array("d")
    cells: list[str] = []
    before = 0  # Lines before the row that is looked at: a quoted cell may run over several.
    try:
        with _open(file) as stream:
            reader = csv.reader(_lines(stream))
            for cells in reader:
                if cells:
                    found.extend(numbers(cells, names, missing, allowed))
                before, cells = reader.line_num, []
    except BadRow as bad:
        is_header = not before and cells and all(_is_text(cell, missing) for cell in cells)
        what = ": a header line, where none belongs" if is_header else f", {bad}" if bad.column else f": {bad}"
        raise StepFailed(f"{file.name}, row {before + 1}{what}.") from None
    except csv.Error:
        raise StepFailed(f"{file.name}, row {before + 1}: not readable as CSV; a quote isn't closed.") from None
    if not found:
        raise StepFailed(f"{file.name}: the file is empty.")
    return found


def width(file: Path) -> int:
    """Return the number of cells in a CSV file's first row; 1 where there is none, which reading it then names."""
    try:
        with _open(file) as stream:
            return len(next((cells for cells in csv.reader(_lines(stream)) if cells), [""]))
    except (BadRow, csv.Error):
        return 1


def _open(file: Path) -> TextIO:
    return file.open(newline="", encoding="utf-8-sig", errors="surrogateescape")


def _lines(stream: TextIO) -> Iterator[str]:
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise BadRow(f"the line is longer than {LONGEST_LINE} characters")
        if not line.isascii() and any("\udc80" <= sign <= "\udcff" for sign in line):
            raise BadRow("not UTF-8 text")
        yield line


def _is_text(cell: str, missing: str) -> bool:
    try:
        number(cell, missing)
    except NotANumber:
        return True
    return False
