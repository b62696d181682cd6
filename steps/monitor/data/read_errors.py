"""Says what is wrong with a file that can't be read: the file, the row and the column, in bounded memory."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from steps.common.failure import StepFailed
from steps.monitor.data.duckdb_source import LONGEST_LINE, Source, is_gzip
from steps.monitor.failures import UnreadableBatch

LARGEST_ARRAY = 64 << 20
"""Bytes of a JSON file that is one array."""


def explain(source: Source, error: Exception) -> StepFailed:
    """Return the failure that names what kept the engine from reading the files.

    The engine's own message may quote a row, so the files are looked through instead.
    """
    for file in source.files:
        name = source.name_of(file)
        try:
            if source.format == "csv":
                _look_through(file, name, len(source.names), source.header)
            elif source.format == "json":
                for _ in records(file, source.lines, name):
                    pass
        except StepFailed as failed:
            return failed
    names = ", ".join(source.name_of(file) for file in source.files[:3])
    if source.format == "parquet":
        return UnreadableBatch(f"{names}: damaged, or not a Parquet file.")
    return UnreadableBatch(f"{names}: not readable ({type(error).__name__}).")


def first_cells(file: Path, name: str | None = None) -> list[str]:
    """Return the cells of a CSV file's first line.

    Raises:
        UnreadableBatch: the file holds no row, isn't text, or the line is too long.
    """
    name = name or file.name
    for _, line in lines(file, name):
        if line.strip():
            try:
                return [cell.strip() for cell in next(csv.reader([line]))]
            except csv.Error as error:
                raise UnreadableBatch(f"{name}, row 1: not readable as CSV ({error}).") from None
    raise UnreadableBatch(f"{name}: no row to read.")


def cells(file: Path, name: str, header: bool) -> Iterator[tuple[int, dict[str, str]]]:
    """Give the numbered rows of a CSV file, by their columns' names or, without a header line, their numbers from 0.

    Raises:
        UnreadableBatch: naming the row that isn't readable or has another number of cells, or the column that occurs
            twice.
    """
    names: list[str] = []
    row = 0
    try:
        for found in csv.reader(text for _, text in lines(file, name)):
            if not found:
                continue
            if header and not names:
                names = distinct([cell.strip() for cell in found], name)
                continue
            row += 1
            require_width(found, len(names) or len(found), f"{name}, row {row}")
            names = names or [str(position) for position in range(len(found))]
            yield row, dict(zip(names, found, strict=True))
    except csv.Error as error:
        where = f"row {row + 1}" if names or not header else "header line"
        raise UnreadableBatch(f"{name}, {where}: not readable as CSV ({error}).") from None


def distinct(names: list[str], name: str) -> list[str]:
    """Return a header line's names, or raise UnreadableBatch where one occurs twice."""
    for position, each in enumerate(names):
        if each and each in names[:position]:
            raise UnreadableBatch(f"{name}, header line: column {each} occurs twice.")
    return names


def require_width(found: list[str], width: int, location: str) -> None:
    """Raise UnreadableBatch where a line doesn't have as many cells as belong."""
    if len(found) != width:
        raise UnreadableBatch(f"{location}: {len(found)} columns where {width} belong.")


def records(file: Path, by_line: bool, name: str | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the numbered objects of a JSON file.

    Raises:
        UnreadableBatch: naming the line that isn't an object.
    """
    name = name or file.name
    if not by_line:
        yield from _array(file, name)
        return
    row = 0
    for number, line in lines(file, name):
        if not line.strip():
            continue
        row += 1
        yield row, record(line, f"{name}, line {number}")


def record(line: str, location: str) -> dict[str, Any]:
    """Return the object of a line of JSON. Raises UnreadableBatch where it isn't one."""
    try:
        content = json.loads(line)
    except ValueError:
        raise UnreadableBatch(f"{location}: not readable as JSON.") from None
    if not isinstance(content, dict):
        raise UnreadableBatch(f"{location}: not a JSON object.")
    return content


def _array(file: Path, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with _open(file) as stream:
        text = stream.read(LARGEST_ARRAY + 1)
    if len(text) > LARGEST_ARRAY:
        raise UnreadableBatch(f"{name}: a JSON array of more than {LARGEST_ARRAY} bytes; write one object per line.")
    try:
        content = json.loads(text)
    except ValueError:
        raise UnreadableBatch(f"{name}: not readable as JSON.") from None
    for row, each in enumerate(content if isinstance(content, list) else [content], 1):
        if not isinstance(each, dict):
            raise UnreadableBatch(f"{name}, row {row}: not a JSON object.")
        yield row, each


def _look_through(file: Path, name: str, width: int, header: bool) -> None:
    row = 0 if header else 1
    ends: dict[bool, int] = {}

    def text() -> Iterator[str]:
        for number, line in lines(file, name):
            if line.endswith("\n"):
                ends.setdefault(line.endswith("\r\n"), number)
            yield line

    try:
        for found in csv.reader(text(), strict=True):
            if not found:
                continue
            require_width(found, width, f"{name}, {'header line' if row == 0 else f'row {row}'}")
            row += 1
    except csv.Error as error:
        raise UnreadableBatch(f"{name}, row {row}: not readable as CSV ({error}).") from None
    if len(ends) > 1:
        number = max(ends.values())
        raise UnreadableBatch(f"{name}, line {number}: ends otherwise (with or without CR) than those before it.")


def lines(file: Path, name: str) -> Iterator[tuple[int, str]]:
    """Give numbered lines of text, reading no more than the longest line at once.

    Raises:
        UnreadableBatch: a line is too long or isn't text, or the file is cut off.
    """
    number = 0
    try:
        with _open(file) as stream:
            while line := stream.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise UnreadableBatch(f"{name}, line {number}: longer than {LONGEST_LINE} bytes.")
                if b"\0" in line:
                    raise UnreadableBatch(f"{name}, line {number}: holds a zero byte, so it isn't text.")
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        column = error.object[: error.start].count(b",") + 1
        raise UnreadableBatch(f"{name}, line {number}, column {column}: not UTF-8 text.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UnreadableBatch(f"{name}: the gzip stream is damaged or ends after line {number}.") from None


def _open(file: Path) -> BinaryIO:
    return gzip.open(file, "rb") if is_gzip(file) else file.open("rb")  # type: ignore[return-value]
