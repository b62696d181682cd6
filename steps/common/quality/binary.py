"""Binary classification: labels of 0 and 1 against probabilities, against predicted labels, or against both."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steps.common.quality import ranking
from steps.common.quality.intervals import Interval, around, wilson
from steps.common.quality.members import CONSTANT, Bin, member

NAME, KEY = "BinaryClassification", "binary_classification"
"""SageMaker's name of the problem type, and how its members' keys begin."""

THRESHOLD = 0.5
"""Probability from which a row counts as positive where nothing else is set."""

BINS, MIN_PER_BIN = 10, 5
OF_CONSTANT = ("recall", "precision", "accuracy", "f0_5", "f1", "f2")

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Labelled rows: labels and predicted labels, 0 or 1, and probabilities if there are any; all of shape (rows,)."""

    labels: Labels
    predicted: Labels
    probabilities: Probabilities | None = None

    @classmethod
    def at(cls, threshold: float, labels: Labels, probabilities: Probabilities) -> "Rows":
        """Return rows whose predicted label is 1 from a probability on."""
        return cls(labels.astype(np.int64), (probabilities >= threshold).astype(np.int64), probabilities)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """The counts [[true negative, false positive], [false negative, true positive]]."""
        return np.bincount(2 * self.labels + self.predicted, minlength=4).reshape(2, 2).astype(np.int64)


def brier(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean squared distance of probability and label (Brier, Monthly Weather Review 78, 1950)."""
    return float(np.mean((probabilities - labels) ** 2))


def bias(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean of label minus probability, 0 where a model is calibrated in the large."""
    return float(np.mean(labels - probabilities))


def log_loss(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean of -ln(probability of the label that the row has), which stays finite."""
    of_label = np.where(labels == 1, probabilities, 1 - probabilities)
    return float(-np.mean(np.log(np.maximum(of_label, np.finfo(float).eps))))


def calibration(labels: Labels, probabilities: Probabilities) -> list[Bin]:
    """Return ten bins of equal width, of which small ones are joined."""
    numbers = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    return joined(
        [
            Bin(float(probabilities[numbers == number].mean()), float(labels[numbers == number].mean()), int(count))
            for number, count in enumerate(np.bincount(numbers, minlength=BINS).tolist())
            if count
        ]
    )


def joined(bins: Sequence[Bin]) -> list[Bin]:
    """Return bins of MIN_PER_BIN rows each, so that none shows a row's own values: small ones join the next one.

    Of fewer rows in all there is no bin.
    """
    found: list[Bin] = []
    for each in bins:
        if found and found[-1].rows < MIN_PER_BIN:
            each = _both(found.pop(), each)
        found.append(each)
    if len(found) > 1 and found[-1].rows < MIN_PER_BIN:
        last = found.pop()
        found.append(_both(found.pop(), last))
    return [each for each in found if each.rows >= MIN_PER_BIN]


def _both(one: Bin, other: Bin) -> Bin:
    rows = one.rows + other.rows
    return Bin(
        (one.predicted * one.rows + other.predicted * other.rows) / rows,
        (one.observed * one.rows + other.observed * other.rows) / rows,
        rows,
    )


def of_matrix(cells: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the shares and F-scores of confusion matrices, one per row of tn, fp, fn, tp; 0 where nothing is found."""
    tn, fp, fn, tp = cells.T

    def share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)

    precision, recall = share(tp, tp + fp), share(tp, tp + fn)
    found = {
        "recall": recall,
        "precision": precision,
        "accuracy": share(tp + tn, cells.sum(axis=1)),
        "true_positive_rate": recall,
        "true_negative_rate": share(tn, tn + fp),
        "false_positive_rate": share(fp, tn + fp),
        "false_negative_rate": share(fn, tp + fn),
    }
    for name, beta in (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0)):
        found[name] = share((1 + beta**2) * precision * recall, beta**2 * precision + recall)
    return found


def members(rows: Rows) -> dict[str, Any]:
    """Return `binary_classification_metrics`.

    Average precision, Brier score, log loss, calibration and the AUC's interval are added to SageMaker's members. The
    standard deviation is DeLong's for the AUC; elsewhere it is "NaN", as in Model Monitor's files for fewer than 200
    rows. The best constant classifier is the one that always predicts 1, as in SageMaker's documented example.
    """
    (tn, fp), (fn, tp) = rows.confusion.tolist()
    found: dict[str, Any] = {"confusion_matrix": {"0": {"0": tn, "1": fp}, "1": {"0": fn, "1": tp}}}
    for name, value in of_matrix(rows.confusion.reshape(1, 4).astype(float)).items():
        found[name] = member(float(value[0]))
    always = of_matrix(np.array([[0.0, tn + fp, 0.0, fn + tp]]))
    for name in OF_CONSTANT:
        found[f"{name}{CONSTANT}"] = member(float(always[name][0]))
    if rows.probabilities is None:
        return found
    labels, probabilities = rows.labels, rows.probabilities
    area, deviation = ranking.auc_and_deviation(labels, probabilities)
    found |= ranking.curves(labels, probabilities)
    found["auc"] = {**member(area, deviation), **vars(around(area, deviation, 0.0, 1.0))}
    found["average_precision"] = member(ranking.average_precision(labels, probabilities))
    found["brier"] = member(brier(labels, probabilities))
    found["log_loss"] = member(log_loss(labels, probabilities))
    found["calibration"] = [
        {
            "predicted": each.predicted,
            "observed": vars(wilson(round(each.observed * each.rows), each.rows)),
            "rows": each.rows,
        }
        for each in calibration(labels, probabilities)
    ]
    return found


def difference(labels: Labels, challenger: Probabilities, champion: Probabilities) -> Interval:
    """Return challenger's AUC minus champion's on the same rows, with DeLong's interval."""
    areas, covariance = ranking.delong(labels, challenger, champion)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return around(float(areas[0] - areas[1]), float(np.sqrt(max(variance, 0.0))))
