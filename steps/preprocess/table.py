"""Labelled rows in, cleaned rows and splits out: no path of the container, no AWS."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from steps.common import table
from steps.common.failure import StepFailed
from steps.common.schema import Schema

SHARES = {"train": 70, "validation": 15, "test": 15}
"""Percent of the hash's range that each split takes."""


def read_labelled(file: Path, schema: Schema) -> np.ndarray:
    """Read one labelled CSV file without header, the label last.

    Returns:
        float64 of shape (rows, features + 1), the label last, NaN where missing.

    Raises:
        StepFailed: naming file, row (counted from 1) and column of the first thing wrong.
    """
    names = [*schema.names, schema.label]
    numbers = table.read(file, names, schema.missing, {schema.label: schema.label_values})
    return np.frombuffer(numbers).reshape(-1, len(names))


def blank_outside_domain(rows: np.ndarray, schema: Schema) -> tuple[np.ndarray, dict[str, int]]:
    """Return a copy with NaN in place of values outside their column's domain, and how many by column."""
    rows, counts = rows.copy(), {}
    for number, column in enumerate(schema.columns):
        outside = ~column.holds(rows[:, number])
        rows[outside, number] = np.nan
        counts[column.name] = int(outside.sum())
    return rows, counts


def assign_splits(features: np.ndarray) -> np.ndarray:
    """Return the name of each row's split, as strings of shape (rows,).

    A row's split depends on its features alone, so equal rows stay together whatever their label, and new
    data never moves an old row. The hash is BLAKE2b over the features' shortest decimal forms.
    """
    bounds = np.cumsum(list(SHARES.values()))
    percents = [_percent(line) for line in _lines(features)]
    return np.array(list(SHARES))[np.searchsorted(bounds, percents, side="right")]


def _percent(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") % 100


def require_enough(rows: np.ndarray, splits: np.ndarray, schema: Schema) -> None:
    """Check that a model can be trained and measured.

    Raises:
        StepFailed: a value of the label doesn't occur, or a split got no row.
    """
    for value in schema.label_values:
        if value not in rows[:, -1]:
            raise StepFailed(
                f"input data, column {schema.label}: no row has the label {value:g}; both classes are needed."
            )
    for name in SHARES:
        if name not in splits:
            raise StepFailed(f"input data: {len(rows)} rows are too few, none falls to the split {name}.")


def label_first_csv(rows: np.ndarray) -> str:
    """Return CSV text without header, the label in the first column, missing values empty."""
    return _text(_lines(np.roll(rows, 1, axis=1)))


def features_csv(features: np.ndarray, names: Sequence[str]) -> str:
    """Return CSV text with a header line, missing values empty."""
    return _text([",".join(names), *_lines(features)])


def _lines(rows: np.ndarray) -> list[str]:
    """Return each row's numbers in their shortest decimal form, with commas between them."""
    columns = []
    for column in rows.T:
        values, places = np.unique(column, return_inverse=True)
        columns.append(np.array([_shortest(value) for value in values.tolist()], object)[places])
    return [",".join(cells) for cells in zip(*columns, strict=True)]


def _shortest(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
