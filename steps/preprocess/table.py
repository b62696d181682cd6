"""Labelled tables in, numbers and splits out: no path of the container, no AWS."""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from steps.common.failure import StepFailed
from steps.common.schema import Schema

SHARES = {"train": 70, "validation": 15, "test": 15}
"""Percent of the hash's range that each split takes."""


def read_labelled(file: Path, schema: Schema) -> pd.DataFrame:
    """Read one labelled CSV file without header, the label last.

    Returns:
        One row per line, float64; columns are the schema's features and its label; NaN where missing.

    Raises:
        StepFailed: naming file, row (counted from 1) and column of the first thing wrong.
    """
    names = [*schema.names, schema.label]
    rows = _rows(file, len(names))
    text = pd.DataFrame(rows, columns=names, dtype=str).apply(lambda column: column.str.strip())
    missing = text.isin(["", schema.missing])
    table = text.where(~missing).apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = ~missing & ~np.isfinite(table)
    for name in names:
        if wrong[name].any():
            raise StepFailed(f"{file.name}, row {_first(wrong[name])}, column {name}: not a number.")
    allowed = table[schema.label].isin(schema.label_values)
    if not allowed.all():
        labels = " or ".join(f"{value:g}" for value in schema.label_values)
        raise StepFailed(f"{file.name}, row {_first(~allowed)}, column {schema.label}: not {labels}.")
    return table


def _rows(file: Path, width: int) -> list[list[str]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if row]
    except UnicodeDecodeError as error:
        raise StepFailed(f"{file.name}: not UTF-8 text at byte {error.start}.") from None
    except csv.Error as error:
        raise StepFailed(f"{file.name}: not readable as CSV ({error}).") from None
    if not rows:
        raise StepFailed(f"{file.name}: the file is empty.")
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise StepFailed(f"{file.name}, row {number}: {len(row)} columns where {width} belong.")
    return rows


def _first(wrong: pd.Series) -> int:
    return int(np.flatnonzero(wrong.to_numpy())[0]) + 1


def blank_outside_domain(table: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the table with NaN in place of values outside their column's domain, and counts per column."""
    cleaned, counts = table.copy(), {}
    for column in schema.columns:
        values = table[column.name]
        inside = values.isin(column.values) if column.values else values.between(column.minimum, column.maximum)
        outside = values.notna() & ~inside
        cleaned.loc[outside, column.name] = np.nan
        counts[column.name] = int(outside.sum())
    return cleaned, counts


def assign_splits(table: pd.DataFrame, schema: Schema) -> pd.Series:
    """Return each row's split: "train", "validation" or "test".

    A row's split depends on its features alone, so equal rows stay together whatever their label, and new
    data never moves an old row. The hash is BLAKE2b over the features' shortest decimal form.
    """
    bounds = np.cumsum(list(SHARES.values()))
    rows = table[schema.names].itertuples(index=False)
    percents = [_percent(",".join("" if value != value else f"{value:g}" for value in row)) for row in rows]
    return pd.Series(np.array(list(SHARES))[np.searchsorted(bounds, percents, side="right")], index=table.index)


def _percent(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") % 100


def require_both_classes(table: pd.DataFrame, schema: Schema) -> None:
    """Raise StepFailed unless every value of the label occurs."""
    absent = sorted(set(schema.label_values) - set(table[schema.label]))
    if absent:
        raise StepFailed(f"column {schema.label}: no row has the label {absent[0]:g}; both classes are needed.")


def label_first_csv(table: pd.DataFrame, schema: Schema) -> str:
    """Return CSV text without header, the label in the first column, missing values empty."""
    return table[[schema.label, *schema.names]].to_csv(header=False, index=False, float_format="%g")


def features_csv(table: pd.DataFrame, schema: Schema) -> str:
    """Return CSV text with header, features only, missing values empty."""
    return table[schema.names].to_csv(index=False, float_format="%g")
