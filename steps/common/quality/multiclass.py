"""Multiclass classification: labels of any names against predicted labels.

Weighted metrics are the sum over classes of the class's metric times its share of labels, as in Spark's
MulticlassMetrics, from which SageMaker's documented example follows to the last digit. Its constant classifier predicts
the last class in order (there and in the binary example that is 1), and so does this one.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steps.common.quality.intervals import Interval, of_mean
from steps.common.quality.members import CONSTANT, member

NAME, KEY = "MulticlassClassification", "multiclass_classification"

BETAS = {"weighted_f0_5": 0.5, "weighted_f1": 1.0, "weighted_f2": 2.0}

SEED = 20_071_101
DRAWS = 4_000
MAX_DRAWN = 2_000_000
"""Cells that are drawn at once."""

MAX_CELLS, MIN_DRAWS = 10_000, 400
"""Of matrices of more cells than these, fewer are drawn, as they take seconds; with these, Holm still has its room."""

Cells = NDArray[np.int64]
Measure = Callable[[NDArray[np.float64]], dict[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: the classes in order, and the counts of shape (classes, classes), labels by predictions."""

    classes: list[str]
    counts: NDArray[np.int64]

    def over(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the counts over classes of which these are a part."""
        positions = [classes.index(name) for name in self.classes]
        counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
        counts[np.ix_(positions, positions)] = self.counts
        return counts


class Layout:
    """Cells of a matrix that hold something, so that draws of large matrices need no empty cell."""

    def __init__(self, counts: NDArray[np.int64]) -> None:
        """Take the matrix whose cells are drawn."""
        self.classes = len(counts)
        self.labels, self.predictions = np.nonzero(counts)

    def cells(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the counts of these cells."""
        return counts[self.labels, self.predictions]

    def metrics(self, cells: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Return the weighted metrics of matrices, of shape (matrices, cells)."""
        same = np.flatnonzero(self.labels == self.predictions)
        hits = self._sums(cells[:, same], self.labels[same])
        return weighted(hits, self._sums(cells, self.labels), self._sums(cells, self.predictions))

    def _sums(self, cells: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the cells' sums per class."""
        sums = np.zeros((len(cells), self.classes))
        order = np.argsort(classes, kind="stable")
        found, starts = np.unique(classes[order], return_index=True)
        if len(found):
            sums[:, found] = np.add.reduceat(cells[:, order], starts, axis=1)
        return sums


def weighted(
    hits: NDArray[np.float64], labels: NDArray[np.float64], predictions: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return accuracy and the weighted metrics from counts per class, all of shape (matrices, classes)."""

    def share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)

    precision, recall = share(hits, predictions), share(hits, labels)
    total = labels.sum(axis=1)
    weights = labels / total[:, None]
    accuracy = hits.sum(axis=1) / total
    found = {
        "accuracy": accuracy,
        "weighted_recall": accuracy,
        "weighted_precision": (weights * precision).sum(axis=1),
    }
    for name, beta in BETAS.items():
        score = share((1 + beta**2) * precision * recall, beta**2 * precision + recall)
        found[name] = (weights * score).sum(axis=1)
    return found


def constant(counts: NDArray[np.int64]) -> dict[str, float]:
    """Return the metrics of a classifier that always predicts the last class."""
    labels = counts.sum(axis=1, keepdims=True).T.astype(float)
    hits, predictions = np.zeros_like(labels), np.zeros_like(labels)
    hits[0, -1], predictions[0, -1] = labels[0, -1], labels.sum()
    return {name: float(value[0]) for name, value in weighted(hits, labels, predictions).items()}


def of(labels: Sequence[str], predicted: Sequence[str]) -> Matrix:
    """Return the confusion matrix of labelled rows; classes that only predictions have count too."""
    classes = ordered({*labels, *predicted})
    positions = {name: position for position, name in enumerate(classes)}
    rows, columns = ([positions[name] for name in part] for part in (labels, predicted))
    size = len(classes)
    flat = np.array(rows, dtype=np.int64) * size + np.array(columns, dtype=np.int64)
    return Matrix(classes, np.bincount(flat, minlength=size * size).reshape(size, size).astype(np.int64))


def ordered(classes: Iterable[str]) -> list[str]:
    """Return classes in order: numbers by their size, then texts."""

    def key(name: str) -> tuple[int, float, str]:
        try:
            value = float(name)
        except ValueError:
            return 1, 0.0, name
        return (0, value, name) if math.isfinite(value) else (1, 0.0, name)

    return sorted(classes, key=key)


def draws(cells: Cells, measure: Measure) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of matrices that are drawn as the counts say, in bounded memory."""
    rng = np.random.default_rng(SEED)
    shares = cells / cells.sum()
    batches = [measure(rng.multinomial(int(cells.sum()), shares, size).astype(float)) for size in sizes(len(cells))]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def sizes(cells: int) -> list[int]:
    """Return how many matrices of so many cells are drawn at once, until there are enough."""
    total = DRAWS if cells <= MAX_CELLS else max(MIN_DRAWS, DRAWS * MAX_CELLS // cells)
    step = max(1, MAX_DRAWN // cells)
    return [min(step, total - start) for start in range(0, total, step)]


def members(matrix: Matrix) -> dict[str, Any]:
    """Return `multiclass_classification_metrics`; standard deviations are those of draws of the matrix."""
    found: dict[str, Any] = {
        "confusion_matrix": {
            name: dict(zip(matrix.classes, counts, strict=True))
            for name, counts in zip(matrix.classes, matrix.counts.tolist(), strict=True)
        }
    }
    layout = Layout(matrix.counts)
    cells = layout.cells(matrix.counts)
    drawn = draws(cells, layout.metrics)
    for name, value in layout.metrics(cells.reshape(1, -1).astype(float)).items():
        found[name] = member(float(value[0]), float(drawn[name].std(ddof=1)))
    for name, single in constant(matrix.counts).items():
        found[f"{name}{CONSTANT}"] = member(single)
    return found


def difference(labels: Sequence[str], challenger: Sequence[str], champion: Sequence[str]) -> Interval:
    """Return challenger's accuracy minus champion's on the same rows, with the interval of the paired rows."""
    truth = np.array(labels, dtype=object)
    return of_mean((truth == np.array(challenger, dtype=object)) * 1.0 - (truth == np.array(champion, dtype=object)))
