"""Labels and probabilities in, figures out: no files."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata
from sklearn import metrics

THRESHOLD = 0.5
"""Probability from which a row counts as malignant, for accuracy and the confusion matrix."""

CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Difference:
    """A difference of two AUCs with its 95 % interval."""

    value: float
    lower: float
    upper: float


def delong(labels: np.ndarray, *scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUC of each score and their covariance matrix (k × k).

    Source: DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837-845, computed with midranks as in Sun & Xu,
    IEEE Signal Processing Letters 21 (2014) 1389-1393.

    Args:
        labels: 0 or 1, shape (rows,).
        scores: each of shape (rows,).
    """
    positive = labels == 1
    n, m = int(positive.sum()), int((~positive).sum())
    placements_positive, placements_negative = [], []
    for score in scores:
        ranks = rankdata(score)
        placements_positive.append((ranks[positive] - rankdata(score[positive])) / m)
        placements_negative.append(1 - (ranks[~positive] - rankdata(score[~positive])) / n)
    by_positive, by_negative = np.array(placements_positive), np.array(placements_negative)
    covariance = np.atleast_2d(np.cov(by_positive)) / n + np.atleast_2d(np.cov(by_negative)) / m
    return by_positive.mean(axis=1), covariance


def compare(labels: np.ndarray, challenger: np.ndarray, champion: np.ndarray) -> Difference:
    """Return challenger's AUC minus champion's on the same rows, with DeLong's 95 % interval."""
    areas, covariance = delong(labels, challenger, champion)
    difference = float(areas[0] - areas[1])
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    reach = float(norm.ppf(0.975) * np.sqrt(max(variance, 0.0)))
    return Difference(difference, difference - reach, difference + reach)


@dataclass(frozen=True)
class Calibration:
    """Mean probability, share of positives and number of rows in each of the bins that hold rows."""

    predicted: list[float]
    observed: list[float]
    rows: list[int]


def calibration(labels: np.ndarray, probabilities: np.ndarray) -> Calibration:
    """Return the calibration over ten bins of equal width."""
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    held = [bin for bin in range(CALIBRATION_BINS) if (bins == bin).any()]
    return Calibration(
        [float(probabilities[bins == bin].mean()) for bin in held],
        [float(labels[bins == bin].mean()) for bin in held],
        [int((bins == bin).sum()) for bin in held],
    )


def measure(labels: np.ndarray, probabilities: np.ndarray) -> dict:
    """Return SageMaker's `binary_classification_metrics` (Model Monitor's model quality JSON).

    Beyond AWS's fields: average_precision, brier, log_loss and calibration. Standard deviations are DeLong's
    for the AUC; a field without one says "NaN", as Model Monitor's own files do.
    """
    areas, covariance = delong(labels, probabilities)
    predicted = probabilities >= THRESHOLD
    false_positive, true_positive, _ = metrics.roc_curve(labels, probabilities)
    precision, recall, _ = metrics.precision_recall_curve(labels, probabilities)
    matrix = metrics.confusion_matrix(labels, predicted, labels=[0, 1])
    calibrated = calibration(labels, probabilities)

    def plain(value: float) -> dict:
        return {"value": float(value), "standard_deviation": "NaN"}

    return {
        "confusion_matrix": {str(row): {str(column): int(matrix[row, column]) for column in (0, 1)} for row in (0, 1)},
        "auc": {"value": float(areas[0]), "standard_deviation": float(np.sqrt(covariance[0, 0]))},
        "average_precision": plain(metrics.average_precision_score(labels, probabilities)),
        "brier": plain(metrics.brier_score_loss(labels, probabilities)),
        "log_loss": plain(metrics.log_loss(labels, probabilities, labels=[0, 1])),
        "accuracy": plain(metrics.accuracy_score(labels, predicted)),
        "precision": plain(metrics.precision_score(labels, predicted, zero_division=0)),
        "recall": plain(metrics.recall_score(labels, predicted)),
        "f1": plain(metrics.f1_score(labels, predicted)),
        "true_positive_rate": plain(matrix[1, 1] / max(matrix[1].sum(), 1)),
        "false_positive_rate": plain(matrix[0, 1] / max(matrix[0].sum(), 1)),
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": false_positive.tolist(),
            "true_positive_rates": true_positive.tolist(),
        },
        "precision_recall_curve": {"precisions": precision.tolist(), "recalls": recall.tolist()},
        "calibration": {
            "predicted": calibrated.predicted,
            "observed": calibrated.observed,
            "rows": calibrated.rows,
        },
    }
