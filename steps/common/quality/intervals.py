"""Metrics with their 95 % intervals."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

REACH = NormalDist().inv_cdf(0.975)
"""Standard deviations on each side of a 95 % interval."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    lower: float
    upper: float


def around(value: float, deviation: float, low: float = -math.inf, high: float = math.inf) -> Interval:
    """Return the normal interval of a value, cut to what it can be."""
    reach = REACH * deviation
    return Interval(value, max(value - reach, low), min(value + reach, high))


def wilson(hits: int, rows: int) -> Interval:
    """Return a share with its interval (Wilson, Journal of the American Statistical Association 22, 1927)."""
    share = hits / rows
    middle = (share + REACH**2 / (2 * rows)) / (1 + REACH**2 / rows)
    reach = REACH * math.sqrt(share * (1 - share) / rows + REACH**2 / (4 * rows**2)) / (1 + REACH**2 / rows)
    return Interval(share, max(middle - reach, 0.0), min(middle + reach, 1.0))


def of_mean(values: NDArray[np.float64]) -> Interval:
    """Return the mean of values (shape (rows,), two rows or more) with its normal interval."""
    return around(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)))
