"""Can a classifier tell the batch's rows from the baseline's? What no column shows alone, their combination may.

The classifier is a kernel least-squares classifier over codes: two rows are as alike as the square of the
number of columns in which they agree, so it learns from single columns and from pairs. Each row is scored by
the classifier that was fitted without it; for least squares all of these leave-one-out scores are one linear
map of the labels (Rifkin and Lippert 2007, hdl.handle.net/1721.1/37318). So the test is honest at the price of
one matrix product: the labels are permuted, every permutation is scored just as the batch was, and the p-value
is how often chance tells the tables apart as well (a classifier two-sample test, Lopez-Paz and Oquab 2017,
arXiv:1610.06545). The effect is the AUC of the leave-one-out scores above one half.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from steps.common.quality import ranking
from steps.monitor import significance
from steps.monitor.data import sample
from steps.monitor.data.histograms import Column, Numbers, Table, Texts
from steps.monitor.drift.checks import DRIFT, WHOLE_TABLE, Check
from steps.monitor.drift.constraints import is_discrete

MAX_ROWS = sample.ROWS
"""Rows of either table that the classifier sees."""

MIN_ROWS = 8
MAX_DRAWS = 4_000

QUANTILES = 8
RIDGE = 0.5
"""Share of the kernel's mean diagonal that is added to it."""

Codes = NDArray[np.int16]
MISSING, UNKNOWN = -1, -2


def codes(rows: Sequence[Sequence[str | None]], names: Sequence[str], baseline: Table) -> Codes:
    """Return the code of every cell: the place of its value, or of its quantile, in the baseline's column.

    Args:
        rows: cells as text, None where missing, in the order of `names`.
        names: of the columns; those the baseline doesn't know are left out.
        baseline: gives the codes; equal for both tables.

    Returns:
        One row per row and one column per column of the baseline, int16; -1 missing, -2 unknown.
    """
    result = np.full((len(rows), len(baseline.columns)), MISSING, dtype=np.int16)
    for position, (name, column) in enumerate(baseline.columns.items()):
        if name in names:
            cells = [row[names.index(name)] for row in rows]
            result[:, position] = _column_codes(cells, column)
    return result


def _column_codes(cells: Sequence[str | None], column: Column) -> NDArray[np.int16]:
    if isinstance(column, Texts):
        positions: Mapping[str, int] = {}
        if not column.hashed and is_discrete(column):
            positions = {value: position for position, value in enumerate(column.counts)}
        return np.array([MISSING if c is None else positions.get(c, UNKNOWN) for c in cells], dtype=np.int16)
    numbers = np.array([_number(cell) for cell in cells], dtype=float)
    absent = np.array([cell is None for cell in cells], dtype=bool)
    found = np.where(np.isfinite(numbers), _positions(numbers, column), UNKNOWN)
    return np.where(absent, MISSING, found).astype(np.int16)


def _number(cell: str | None) -> float:
    try:
        return float(cell) if cell and "_" not in cell else math.nan
    except ValueError:
        return math.nan


def _positions(numbers: NDArray[np.float64], column: Numbers) -> NDArray[np.int64]:
    if not column.present:
        return np.full(len(numbers), UNKNOWN)
    if is_discrete(column):
        positions = np.minimum(np.searchsorted(column.keys, numbers), len(column.keys) - 1)
        return np.where(column.keys[positions] == numbers, positions, UNKNOWN)
    shares = np.cumsum(column.counts) / column.present
    edges = column.keys[np.searchsorted(shares, np.arange(1, QUANTILES) / QUANTILES)]
    return np.searchsorted(edges, numbers)


def check(batch: Codes, baseline: Codes, threshold: float) -> Check | None:
    """Return the check, or None where there is too little to learn from.

    Args:
        batch: codes of rows of the batch.
        baseline: codes of rows of the baseline.
        threshold: the smallest AUC above one half that matters.
    """
    rng = np.random.default_rng(significance.SEED)
    batch, baseline = _at_most(batch, rng), _at_most(baseline, rng)
    rows = np.concatenate([batch, baseline])
    if min(len(batch), len(baseline)) < MIN_ROWS or batch.shape[1] < 2 or (rows == rows[0]).all():
        return None
    labels = np.concatenate([np.ones(len(batch)), np.zeros(len(baseline))]).astype(np.float32)
    labels -= labels.mean()
    scores = leave_one_out(rows)

    def draw(size: int) -> NDArray[np.float64]:
        permuted = rng.permuted(np.tile(labels, (size, 1)), axis=1)
        return np.einsum("ij,ij->i", scores(permuted), permuted, dtype=np.float64)

    seen = scores(labels)
    p = significance.permutation(float(np.dot(labels, seen)), draw, most=MAX_DRAWS)
    area = ranking.auc(seen[: len(batch)], seen[len(batch) :])
    sentence = f"A classifier tells the batch's rows from the baseline's with an AUC of {area:.2f} (chance: 0.50)."
    return Check(WHOLE_TABLE, DRIFT, sentence, p, area - 0.5, threshold, weight=1.0)


def _at_most(rows: Codes, rng: np.random.Generator) -> Codes:
    if len(rows) <= MAX_ROWS:
        return rows
    return rows[rng.choice(len(rows), MAX_ROWS, replace=False)]


def leave_one_out(rows: Codes) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return what gives each row the score of the classifier that was fitted without it.

    With the inverse G of the rows' centred kernel and its ridge, that is y[i] - (G y)[i] / G[i, i]. G is made of
    whichever is smaller: the rows' kernel, or the features that it stands for (Woodbury's identity).

    Returns:
        A function of centred labels, one row of them or many, to as many scores.
    """
    features = _features(rows, most=len(rows))
    if features is None:
        inverse = _inverse(rows)
        own = np.diag(inverse).copy()
        return lambda labels: labels - labels @ inverse / own
    features -= features.mean(axis=0)
    ridge = RIDGE * float(np.einsum("ij,ij->", features, features)) / len(rows)
    gram = features.T @ features
    gram[np.diag_indices_from(gram)] += ridge
    # The ridge keeps the inverse well conditioned, and a product with it takes a third of the time of a solution.
    map_back = np.linalg.inv(gram) @ features.T
    own = 1 - np.einsum("ij,ji->i", features, map_back)
    return lambda labels: labels - (labels - (labels @ features) @ map_back) / own


def _features(rows: Codes, most: int) -> NDArray[np.float32] | None:
    """Return the kernel's features: (1 + s)² of s agreements is 1 + 3 s + 2 agreements of pairs of columns.

    Returns:
        An array of shape (rows, features), the constant left out, or None where there are more features than `most`.
    """
    singles = [np.unique(column, return_inverse=True)[1] for column in rows.T]
    coded = list(singles)
    widths = [int(codes.max()) + 1 for codes in singles]
    for one, two in combinations(range(len(singles)), 2):
        coded.append(np.unique(singles[one] * widths[two] + singles[two], return_inverse=True)[1])
        widths.append(int(coded[-1].max()) + 1)
        if sum(widths) > most:
            return None
    found = np.zeros((len(rows), sum(widths)), dtype=np.float32)
    first = 0
    for position, (codes, width) in enumerate(zip(coded, widths, strict=True)):
        found[np.arange(len(rows)), first + codes] = math.sqrt(3 if position < len(singles) else 2)
        first += width
    return found


def _inverse(rows: Codes) -> NDArray[np.float32]:
    """Return the inverse of the rows' centred kernel with its ridge."""
    agreements = np.ones((len(rows), len(rows)), dtype=np.float32)
    for column in rows.T:
        agreements += column[:, None] == column[None, :]
    kernel = agreements * agreements
    kernel -= kernel.mean(axis=0)
    kernel -= kernel.mean(axis=1, keepdims=True)
    np.fill_diagonal(kernel, np.diag(kernel) + RIDGE * np.trace(kernel) / len(rows))
    return np.linalg.inv(kernel)
