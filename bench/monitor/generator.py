"""Rows like the table's, as many as wanted: a Gaussian copula fitted to it.

The model: each row is a draw from a five-dimensional normal distribution; each of its coordinates becomes a value of
its column through the column's own distribution (so every single column is distributed as in the table, values
outside the schema's domain left out as `preprocess` leaves them out), and each cell goes missing on its own at the
column's rate. The normal distribution's correlations are those with which the drawn values' normal scores are
correlated as the table's are: few values hide part of a correlation, so each is larger than what shows (the idea of
the polychoric correlation, Olsson 1979, doi:10.1007/BF02296207). Resampling the table instead would compare 961 rows
with themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from data.make import read_table
from steps.common.schema import Schema

NAMES = tuple(Schema.read().names)
DRAWS = 100_000
Rows = NDArray[np.float64]
"""One row per row and one column per feature; NaN where missing."""


def table() -> Rows:
    """Return the published table's features, NaN where missing or outside the schema's domain."""
    schema = Schema.read()
    cells = [[cell if cell != schema.missing else "nan" for cell in row[:-1]] for row in read_table()]
    rows = np.array(cells, dtype=float)
    for place, column in enumerate(schema.columns):
        rows[~column.holds(rows[:, place]), place] = np.nan
    return rows


@dataclass(frozen=True)
class Generator:
    """A fitted copula: the values of each column, the normal scores between them, and the missing rates."""

    values: tuple[NDArray[np.float64], ...]
    bounds: tuple[NDArray[np.float64], ...]
    missing: NDArray[np.float64]
    mixing: NDArray[np.float64]

    @classmethod
    def fit(cls, rows: Rows) -> "Generator":
        """Fit the copula to rows."""
        normal = NormalDist()
        values, bounds, scores_of, scores = [], [], [], np.full_like(rows, np.nan)
        for place, column in enumerate(rows.T):
            present = ~np.isnan(column)
            known, counts = np.unique(column[present], return_counts=True)
            up_to = np.cumsum(counts) / counts.sum()
            middle = up_to - counts / counts.sum() / 2
            values.append(known)
            bounds.append(np.array([normal.inv_cdf(share) for share in up_to[:-1]]))
            scores_of.append(np.array([normal.inv_cdf(share) for share in middle]))
            scores[present, place] = scores_of[-1][np.searchsorted(known, column[present])]
        complete = ~np.isnan(scores).any(axis=1)
        shown = np.corrcoef(scores[complete].T)
        correlation = np.eye(len(values))
        for one, two in combinations(range(len(values)), 2):
            found = hidden(shown[one, two], (bounds[one], bounds[two]), (scores_of[one], scores_of[two]))
            correlation[one, two] = correlation[two, one] = found
        return cls(tuple(values), tuple(bounds), np.isnan(rows).mean(axis=0), np.linalg.cholesky(correlation))

    def draw(self, rng: np.random.Generator, count: int) -> Rows:
        """Return that many rows."""
        normal = rng.standard_normal((count, len(self.values))) @ self.mixing.T
        rows = np.column_stack(
            [
                values[np.searchsorted(bounds, normal[:, place])]
                for place, (values, bounds) in enumerate(zip(self.values, self.bounds, strict=True))
            ]
        )
        rows[rng.random(rows.shape) < self.missing] = np.nan
        return rows


def hidden(shown: float, bounds: Sequence[NDArray[np.float64]], scores: Sequence[NDArray[np.float64]]) -> float:
    """Return the correlation of two normal variables whose scores, cut at the bounds, have the correlation `shown`."""
    one, other = np.random.default_rng(0).standard_normal((2, DRAWS))
    first = scores[0][np.searchsorted(bounds[0], one)]
    low, high = -1.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        two = middle * one + np.sqrt(1 - middle**2) * other
        seen = np.corrcoef(first, scores[1][np.searchsorted(bounds[1], two)])[0, 1]
        low, high = (middle, high) if seen < shown else (low, middle)
    return (low + high) / 2
