"""Labels and probabilities in, metrics out: no files.

Labels are 0 or 1, probabilities floats, both of shape (rows,); both labels occur at least twice.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

THRESHOLD = 0.5
"""Probability from which a row counts as positive, for accuracy and the confusion matrix."""

CALIBRATION_BINS = 10
REACH = NormalDist().inv_cdf(0.975)
"""Standard deviations on each side of a 95 % interval."""


@dataclass(frozen=True)
class Interval:
    """A metric with its 95 % interval."""

    value: float
    lower: float
    upper: float


def midranks(scores: np.ndarray) -> np.ndarray:
    """Return each score's rank from 1; equal scores share the mean of theirs."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def delong(labels: np.ndarray, *scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUC of each score and their covariance matrix (k × k).

    Source: DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837-845, computed with midranks as in Sun & Xu,
    IEEE Signal Processing Letters 21 (2014) 1389-1393.
    """
    positive = labels == 1
    n, m = int(positive.sum()), int((~positive).sum())
    by_positive, by_negative = np.empty((len(scores), n)), np.empty((len(scores), m))
    for number, score in enumerate(scores):
        ranks = midranks(score)
        by_positive[number] = (ranks[positive] - midranks(score[positive])) / m
        by_negative[number] = 1 - (ranks[~positive] - midranks(score[~positive])) / n
    covariance = np.atleast_2d(np.cov(by_positive)) / n + np.atleast_2d(np.cov(by_negative)) / m
    return by_positive.mean(axis=1), covariance


def auc(labels: np.ndarray, probabilities: np.ndarray) -> Interval:
    """Return the AUC with DeLong's interval, cut to 0 to 1."""
    areas, covariance = delong(labels, probabilities)
    reach = REACH * float(np.sqrt(covariance[0, 0]))
    return Interval(float(areas[0]), max(float(areas[0]) - reach, 0.0), min(float(areas[0]) + reach, 1.0))


def auc_difference(labels: np.ndarray, challenger: np.ndarray, champion: np.ndarray) -> Interval:
    """Return challenger's AUC minus champion's on the same rows, with DeLong's interval."""
    areas, covariance = delong(labels, challenger, champion)
    difference = float(areas[0] - areas[1])
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    reach = REACH * float(np.sqrt(max(variance, 0.0)))
    return Interval(difference, difference - reach, difference + reach)


def counts_by_threshold(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the false and the true positives at each distinct probability as threshold, the highest first."""
    order = np.argsort(-probabilities, kind="stable")
    last_of_equals = np.flatnonzero(np.diff(probabilities[order], append=-1))
    true_positives = np.cumsum(labels[order])[last_of_equals]
    return last_of_equals + 1 - true_positives, true_positives


def roc_curve(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates from (0, 0) to (1, 1), one point a threshold."""
    false_positives, true_positives = counts_by_threshold(labels, probabilities)
    return np.append(0, false_positives / false_positives[-1]), np.append(0, true_positives / true_positives[-1])


def precision_recall_curve(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return precisions and recalls, from recall 0 (where precision is 1) to recall 1, one point a threshold."""
    false_positives, true_positives = counts_by_threshold(labels, probabilities)
    precisions = true_positives / (true_positives + false_positives)
    return np.append(1, precisions), np.append(0, true_positives / true_positives[-1])


def average_precision(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the sum over thresholds of precision times the gain in recall."""
    precisions, recalls = precision_recall_curve(labels, probabilities)
    return float(np.sum(np.diff(recalls) * precisions[1:]))


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean squared distance of probability and label (Brier, Monthly Weather Review 78, 1950)."""
    return float(np.mean((probabilities - labels) ** 2))


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean of -ln(probability of the label that the row has), which is kept finite."""
    of_label = np.where(labels == 1, probabilities, 1 - probabilities)
    return float(-np.mean(np.log(np.maximum(of_label, np.finfo(float).eps))))


def f_score(precision: float, recall: float, beta: float) -> float:
    """Return F-beta (van Rijsbergen, Information Retrieval, 1979), 0 where nothing is found."""
    below = beta**2 * precision + recall
    return (1 + beta**2) * precision * recall / below if below else 0.0


def wilson(hits: int, rows: int) -> Interval:
    """Return a share with its interval (Wilson, Journal of the American Statistical Association 22, 1927)."""
    share = hits / rows
    middle = (share + REACH**2 / (2 * rows)) / (1 + REACH**2 / rows)
    reach = REACH * np.sqrt(share * (1 - share) / rows + REACH**2 / (4 * rows**2)) / (1 + REACH**2 / rows)
    return Interval(share, max(float(middle - reach), 0.0), min(float(middle + reach), 1.0))


@dataclass(frozen=True)
class Bin:
    """Rows whose probabilities lie close together: their mean, the share of positives, and how many rows."""

    predicted: float
    observed: Interval
    rows: int


def calibration(labels: np.ndarray, probabilities: np.ndarray) -> list[Bin]:
    """Return those of ten bins of equal width that hold rows, with Wilson's intervals."""
    numbers = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    bins = []
    for number in np.unique(numbers):
        inside = numbers == number
        rows = int(inside.sum())
        bins.append(Bin(float(probabilities[inside].mean()), wilson(int(labels[inside].sum()), rows), rows))
    return bins


def confusion_matrix(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return counts of shape (2, 2): rows are labels, columns what the threshold makes of the probabilities."""
    predicted = (probabilities >= THRESHOLD).astype(int)
    return np.bincount(labels.astype(int) * 2 + predicted, minlength=4).reshape(2, 2)


def measure(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Return `binary_classification_metrics` as SageMaker Model Monitor's model quality jobs write them.

    Form: Amazon SageMaker AI developer guide, "Model quality metrics". Average precision, Brier score, log loss,
    the AUC's interval and the calibration are added. The standard deviation is DeLong's for the AUC; elsewhere
    it is "NaN", as in Model Monitor's files for fewer than 200 rows.
    """
    area = auc(labels, probabilities)
    (tn, fp), (fn, tp) = confusion_matrix(labels, probabilities).tolist()
    # The constant classifier of the documented example finds every row positive.
    share = float(np.mean(labels))
    precision, recall = tp / (tp + fp) if tp + fp else 0.0, tp / (tp + fn)
    metrics = {
        "recall": recall,
        "precision": precision,
        "accuracy": (tp + tn) / len(labels),
        "recall_best_constant_classifier": 1.0,
        "precision_best_constant_classifier": share,
        "accuracy_best_constant_classifier": share,
        "true_positive_rate": recall,
        "true_negative_rate": tn / (tn + fp),
        "false_positive_rate": fp / (tn + fp),
        "false_negative_rate": fn / (tp + fn),
    }
    for name, beta in (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0)):
        metrics[name] = f_score(precision, recall, beta)
        metrics[f"{name}_best_constant_classifier"] = f_score(share, 1.0, beta)
    metrics["average_precision"] = average_precision(labels, probabilities)
    metrics["brier"] = brier(labels, probabilities)
    metrics["log_loss"] = log_loss(labels, probabilities)
    false_rates, true_rates = roc_curve(labels, probabilities)
    precisions, recalls = precision_recall_curve(labels, probabilities)
    return {
        "confusion_matrix": {"0": {"0": tn, "1": fp}, "1": {"0": fn, "1": tp}},
        "auc": {**vars(area), "standard_deviation": float(np.sqrt(delong(labels, probabilities)[1][0, 0]))},
        **{name: {"value": value, "standard_deviation": "NaN"} for name, value in metrics.items()},
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": false_rates.tolist(),
            "true_positive_rates": true_rates.tolist(),
        },
        "precision_recall_curve": {"precisions": precisions.tolist(), "recalls": recalls.tolist()},
        "calibration": [
            {"predicted": bin.predicted, "observed": vars(bin.observed), "rows": bin.rows}
            for bin in calibration(labels, probabilities)
        ],
    }
