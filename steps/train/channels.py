"""Training channels: label-first CSV or Parquet files in, a matrix out."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from steps.common import paths, table
from steps.common.failure import StepFailed
from steps.common.schema import Schema

if TYPE_CHECKING:
    import duckdb

CSV_TYPES = ("text/csv", "csv")
PARQUET_TYPES = ("application/x-parquet", "parquet")
BINARY = (0.0, 1.0)

LARGE = 1 << 20
"""Bytes from which reading with DuckDB is quicker than importing it takes."""


@dataclass(frozen=True)
class Channel:
    """Features (rows × columns, float32, NaN where missing), labels (rows) and, if given, weights (rows)."""

    features: np.ndarray
    names: list[str]
    labels: np.ndarray
    weights: np.ndarray | None = None


def read(folder: Path, content_type: str | None = None, weighted: bool = False, binary: bool = True) -> Channel:
    """Read all files of a channel in the order of their names.

    Args:
        folder: of the channel, whose name it bears.
        content_type: of the channel's configuration; without one, files named *.parquet are Parquet.
        weighted: whether the second column holds the rows' weights.
        binary: whether the label must be 0 or 1.

    Raises:
        StepFailed: naming the file, row and column at fault.
    """
    files = [file for file in paths.files_below(folder) if file.stat().st_size]
    if not files:
        raise StepFailed(f"channel {folder.name}: no file with content.")
    columns: list[str] | None = None
    tables = []
    for file in files:
        if _is_parquet(file, folder.name, content_type):
            rows, names = _parquet(file)
            if binary and not np.isin(rows[:, 0], BINARY).all():
                row = int(np.argmin(np.isin(rows[:, 0], BINARY))) + 1
                raise StepFailed(f"{file.name}, row {row}, column {names[0]}: not 0 or 1.")
        else:
            names = columns or _names(file, weighted)
            rows = _csv(file, names, binary)
        columns = columns or names
        if len(names) != len(columns):
            raise StepFailed(f"{file.name}: {len(names)} columns where {len(columns)} belong.")
        if np.isnan(rows[:, 0]).any():
            row = int(np.isnan(rows[:, 0]).argmax()) + 1
            raise StepFailed(f"{file.name}, row {row}, column {names[0]}: the label is missing.")
        tables.append(rows.astype(np.float32))
    first = 1 + weighted
    if len(columns) <= first:
        raise StepFailed(f"{files[0].name}: no feature beside the label{' and the weight' * weighted}.")
    whole = np.concatenate(tables)
    return Channel(whole[:, first:], columns[first:], whole[:, 0], whole[:, 1] if weighted else None)


def _is_parquet(file: Path, channel: str, content_type: str | None) -> bool:
    if not content_type:
        return file.suffix in (".parquet", ".pq")
    kind = content_type.split(";")[0].strip().lower()
    if kind not in CSV_TYPES + PARQUET_TYPES:
        raise StepFailed(f"channel {channel}: content type {kind}; {CSV_TYPES[0]} and {PARQUET_TYPES[0]} are known.")
    return kind in PARQUET_TYPES


def _names(file: Path, weighted: bool) -> list[str]:
    """Return the schema's names where its columns are as many as the file's, else positions from 1."""
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        width = len(next(csv.reader(stream), []))
    schema = Schema.read()
    names = [schema.label, *["weight"] * weighted, *schema.names]
    return names if len(names) == width else [str(position) for position in range(1, width + 1)]


def _csv(file: Path, names: Sequence[str], binary: bool) -> np.ndarray:
    rows = _fast_csv(file, names) if file.stat().st_size >= LARGE else None
    doubtful = rows is None or np.isinf(rows).any() or (binary and not np.isin(rows[:, 0], BINARY).all())
    if doubtful:  # The slow reader is right in every case, and says what is wrong.
        numbers = table.read(file, names, allowed={names[0]: BINARY} if binary else {})
        rows = np.frombuffer(numbers).reshape(-1, len(names))
    return rows


def _fast_csv(file: Path, names: Sequence[str]) -> np.ndarray | None:
    import duckdb

    columns = {str(position): "DOUBLE" for position in range(len(names))}
    try:
        return _matrix(duckdb.read_csv(str(file), header=False, auto_detect=False, sep=",", columns=columns))
    except duckdb.Error:
        return None


def _parquet(file: Path) -> tuple[np.ndarray, list[str]]:
    import duckdb

    try:
        relation = duckdb.read_parquet(str(file))
        names = relation.columns
        for name, kind in zip(names, relation.types, strict=True):
            if not _is_numeric(kind):
                raise StepFailed(f"{file.name}, column {name}: {kind}, not numbers.")
        return _matrix(relation.project("COLUMNS(*)::DOUBLE")), names
    except duckdb.Error:
        raise StepFailed(f"{file.name}: truncated, or not Parquet.") from None


def _is_numeric(kind: Any) -> bool:
    return str(kind).split("(")[0].lstrip("U") in {
        "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
    }  # fmt: skip


def _matrix(relation: "duckdb.DuckDBPyRelation") -> np.ndarray:
    columns = relation.fetchnumpy().values()
    return np.column_stack([np.ma.filled(column, np.nan) for column in columns])
