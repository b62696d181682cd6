"""How well scores rank two classes: the area under the curve with its deviation, and the curves themselves.

Labels are 0 or 1, scores floats, both of shape (rows,); both labels occur, and at least twice where a deviation is
asked for.
"""

import math

import numpy as np
from numpy.typing import NDArray

POINTS = 200
"""Points of a curve, at most, besides its ends."""

Labels = NDArray[np.int64]
Scores = NDArray[np.floating]


def placements(scores: Scores, others: Scores) -> NDArray[np.float64]:
    """Return the share of the others that lie below each score, ties counting one half."""
    ordered = np.sort(others)
    left, right = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return (left + right) / (2 * len(ordered))


def auc(positive: Scores, negative: Scores) -> float:
    """Return the chance that a positive scores above a negative, ties counting one half (Mann-Whitney)."""
    return float(placements(positive, negative).mean())


def delong(labels: Labels, *scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the AUC of each of k scores (k,) and their covariance matrix (k, k).

    DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595.
    """
    positive = labels == 1
    of_positive = np.stack([placements(score[positive], score[~positive]) for score in scores])
    of_negative = np.stack([1 - placements(score[~positive], score[positive]) for score in scores])
    covariance = np.atleast_2d(np.cov(of_positive)) / of_positive.shape[1]
    return of_positive.mean(axis=1), covariance + np.atleast_2d(np.cov(of_negative)) / of_negative.shape[1]


def auc_and_deviation(labels: Labels, scores: Scores) -> tuple[float, float]:
    """Return the AUC and DeLong's standard deviation of it."""
    areas, covariance = delong(labels, scores)
    return float(areas[0]), math.sqrt(float(covariance[0, 0]))


def hanley(area: float, positive: int, negative: int) -> float:
    """Return Hanley and McNeil's standard deviation of an AUC (1982, doi:10.1148/radiology.143.1.7063747)."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (positive - 1) * (q1 - area**2) + (negative - 1) * (q2 - area**2)
    return math.sqrt(max(0.0, spread) / (positive * negative))


def counts_by_threshold(labels: Labels, scores: Scores) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return false and true positives at each distinct score as threshold, the highest first."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    hits = np.cumsum(labels[order])[ends]
    return ends + 1 - hits, hits


def average_precision(labels: Labels, scores: Scores) -> float:
    """Return the sum over thresholds of precision times the gain in recall."""
    false, true = counts_by_threshold(labels, scores)
    return float((np.diff(true, prepend=0) * true / (true + false)).sum() / true[-1])


def curves(labels: Labels, scores: Scores) -> dict[str, dict[str, list[float]]]:
    """Return the two curves of SageMaker's form, a point per threshold; of more than POINTS thresholds, so many.

    As in Spark's BinaryClassificationMetrics, from which SageMaker's are: the first one begins at (0, 0) and ends with
    a further (1, 1), the second begins at recall 0 with the first threshold's precision.
    """
    false, true = counts_by_threshold(labels, scores)
    if len(true) > POINTS:
        shown = np.linspace(0, len(true) - 1, POINTS).round().astype(int)
        false, true = false[shown], true[shown]
    recalls, precisions = true / true[-1], true / (true + false)
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": [0.0, *(false / false[-1]).tolist(), 1.0],
            "true_positive_rates": [0.0, *recalls.tolist(), 1.0],
        },
        "precision_recall_curve": {
            "precisions": [float(precisions[0]), *precisions.tolist()],
            "recalls": [0.0, *recalls.tolist()],
        },
    }
