"""Files in, a table's sketch out: one pass of DuckDB over all files, in memory that doesn't grow."""

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from steps.common.failure import StepFailed
from steps.monitor import broken
from steps.monitor.sketch import Column, Numbers, Table, Texts

MEMORY_LIMIT = "256MB"
"""What DuckDB may take before it spills to disk."""


@dataclass(frozen=True)
class Source:
    """The files to read and how: `names` are the columns in file order, `kinds` says "number" or "text"."""

    files: tuple[Path, ...]
    names: tuple[str, ...]
    kinds: dict[str, str]
    missing: tuple[str, ...]
    header: bool


def connect() -> duckdb.DuckDBPyConnection:
    """Return an engine that takes nothing from the network and no more memory than it may."""
    return duckdb.connect(
        config={
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(Path(tempfile.gettempdir()) / f"monitor-{os.getpid()}"),
            "autoinstall_known_extensions": "false",
        }
    )


def relation(source: Source, files: Sequence[Path] | None = None) -> str:
    """Return the SQL of the table: every column as text, NULL where missing."""
    columns = ", ".join(f"{_text(f'c{i}')}: 'VARCHAR'" for i in range(len(source.names)))
    paths = ", ".join(_text(str(file)) for file in files or source.files)
    missing = ", ".join(_text(sign) for sign in source.missing)
    return (
        f"read_csv([{paths}], header = {str(source.header).lower()}, columns = {{{columns}}}, "
        f"nullstr = [{missing}], delim = ',', quote = '\"', escape = '\"', auto_detect = false, "
        f"max_line_size = {broken.LONGEST_LINE})"
    )


def key(column: int, source: Source) -> str:
    """Return the SQL of what a cell is counted under: the text, or a number's 64 bits, NaN where mistyped."""
    cell = f"c{column}"
    missing = ", ".join(_text(sign) for sign in source.missing)
    if source.kinds[source.names[column]] == "text":
        return f"nullif(trim({cell}), '')"
    otherwise = f"CASE WHEN {cell} IS NULL OR trim({cell}) IN ({missing}) THEN NULL ELSE 'nan'::DOUBLE END"
    return f"(coalesce(try_cast({cell} AS DOUBLE), {otherwise}) + 0.0)::BIT::BIGINT"


def scan(source: Source) -> Table:
    """Return the sketch of all rows of all files.

    Raises:
        StepFailed: naming the file and row that can't be read.
    """
    width = range(len(source.names))
    keys = ", ".join(f"{key(i, source)} AS k{i}" for i in width)
    sets = ", ".join(f"(k{i})" for i in width)
    which = " ".join(f"WHEN grouping(k{i}) = 0 THEN {i}" for i in width)
    texts = [f"k{i}" for i in width if source.kinds[source.names[i]] == "text"]
    numbers = [f"k{i}" for i in width if source.kinds[source.names[i]] == "number"]
    query = (
        f"SELECT CASE {which} END AS which, {_first(numbers, 'BIGINT')} AS number, "
        f"{_first(texts, 'VARCHAR')} AS text, count(*) AS rows "
        f"FROM (SELECT {keys} FROM {relation(source)}) GROUP BY GROUPING SETS ({sets})"
    )
    with connect() as engine:
        try:
            found = engine.execute(query).fetchnumpy()
        except duckdb.Error as error:
            raise broken.explain(source.files, len(source.names), source.header, error) from None
    which_column = np.asarray(found["which"])
    columns = {
        name: _column(source.kinds[name], {part: values[which_column == i] for part, values in found.items()})
        for i, name in enumerate(source.names)
    }
    rows = int(np.asarray(found["rows"])[which_column == 0].sum()) if len(which_column) else 0
    return Table(rows, columns)


def _first(keys: Sequence[str], kind: str) -> str:
    return f"coalesce({', '.join(keys)})" if keys else f"NULL::{kind}"


def _column(kind: str, found: dict[str, np.ndarray]) -> Column:
    counts = np.asarray(found["rows"], dtype=np.int64)
    cells = np.ma.asarray(found["text" if kind == "text" else "number"])
    absent = np.ma.getmaskarray(cells)
    missing = int(counts[absent].sum())
    if kind == "text":
        values = dict(zip(cells.data[~absent].tolist(), counts[~absent].tolist(), strict=True))
        return Texts.of(values, missing)
    values, counts = (
        np.ascontiguousarray(cells.data[~absent]).astype(np.int64).view(np.float64),
        counts[~absent],
    )
    finite = np.isfinite(values)
    return Numbers.of(values[finite], counts[finite], missing=missing, mistyped=int(counts[~finite].sum()))


def rows_where(source: Source, column: int, condition: str, limit: int) -> list[tuple[str, int]]:
    """Return file names and row numbers (from 1, a header line not counted) of the first rows that match.

    `condition` is SQL over `cell` (text, NULL where missing) and `number` (NULL where it isn't one).
    """
    found: list[tuple[str, int]] = []
    missing = ", ".join(_text(sign) for sign in source.missing)
    with connect() as engine:
        for file in source.files:
            query = (
                f"SELECT row FROM (SELECT row_number() OVER () AS row, "
                f"CASE WHEN trim(c{column}) NOT IN ({missing}) THEN trim(c{column}) END AS cell, "
                f"try_cast(c{column} AS DOUBLE) AS number FROM {relation(source, [file])}) "
                f"WHERE {condition} LIMIT {limit - len(found)}"
            )
            found += [(file.name, row) for (row,) in engine.execute(query).fetchall()]
            if len(found) >= limit:
                break
    return found


def first_line(file: Path) -> list[str]:
    """Return the cells of a file's first line, in bounded memory."""
    return broken.first_cells(file)


def infer_kinds(file: Path, names: Sequence[str], missing: tuple[str, ...], header: bool) -> dict[str, str]:
    """Return "number" or "text" for each column, from the first rows: most of the present cells decide."""
    width = range(len(names))
    source = Source((file,), tuple(names), dict.fromkeys(names, "text"), missing, header)
    shares = ", ".join(f"count(try_cast(c{i} AS DOUBLE)) * 2 >= count(nullif(trim(c{i}), ''))" for i in width)
    with connect() as engine:
        try:
            row = engine.execute(f"SELECT {shares} FROM (FROM {relation(source)} LIMIT 10000)").fetchone()
        except duckdb.Error as error:
            raise broken.explain([file], len(names), header, error) from None
    if row is None:
        raise StepFailed(f"{file.name}: no row to read.")
    return {name: "number" if numeric else "text" for name, numeric in zip(names, row, strict=True)}


def _text(value: str) -> str:
    return "'" + re.sub("'", "''", value) + "'"
