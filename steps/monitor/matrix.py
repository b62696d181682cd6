"""Confusion matrices as counts per cell: draws of them, and whether their figures have become worse.

- Accuracy: Fisher's exact test of the errors, with the mid-p value (`significance.more_than_baseline`).
- F-scores and the like: as many rows as each side has are drawn from both matrices together, as if they were one, and
  the p-value is the share of draws that are as far apart as what was found (the parametric bootstrap, Efron and
  Tibshirani 1993, An Introduction to the Bootstrap, 16.2).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from steps.monitor import quality, significance
from steps.monitor.quality import Drop

SMALLEST = {"accuracy": 0.02, "f1": 0.03, "weighted_f1": 0.03}
"""The smallest differences that matter."""

MOST_DRAWN = 2_000_000
"""Cells that are drawn at once."""

FEW_DRAWS, MANY_CELLS = 1_000, 5_000
"""Of matrices of more cells than these, fewer are drawn: they take seconds."""

Cells = NDArray[np.int64]
Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def draws(cells: Cells, size: int = quality.DRAWS) -> NDArray[np.float64]:
    """Return matrices drawn as the counts say, of shape (size, cells)."""
    rng = np.random.default_rng(significance.SEED)
    return rng.multinomial(int(cells.sum()), cells / cells.sum(), size).astype(float)


def accuracy_drop(hits: int, rows: int, hits_before: int, rows_before: int) -> Drop:
    """Return what has become of the accuracy."""
    now, before = hits / rows, hits_before / rows_before
    p = significance.more_than_baseline(rows - hits, rows, rows_before - hits_before, rows_before)
    sentence = f"The accuracy is {now:.3f}; it was {before:.3f}."
    return Drop("accuracy", now, before, before - now, SMALLEST["accuracy"], p, sentence)


def score_drop(name: str, cells: Cells, cells_before: Cells, score: Score) -> Drop:
    """Return what has become of a figure of the matrix; both hold the same cells in the same order."""
    now, before = (float(score(part.reshape(1, -1).astype(float))[0]) for part in (cells, cells_before))
    p = 1.0 if now >= before else _chance(before - now, cells, cells_before, score)
    sentence = f"The figure {name} is {now:.3f}; it was {before:.3f}."
    return Drop(name, now, before, before - now, SMALLEST[name], p, sentence)


def _chance(seen: float, cells: Cells, cells_before: Cells, score: Score) -> float:
    pooled = (cells + cells_before) / (cells.sum() + cells_before.sum())
    rng = np.random.default_rng(significance.SEED)
    total = quality.DRAWS if len(cells) <= MANY_CELLS else FEW_DRAWS
    step = max(1, MOST_DRAWN // len(cells))
    beyond = 0
    for start in range(0, total, step):
        size = min(step, total - start)
        one, two = (
            score(rng.multinomial(int(part.sum()), pooled, size).astype(float)) for part in (cells, cells_before)
        )
        beyond += int((two - one >= seen).sum())
    return (1 + beyond) / (1 + total)
