"""SageMaker Model Monitor's default rules for the example's columns, from what is published of them.

Its analyzer is built on Deequ, whose distance between two numeric columns is the largest difference of their cumulative
shares; "Robust" takes 1.8 * sqrt((n + m) / (n * m)) off it, "Simple" doesn't (com.amazon.deequ.analyzers.Distance).
A batch violates the drift check beyond 0.1, and the completeness check as soon as it misses a larger share of a column
than the baseline. Its own container was not run: it needs AWS.
"""

import math

import numpy as np

from bench.monitor.generator import Rows

THRESHOLD = 0.1
ROBUST = 1.8

RULES = (
    "SageMaker, Simple",
    "SageMaker, Simple, drift alone",
    "SageMaker, Robust (its default)",
    "SageMaker, Robust, drift alone",
)


def verdicts(batch: Rows, baseline: Rows) -> dict[str, bool]:
    """Return whether a batch violates anything, by each rule."""
    simple = robust = 0.0
    incomplete = False
    for column, before in zip(batch.T, baseline.T, strict=True):
        incomplete |= bool(np.isnan(column).mean() > np.isnan(before).mean())
        column, before = column[~np.isnan(column)], before[~np.isnan(before)]
        if not len(column) or not len(before):
            continue
        distance = largest_gap(column, before)
        simple = max(simple, distance)
        correction = ROBUST * math.sqrt((len(column) + len(before)) / (len(column) * len(before)))
        robust = max(robust, distance - correction)
    return {
        RULES[0]: simple > THRESHOLD or incomplete,
        RULES[1]: simple > THRESHOLD,
        RULES[2]: robust > THRESHOLD or incomplete,
        RULES[3]: robust > THRESHOLD,
    }


def largest_gap(one: np.ndarray, two: np.ndarray) -> float:
    """Return the largest difference of two samples' cumulative shares."""
    points = np.union1d(one, two)
    shares = [np.searchsorted(np.sort(part), points, side="right") / len(part) for part in (one, two)]
    return float(np.abs(shares[0] - shares[1]).max())
