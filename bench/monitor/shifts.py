"""What goes wrong with batches: each function returns a changed copy of rows, drawn with the given generator."""

from collections.abc import Callable

import numpy as np

from bench.monitor.generator import NAMES, Rows

Shift = Callable[[np.random.Generator, Rows], Rows]
BI_RADS, AGE, SHAPE, MARGIN, DENSITY = range(len(NAMES))


def older(rng: np.random.Generator, rows: Rows) -> Rows:
    """Every patient is 15 years older."""
    rows = rows.copy()
    rows[:, AGE] += 15
    return rows


def missing(column: int) -> Shift:
    """30 % of a column's cells are missing on top of those that are anyway."""

    def shift(rng: np.random.Generator, rows: Rows) -> Rows:
        rows = rows.copy()
        rows[rng.random(len(rows)) < 0.3, column] = np.nan
        return rows

    return shift


def typed_twice(column: int) -> Shift:
    """One cell holds its digit twice: 5 becomes 55."""

    def shift(rng: np.random.Generator, rows: Rows) -> Rows:
        rows = rows.copy()
        row = rng.choice(np.flatnonzero(~np.isnan(rows[:, column])))
        rows[row, column] *= 11
        return rows

    return shift


def permuted_margin(rng: np.random.Generator, rows: Rows) -> Rows:
    """The categories of margin are coded in another order, drawn anew for each batch."""
    rows = rows.copy()
    order = rng.permutation(5)
    while (order == np.arange(5)).sum() > 1:
        order = rng.permutation(5)
    present = ~np.isnan(rows[:, MARGIN])
    rows[present, MARGIN] = order[rows[present, MARGIN].astype(int) - 1] + 1.0
    return rows


def careless_clinic(rng: np.random.Generator, rows: Rows) -> Rows:
    """What `data.make` does to its shifted batch: ages, margins and typing errors at once."""
    rows = older(rng, rows)
    rows[:, MARGIN] = 6 - rows[:, MARGIN]
    for row in range(0, len(rows), 8):
        column = rng.choice((BI_RADS, SHAPE))
        rows[row, column] = 55.0 if np.isnan(rows[row, column]) else rows[row, column] * 11
    return rows


def independent(rng: np.random.Generator, rows: Rows) -> Rows:
    """Every column keeps its distribution, but the columns no longer belong together."""
    return np.column_stack([rng.permutation(column) for column in rows.T])


def slightly_older(rng: np.random.Generator, rows: Rows) -> Rows:
    """One patient in twenty is a year older: a difference too small to matter."""
    rows = rows.copy()
    rows[rng.random(len(rows)) < 0.05, AGE] += 1
    return rows


DETECTED: dict[str, Shift] = {
    "age +15 years": older,
    **{f"30 % of {name} missing": missing(place) for place, name in enumerate(NAMES)},
    "one bi_rads typed twice": typed_twice(BI_RADS),
    "one shape typed twice": typed_twice(SHAPE),
    "one margin typed twice": typed_twice(MARGIN),
    "one density typed twice": typed_twice(DENSITY),
    "margin's categories permuted": permuted_margin,
    "the batch of data.make": careless_clinic,
}
"""Shifts that must be seen in 48 rows."""

REPORTED: dict[str, Shift] = {
    "columns independent": independent,
    "1 in 20 a year older": slightly_older,
}
"""Shifts whose detection is shown without a demand."""
