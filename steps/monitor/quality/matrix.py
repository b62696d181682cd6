"""Confusion matrices as counts per cell: draws of them, and whether their metrics have become worse.

- Accuracy: Fisher's exact test of the errors, with the mid-p value (`significance.more_than_baseline`).
- F-scores and the like: as many rows as each side has are drawn from both matrices together, as if they were one, and
  the p-value is the share of draws that are as far apart as what was found (the parametric bootstrap, Efron and
  Tibshirani 1993, An Introduction to the Bootstrap, 16.2).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from steps.common.quality.multiclass import Cells, Measure, draws, sizes
from steps.monitor import significance
from steps.monitor.quality.problems import MetricComparison, ThresholdTest

MIN_EFFECT = {"accuracy": 0.02, "f1": 0.03, "weighted_f1": 0.03}
"""The smallest effects that count."""

WORDS = {"f1": "F1", "weighted_f1": "weighted F1"}

Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def threshold_test(cells: Cells, measure: Measure) -> ThresholdTest:
    """Return how to compare a matrix's metrics with a threshold, by draws."""
    now, drawn = measure(cells.reshape(1, -1).astype(float)), draws(cells, measure)

    def of(name: str, allowed: float, side: int) -> tuple[float, float] | None:
        if name not in now:
            return None
        # The chance that a draw lies on the allowed side, if the matrix is as it was found.
        return float(now[name][0]), float((side * (drawn[name] - allowed) <= 0).mean())

    return of


def compare_accuracy(hits: int, rows: int, hits_before: int, rows_before: int) -> MetricComparison:
    """Return the comparison of the accuracy."""
    now, before = hits / rows, hits_before / rows_before
    p = significance.more_than_baseline(rows - hits, rows, rows_before - hits_before, rows_before)
    sentence = f"The accuracy is {now:.3f}; it was {before:.3f}."
    return MetricComparison("accuracy", now, before, before - now, MIN_EFFECT["accuracy"], p, sentence)


def compare_score(name: str, cells: Cells, cells_before: Cells, score: Score) -> MetricComparison:
    """Return the comparison of a metric of the matrix; both hold the same cells in the same order."""
    now, before = (float(score(batch.reshape(1, -1).astype(float))[0]) for batch in (cells, cells_before))
    p = 1.0 if now >= before else _chance(before - now, cells, cells_before, score)
    sentence = f"The {WORDS[name]} is {now:.3f}; it was {before:.3f}."
    return MetricComparison(name, now, before, before - now, MIN_EFFECT[name], p, sentence)


def _chance(observed: float, cells: Cells, cells_before: Cells, score: Score) -> float:
    pooled = (cells + cells_before) / (cells.sum() + cells_before.sum())
    rng = np.random.default_rng(significance.SEED)
    beyond = total = 0
    for size in sizes(len(cells)):
        sides = (rng.multinomial(int(batch.sum()), pooled, size) for batch in (cells, cells_before))
        one, two = (score(side.astype(float)) for side in sides)
        beyond += int((two - one >= observed).sum())
        total += size
    return (1 + beyond) / (1 + total)
