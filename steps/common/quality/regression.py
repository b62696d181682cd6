"""Regression: numbers against predicted numbers.

R² is undefined (NaN) where all labels are equal. Standard deviations are those of means of rows; that of R² comes from
draws of the rows (the bootstrap, Efron 1979, doi:10.1214/aos/1176344552).
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steps.common.quality.intervals import Interval, of_mean
from steps.common.quality.members import Bin, member

NAME, KEY = "Regression", "regression"

BINS, MIN_PER_BIN = 10, 5
SEED = 20_071_101
BLOCKS, DRAWS = 250, 1_000
"""Blocks of rows that are drawn, and how often: more than 250 rows are drawn in blocks, which has the same spread."""

RESIDUALS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
"""Edges of the residuals' bins, in RMSEs."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Labels and predictions, both of shape (rows,)."""

    labels: Numbers
    predictions: Numbers

    @cached_property
    def errors(self) -> Numbers:
        """Labels minus predictions."""
        return self.labels - self.predictions

    @cached_property
    def mae(self) -> float:
        """Mean absolute error."""
        return float(np.abs(self.errors).mean())

    @cached_property
    def mse(self) -> float:
        """Mean squared error."""
        return float((self.errors**2).mean())

    @property
    def rmse(self) -> float:
        """Root of the mean squared error."""
        return math.sqrt(self.mse)

    @cached_property
    def bias(self) -> float:
        """Mean of label minus prediction."""
        return float(self.errors.mean())

    @cached_property
    def r2(self) -> float:
        """R², NaN where all labels are equal."""
        around = float(((self.labels - self.labels.mean()) ** 2).sum())
        # What is left of equal labels by rounding their mean is no spread.
        if around <= len(self.labels) * (1e-12 * float(np.abs(self.labels).max())) ** 2:
            return math.nan
        return 1 - float((self.errors**2).sum()) / around

    @cached_property
    def ratio_deviation(self) -> float:
        """Standard deviation of log(1 - R²), by draws."""
        rng = np.random.default_rng(SEED)
        blocks = min(BLOCKS, len(self.labels))
        centred = self.labels - self.labels.mean()
        parts = np.stack([self.errors**2, centred, centred**2, np.ones_like(centred)])
        # Which rows make a block is a matter of chance, so that no order of the rows matters.
        numbers = rng.permutation(parts.shape[1]) % blocks
        sums = np.stack([np.bincount(numbers, part, blocks) for part in parts])
        squares, firsts, seconds, count = sums[:, rng.integers(0, blocks, (DRAWS, blocks))].sum(axis=2)
        around = seconds - firsts**2 / count
        return float(log_ratio(squares[around > 0] / around[around > 0]).std(ddof=1))

    def residuals(self, unit: float) -> list[int]:
        """Return the rows per bin of RESIDUALS, the outer ones included, in units."""
        bins = np.searchsorted(RESIDUALS, self.errors / unit if unit > 0 else self.errors, side="right")
        return np.bincount(bins, minlength=len(RESIDUALS) + 1).tolist()

    @cached_property
    def calibration(self) -> list[Bin]:
        """Bins of about as many rows each, by their predictions; equal predictions stay together."""
        order = np.argsort(self.predictions, kind="stable")
        predictions, labels = self.predictions[order], self.labels[order]
        bins = max(1, min(BINS, len(order) // MIN_PER_BIN))
        edges = predictions[np.arange(1, bins) * len(order) // bins]
        starts = np.unique([0, *np.searchsorted(predictions, edges), len(order)])
        found: list[Bin] = []
        for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            if end - start >= MIN_PER_BIN:
                found.append(Bin(float(predictions[start:end].mean()), float(labels[start:end].mean()), end - start))
        return found


def log_ratio(ratio: Any) -> Any:
    """Return the logarithm of 1 - R²; a perfect model's is finite."""
    return np.log(np.maximum(ratio, 1e-12))


def members(rows: Rows) -> dict[str, Any]:
    """Return `regression_metrics`; bias, calibration and residuals are added to SageMaker's members."""
    root = math.sqrt(len(rows.labels))
    squares = float((rows.errors**2).std(ddof=1)) / root
    r2 = rows.r2
    return {
        "mae": member(rows.mae, float(np.abs(rows.errors).std(ddof=1)) / root),
        "mse": member(rows.mse, squares),
        "rmse": member(rows.rmse, squares / (2 * rows.rmse) if rows.rmse > 0 else 0.0),
        "r2": member(r2, math.nan if math.isnan(r2) else (1 - r2) * rows.ratio_deviation),
        "bias": member(rows.bias, float(rows.errors.std(ddof=1)) / root),
        "calibration": [
            {"predicted": mean, "observed": {"value": label}, "rows": count} for mean, label, count in rows.calibration
        ],
        "residuals": {"edges": list(RESIDUALS), "rows": rows.residuals(rows.rmse)},
    }


def difference(labels: Numbers, challenger: Numbers, champion: Numbers) -> Interval:
    """Return how much smaller challenger's mean squared error is than champion's, with the paired rows' interval."""
    return of_mean((labels - champion) ** 2 - (labels - challenger) ** 2)
