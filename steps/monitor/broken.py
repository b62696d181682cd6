"""Says what is wrong with a file that can't be read: the file, the row and the column, in bounded memory."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from steps.common.failure import StepFailed

LONGEST_LINE = 1 << 20
"""Bytes of a line; a longer one is no row of a table."""


def explain(files: Sequence[Path], width: int, header: bool, error: Exception) -> StepFailed:
    """Return the failure that names what kept the engine from reading the files.

    The engine's own message may quote a row, so the files are looked through instead.
    """
    for file in files:
        try:
            _look_through(file, width, header)
        except StepFailed as failed:
            return failed
    names = ", ".join(file.name for file in files[:3])
    return StepFailed(f"{names}: not readable ({type(error).__name__}).")


def first_cells(file: Path) -> list[str]:
    """Return the cells of a CSV file's first line.

    Raises:
        StepFailed: the file is empty, isn't text, or the line is too long.
    """
    for _, line in _lines(file):
        if line.strip():
            return [cell.strip() for cell in next(csv.reader([line]))]
    raise StepFailed(f"{file.name}: no row to read.")


def _look_through(file: Path, width: int, header: bool) -> None:
    row = 0 if header else 1
    lines = (line for _, line in _lines(file))
    try:
        for cells in csv.reader(lines):
            if not cells:
                continue
            if len(cells) != width:
                where = "header line" if row == 0 else f"row {row}"
                raise StepFailed(f"{file.name}, {where}: {len(cells)} columns where {width} belong.")
            row += 1
    except csv.Error as error:
        raise StepFailed(f"{file.name}, row {row}: not readable as CSV ({error}).") from None


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Give numbered lines of text, reading no more than the longest line at once."""
    number = 0
    try:
        with _open(file) as stream:
            while line := stream.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise StepFailed(f"{file.name}, line {number}: longer than {LONGEST_LINE} bytes.")
                if b"\0" in line:
                    raise StepFailed(f"{file.name}, line {number}: holds a zero byte, so it isn't text.")
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        column = error.object[: error.start].count(b",") + 1
        raise StepFailed(f"{file.name}, line {number}, column {column}: not UTF-8 text.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise StepFailed(f"{file.name}: the gzip stream is damaged or ends after line {number}.") from None


def _open(file: Path) -> BinaryIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rb")
    return file.open("rb")
