"""How well scores rank two classes: the area under the curve with its deviation, and the curves themselves."""

import math

import numpy as np
from numpy.typing import NDArray

POINTS = 200
"""Points of a curve, at most, besides its ends."""

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]


def delong(labels: Labels, scores: Scores) -> tuple[float, float]:
    """Return the AUC and its standard deviation; both labels occur at least twice."""
    positive, negative = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])

    def below(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
        left, right = np.searchsorted(others, values, "left"), np.searchsorted(others, values, "right")
        return (left + right) / (2 * len(others))

    of_positive, of_negative = below(positive, negative), 1 - below(negative, positive)
    variance = of_positive.var(ddof=1) / len(positive) + of_negative.var(ddof=1) / len(negative)
    return float(of_positive.mean()), math.sqrt(float(variance))


def hanley(area: float, positive: int, negative: int) -> float:
    """Return Hanley and McNeil's standard deviation of an AUC."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (positive - 1) * (q1 - area**2) + (negative - 1) * (q2 - area**2)
    return math.sqrt(max(0.0, spread) / (positive * negative))


def curves(labels: Labels, scores: Scores) -> dict[str, dict[str, list[float]]]:
    """Return the two curves of SageMaker's form, a point per threshold; of many thresholds, some."""
    order = np.argsort(-scores, kind="stable")
    hits, ranked = np.cumsum(labels[order]), scores[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    if len(ends) > POINTS:
        ends = ends[np.linspace(0, len(ends) - 1, POINTS).round().astype(int)]
    positive, negative = int(labels.sum()), int(len(labels) - labels.sum())
    recalls, precisions = hits[ends] / positive, hits[ends] / (ends + 1)
    false_alarms = (ends + 1 - hits[ends]) / negative
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": [0.0, *false_alarms.tolist(), 1.0],
            "true_positive_rates": [0.0, *recalls.tolist(), 1.0],
        },
        "precision_recall_curve": {
            "precisions": [float(precisions[0]), *precisions.tolist()],
            "recalls": [0.0, *recalls.tolist()],
        },
    }
