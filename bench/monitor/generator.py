"""Rows like the table's, as many as wanted: a Gaussian copula fitted to it.

The model: each row is a draw from a five-dimensional normal distribution, whose correlations are those of the
table's normal scores; each of its coordinates becomes a value of its column through the column's own
distribution (so every single column is distributed as in the table, values outside the schema's domain left out
as `preprocess` leaves them out), and each cell goes missing on its own at the column's rate. Resampling the
table instead would compare 961 rows with themselves.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from data.make import read_table
from steps.common.schema import Schema

NAMES = tuple(Schema.read().names)
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
        values, bounds, scores = [], [], np.full_like(rows, np.nan)
        for place, column in enumerate(rows.T):
            present = ~np.isnan(column)
            known, counts = np.unique(column[present], return_counts=True)
            up_to = np.cumsum(counts) / counts.sum()
            middle = up_to - counts / counts.sum() / 2
            values.append(known)
            bounds.append(np.array([normal.inv_cdf(share) for share in up_to[:-1]]))
            score_of = np.array([normal.inv_cdf(share) for share in middle])
            scores[present, place] = score_of[np.searchsorted(known, column[present])]
        complete = ~np.isnan(scores).any(axis=1)
        correlation = np.corrcoef(scores[complete].T)
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
