"""Labelled tables in, cleaned tables and splits out: no path of the container, no AWS."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from steps.common import table
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
    numbers = table.read(file, names, schema.missing, {schema.label: schema.label_values})
    return pd.DataFrame(np.frombuffer(numbers).reshape(-1, len(names)), columns=names)


def blank_outside_domain(rows: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows with NaN in place of values outside their column's domain, and counts per column."""
    inside = pd.DataFrame({column.name: column.holds(rows[column.name]) for column in schema.columns})
    return rows.where(inside.reindex(columns=rows.columns, fill_value=True)), (~inside).sum().to_dict()


def assign_splits(rows: pd.DataFrame, schema: Schema) -> pd.Series:
    """Return each row's split: "train", "validation" or "test".

    A row's split depends on its features alone, so equal rows stay together whatever their label, and new
    data never moves an old row. The hash is BLAKE2b over the features' shortest decimal form.
    """
    rows_of_numbers = rows[schema.names].to_numpy().tolist()
    percents = [_percent(",".join(_shortest(value) for value in row)) for row in rows_of_numbers]
    bounds = np.cumsum(list(SHARES.values()))
    return pd.Series(np.array(list(SHARES))[np.searchsorted(bounds, percents, side="right")], index=rows.index)


def _percent(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") % 100


def _shortest(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)


def require_enough(rows: pd.DataFrame, splits: pd.Series, schema: Schema) -> None:
    """Check that a model can be trained and measured.

    Raises:
        StepFailed: a value of the label doesn't occur, or a split got no row.
    """
    for value in schema.label_values:
        if value not in rows[schema.label].to_numpy():
            raise StepFailed(
                f"input data, column {schema.label}: no row has the label {value:g}; both classes are needed."
            )
    for name in SHARES:
        if not (splits == name).any():
            raise StepFailed(f"input data: {len(rows)} rows are too few, none falls to the split {name}.")


def label_first_csv(rows: pd.DataFrame, schema: Schema) -> str:
    """Return CSV text without header, the label in the first column, missing values empty."""
    return _csv(rows[[schema.label, *schema.names]], header=False)


def features_csv(rows: pd.DataFrame, schema: Schema) -> str:
    """Return CSV text with header, features only, missing values empty."""
    return _csv(rows[schema.names], header=True)


def _csv(rows: pd.DataFrame, header: bool) -> str:
    return rows.to_csv(header=header, index=False, float_format=_shortest, lineterminator="\n")
