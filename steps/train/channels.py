"""Training channels: label-first CSV or Parquet files in, a matrix out."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from steps.common import paths
from steps.common.failure import StepFailed


@dataclass(frozen=True)
class Channel:
    """Features (rows × columns, float32, NaN where missing), labels (rows) and, if given, weights (rows)."""

    features: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None = None


def read(folder: Path, name: str, weighted: bool = False) -> Channel:
    """Read all files of a channel's folder in the order of their names.

    Raises:
        StepFailed: naming the file, row and column at fault.
    """
    files = [file for file in paths.files_below(folder) if file.stat().st_size] if folder.is_dir() else []
    if not files:
        raise StepFailed(f"channel {name}: no file with content below {folder.name}/.")
    parquet = [file for file in files if file.suffix in (".parquet", ".pq")]
    columns = _parquet(parquet) if parquet else _csv(files)
    if len(columns) < 2 + weighted:
        raise StepFailed(f"channel {name}: no feature beside the label.")
    labels, rest = columns[0], columns[1 + weighted :]
    if np.isnan(labels).any():
        raise StepFailed(f"channel {name}, row {int(np.isnan(labels).argmax()) + 1}: the label is missing.")
    features = np.column_stack(rest).astype(np.float32, copy=False)
    return Channel(features, labels.astype(np.float32), columns[1].astype(np.float32) if weighted else None)


def require_both_classes(channel: Channel, objective: str) -> None:
    """Raise StepFailed where a binary objective meets labels that aren't both 0 and 1."""
    if not objective.startswith("binary:"):
        return
    if not np.isin(channel.labels, (0, 1)).all():
        row = int((~np.isin(channel.labels, (0, 1))).argmax()) + 1
        raise StepFailed(f"channel train, row {row}, column 1: the label is neither 0 nor 1.")
    if len(np.unique(channel.labels)) < 2:
        raise StepFailed("channel train, column 1: only one class occurs; both are needed.")


def _parquet(files: list[Path]) -> list[np.ndarray]:
    try:
        return _columns(duckdb.read_parquet([str(file) for file in files]))
    except duckdb.Error:
        for file in files:
            try:
                duckdb.read_parquet(str(file)).fetchone()
            except duckdb.Error:
                raise StepFailed(f"{file.name}: not readable as Parquet.") from None
        raise StepFailed(f"{files[0].name}: its columns aren't numbers, or differ between files.") from None


def _csv(files: list[Path]) -> list[np.ndarray]:
    with files[0].open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        width = len(next(csv.reader(stream), []))
    try:
        relation = duckdb.read_csv(
            [str(file) for file in files],
            header=False,
            columns={f"column_{number}": "DOUBLE" for number in range(1, width + 1)},
            auto_detect=False,
            sep=",",
            na_values="",
        )
        return _columns(relation)
    except duckdb.Error:
        for file in files:
            _diagnose(file, width)
        raise StepFailed(f"{files[0].name}: not readable as CSV of {width} numbers a row.") from None


def _columns(relation: duckdb.DuckDBPyRelation) -> list[np.ndarray]:
    return [
        np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)
        for column in relation.fetchnumpy().values()
    ]


def _diagnose(file: Path, width: int) -> None:
    """Find the row and column at fault; only after the fast reader has refused."""
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        for number, row in enumerate(csv.reader(stream), 1):
            if row and len(row) != width:
                raise StepFailed(f"{file.name}, row {number}: {len(row)} columns where {width} belong.")
            for position, cell in enumerate(row, 1):
                if not _is_number(cell):
                    raise StepFailed(f"{file.name}, row {number}, column {position}: not a number.")


def _is_number(cell: str) -> bool:
    try:
        return not cell.strip() or math.isfinite(float(cell))
    except ValueError:
        return False
