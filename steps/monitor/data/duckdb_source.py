"""The files of a batch as one table in SQL: columns c0, c1, … in the order of `names`, whatever the format."""

import functools
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

LONGEST_LINE = 1 << 20
"""Bytes of a line; a longer one is no row of a table."""

MEMORY_LIMIT = "256MB"
"""What DuckDB may take before it spills to disk."""

MAX_THREADS = 8
"""Each thread holds buffers, so that the memory stays within the limit on any instance."""

NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL")
NO_DELIMITER = "\x01"
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Source:
    """The files to read and how.

    Args:
        files: of one format, read as one table.
        names: the columns in file order.
        kinds: "number" or "text" for each name.
        missing: the signs for a missing value; an empty cell always is one.
        format: csv, json or parquet.
        header: whether CSV files begin with a header line.
        lines: whether JSON files hold one object per line, not one array.
        types: Parquet's own types by column; text where a name isn't in here.
        folder: what the files' names are relative to.
    """

    files: tuple[Path, ...]
    names: tuple[str, ...]
    kinds: dict[str, str]
    missing: tuple[str, ...] = ("",)
    format: str = "csv"
    header: bool = False
    lines: bool = True
    types: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None

    def name_of(self, file: Path) -> str:
        """Return what people call a file: its path below the folder."""
        if self.folder and file.is_relative_to(self.folder):
            return file.relative_to(self.folder).as_posix()
        return file.name

    def type_of(self, column: int) -> str:
        """Return the SQL type of a column's cells."""
        return self.types.get(self.names[column], "VARCHAR")


def connect(*, ordered: bool = False) -> duckdb.DuckDBPyConnection:
    """Return a connection of its own, with temporary tables of its own, to the process's engine.

    Args:
        ordered: whether rows must come in the files' order, which costs memory; it holds for the whole engine.
    """
    with _LOCK:
        connection = _engine().cursor()
    connection.execute(f"SET preserve_insertion_order = {str(ordered).lower()}")
    return connection


@functools.cache
def _engine() -> duckdb.DuckDBPyConnection:
    """Return the engine, which takes nothing from the network and no more memory than it may."""
    return duckdb.connect(
        config={
            "memory_limit": MEMORY_LIMIT,
            "threads": str(min(MAX_THREADS, os.cpu_count() or 1)),
            "temp_directory": str(_spilled()),
            "autoinstall_known_extensions": "false",
        }
    )


def remove_spilled() -> None:
    """Remove what the engine has spilled to disk, which it does itself only where the interpreter ends it."""
    shutil.rmtree(_spilled(), ignore_errors=True)


def _spilled() -> Path:
    return Path(tempfile.gettempdir()) / f"monitor-{os.getpid()}"


def table(source: Source, files: Sequence[Path] | None = None, *, row: bool = False) -> str:
    """Return the SQL that selects c0, c1, … from the files and, if wanted, each row's number in them.

    Row numbers count from 1; header and blank lines don't count.
    """
    columns = ", ".join(f"{quoted_name(column)} AS c{i}" for i, column in enumerate(_columns(source)))
    number = ", row_number() OVER () AS row" if row else ""
    return f"SELECT {columns}{number} FROM {_reader(source, files or source.files)}"


def lines(source: Source) -> str:
    """Return the SQL that selects whole lines of CSV files as text, header and blank lines left out."""
    options = f"columns = {{'line': 'VARCHAR'}}, delim = '{NO_DELIMITER}', quote = '', escape = ''"
    return f"SELECT line FROM {_csv(source, source.files, options)} WHERE line IS NOT NULL"


def is_gzip(file: Path) -> bool:
    """Whether a file is compressed, whatever its name."""
    with file.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def missing(cell: str, source: Source, column: int) -> str:
    """Return the SQL of whether a cell is missing."""
    if source.type_of(column) != "VARCHAR":
        return f"({cell} IS NULL)"
    signs = ", ".join(text(sign) for sign in dict.fromkeys(["", *source.missing]))
    return f"({cell} IS NULL OR trim({cell}) IN ({signs}))"


def number(cell: str, source: Source, column: int) -> str:
    """Return the SQL of a cell's number, NULL where it isn't one. 1_0, which DuckDB reads as ten, is none."""
    kind = source.type_of(column)
    if kind == "VARCHAR":
        return f"(CASE WHEN contains({cell}, '_') THEN NULL ELSE try_cast({cell} AS DOUBLE) + 0.0 END)"
    if kind == "BOOLEAN":
        return f"({cell}::INTEGER::DOUBLE)"
    return f"({cell}::DOUBLE + 0.0)" if any(part in kind for part in NUMBERS) and "[" not in kind else "NULL::DOUBLE"


def text(value: str) -> str:
    """Return a text as SQL."""
    return "'" + re.sub("'", "''", value) + "'"


def quoted_name(name: str) -> str:
    """Return a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _columns(source: Source) -> Sequence[str]:
    return [f"c{i}" for i in range(len(source.names))] if source.format == "csv" else source.names


def _reader(source: Source, files: Sequence[Path]) -> str:
    if source.format == "parquet":
        return parquet(files)
    columns = "{" + ", ".join(f"{text(column)}: 'VARCHAR'" for column in _columns(source)) + "}"
    if source.format == "json":
        layout = "newline_delimited" if source.lines else "array"
        options = f"columns = {columns}, format = '{layout}', records = 'true', maximum_object_size = {LONGEST_LINE}"
        return _read("read_json", files, options)
    signs = ", ".join(text(sign) for sign in dict.fromkeys(["", *source.missing]))
    return _csv(source, files, f"columns = {columns}, nullstr = [{signs}], delim = ',', quote = '\"', escape = '\"'")


def parquet(files: Sequence[Path]) -> str:
    """Return a call of the reader of Parquet files; folders named like day=1 make no columns."""
    return f"read_parquet({_paths(files)}, hive_partitioning = false)"


def _csv(source: Source, files: Sequence[Path], options: str) -> str:
    common = f"header = {str(source.header).lower()}, auto_detect = false, max_line_size = {LONGEST_LINE}"
    return _read("read_csv", files, f"{options}, {common}")


def _read(function: str, files: Sequence[Path], options: str) -> str:
    """Return a call of a reader; compressed files and others take one each."""
    calls = []
    for compression in ("none", "gzip"):
        matching = [file for file in files if is_gzip(file) == (compression == "gzip")]
        if matching:
            calls.append(
                f"{function}({_paths(matching)}, compression = '{compression}', hive_partitioning = false, {options})"
            )
    return calls[0] if len(calls) == 1 else "(" + " UNION ALL ".join(f"FROM {call}" for call in calls) + ")"


def _paths(files: Sequence[Path]) -> str:
    return "[" + ", ".join(text(str(file)) for file in files) + "]"
