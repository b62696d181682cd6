"""Training channels: label-first CSV or Parquet files in, a matrix out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from steps.common import paths, table
from steps.common.failure import StepFailed
from steps.common.schema import Schema

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

    def widened(self, width: int) -> "Channel":
        """Return the channel with a number of features, if it has no rows; else itself."""
        if len(self.labels):
            return self
        names = Schema.read().label_first(width + 1)[1:]
        return replace(self, features=np.empty((0, width), np.float32), names=names)


def read(
    folder: Path,
    content_type: str | None = None,
    weighted: bool = False,
    binary: bool = True,
    may_be_empty: bool = False,
) -> Channel:
    """Read all files of a channel in the order of their names.

    Args:
        folder: of the channel, whose name it bears.
        content_type: of the channel's configuration; without one, files named *.parquet are Parquet.
        weighted: whether the second column holds the rows' weights.
        binary: whether the label must be 0 or 1.
        may_be_empty: whether there may be no file: of several hosts, one may get none.

    Raises:
        StepFailed: naming the file, row and column at fault.
    """
    kind = _kind(content_type, folder.name)
    files = [file for file in paths.files_below(folder) if file.stat().st_size]
    if not files and may_be_empty:
        none = np.empty(0, np.float32)
        return Channel(np.empty((0, 0), np.float32), [], none, none if weighted else None)
    if not files:
        raise StepFailed(f"channel {folder.name}: no file with content.")
    names: list[str] = []
    tables = []
    for file in files:
        parquet = kind in PARQUET_TYPES if kind else file.suffix in (".parquet", ".pq")
        if parquet:
            rows, columns = _parquet(file)
        else:
            columns = names or Schema.read().label_first(table.width(file), weighted)
            rows = _csv(file, columns, binary)
        names = names or columns
        if len(columns) != len(names):
            raise StepFailed(f"{file.name}: {len(columns)} columns where {len(names)} belong.")
        _require_labels(file, columns[0], rows[:, 0], binary)
        tables.append(_narrowed(file, columns, rows))
    first = 1 + weighted
    if len(names) <= first:
        raise StepFailed(f"{files[0].name}: no feature beside the label{' and the weight' * weighted}.")
    whole = np.concatenate(tables)
    if not len(whole):
        raise StepFailed(f"channel {folder.name}: no row in its files.")
    return Channel(whole[:, first:], names[first:], whole[:, 0], whole[:, 1] if weighted else None)


def _kind(content_type: str | None, channel: str) -> str:
    if not content_type:
        return ""
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if kind not in CSV_TYPES + PARQUET_TYPES:
        raise StepFailed(f"channel {channel}: content type {kind}; {CSV_TYPES[0]} and {PARQUET_TYPES[0]} are known.")
    if any(part.startswith("label_size=") and part != "label_size=1" for part in parameters):
        raise StepFailed(f"channel {channel}: content type with another label_size than 1; there is one label.")
    return kind


def _require_labels(file: Path, name: str, labels: np.ndarray, binary: bool) -> None:
    wrong = ~np.isin(labels, BINARY) if binary else ~np.isfinite(labels)
    if wrong.any():
        what = "not 0 or 1" if binary else "the label is missing"
        raise StepFailed(f"{file.name}, row {int(wrong.argmax()) + 1}, column {name}: {what}.")


def _csv(file: Path, names: Sequence[str], binary: bool) -> np.ndarray:
    rows = _fast_csv(file, names) if file.stat().st_size >= LARGE else None
    if rows is None or (binary and not np.isin(rows[:, 0], BINARY).all()):
        # The slow reader is right in every case, and says what is wrong.
        numbers = table.read(file, names, allowed={names[0]: BINARY} if binary else {})
        rows = np.frombuffer(numbers).reshape(-1, len(names))
    return rows


def _fast_csv(file: Path, names: Sequence[str]) -> np.ndarray | None:
    """Return a file's numbers; None where anything in it is unusual."""
    import duckdb

    columns = {str(position): "DOUBLE" for position in range(len(names))}
    commas = 0
    with file.open("rb") as stream:
        while chunk := stream.read(LARGE):
            # DuckDB reads 1_0 as ten, and drops an empty cell behind the last column.
            if b"_" in chunk:
                return None
            commas += chunk.count(b",")
    try:
        relation = duckdb.read_csv(str(file), header=False, auto_detect=False, sep=",", columns=columns)
        cells = list(relation.fetchnumpy().values())
    except duckdb.Error:
        return None
    # An empty cell is NULL; NaN and infinities were spelled out.
    spelled = not all(np.isfinite(np.ma.compressed(column)).all() for column in cells)
    return None if spelled or commas != len(cells[0]) * (len(names) - 1) else _matrix(cells)


def _parquet(file: Path) -> tuple[np.ndarray, list[str]]:
    import duckdb

    try:
        relation = duckdb.read_parquet(str(file))
        names = relation.columns
        for name, kind in zip(names, relation.types, strict=True):
            if not _is_numeric(kind):
                raise StepFailed(f"{file.name}, column {name}: {kind}, not numbers.")
        return _matrix(relation.project("COLUMNS(*)::DOUBLE").fetchnumpy().values()), names
    except duckdb.Error:
        raise StepFailed(f"{file.name}: truncated, or not Parquet.") from None


def _is_numeric(kind: Any) -> bool:
    return str(kind).split("(")[0].lstrip("U") in {
        "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
    }  # fmt: skip


def _matrix(columns: Iterable[np.ndarray]) -> np.ndarray:
    return np.column_stack([np.ma.filled(column, np.nan) for column in columns])


def _narrowed(file: Path, names: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """Return the rows as float32, which is what XGBoost learns from."""
    with np.errstate(over="ignore"):
        rows = rows.astype(np.float32)
    if np.isinf(rows).any():
        row, column = np.argwhere(np.isinf(rows))[0].tolist()
        raise StepFailed(f"{file.name}, row {row + 1}, column {names[column]}: infinite, or too large a number.")
    return rows
