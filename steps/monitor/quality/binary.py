"""Binary classification: labels of 0 and 1 against probabilities, against predicted labels, or against both.

Three metrics are compared with the registered baseline:

- AUC: one-sided z-test of the drop of its logit, which is distributed more evenly than the AUC itself (Pepe 2003, The
  Statistical Evaluation of Medical Tests for Classification and Prediction, 5.2); standard deviations by DeLong
  (DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595) or, where the baseline's file gives none of these, by
  Hanley and McNeil 1982 (doi:10.1148/radiology.143.1.7063747).
- Brier score: one-sided z-test of the rise; the baseline's rows are taken to vary as the labelled ones do.
- Calibration in the large: two-sided z-test of the mean of label minus probability, whose variance is that of labels
  which do follow their probabilities (Cox 1958, doi:10.1093/biomet/45.3-4.562).

Where there are predicted labels only, accuracy and F1 are compared instead, as `matrix` says. Against constraints, the
AUC is held by DeLong, shares and F-scores by 4,000 draws of the confusion matrix.

`inference_attribute` names the predicted label, `probability_attribute` the probability, which is positive from
`probability_threshold_attribute` on (SageMaker's SDK, `ModelQualityMonitor.suggest_baseline`: the label isn't needed
where probability and threshold are given). Where both are, the confusion matrix is that of the predicted labels.

`docs/measured.md` says how often this was wrong, and how often drift was found; few labels can't show more.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steps.monitor.contract import Job
from steps.monitor.failures import BadSetting, UnreadableBatch
from steps.monitor.quality import matrix, problems, ranking
from steps.monitor.quality.problems import (
    CONSTANT,
    INFERENCE,
    PROBABILITY,
    THRESHOLD,
    Baseline,
    MetricComparison,
    Problem,
    ThresholdTest,
    member,
    number,
    upper_tail,
    within,
)

METRICS, CONSTRAINTS = "binary_classification_metrics", "binary_classification_constraints"

MIN_EFFECT = {"auc": 0.02, "brier": 0.02, "calibration": 0.03}
"""The smallest effects that count."""

BINS, MIN_PER_BIN = 10, 5
OF_CONSTANT = ("recall", "precision", "accuracy", "f0_5", "f1", "f2")
LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}

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
        return cls(labels, (probabilities >= threshold).astype(np.int64), probabilities)

    @cached_property
    def metrics(self) -> "Metrics":
        """What the probabilities, which have to be there, say of the model."""
        assert self.probabilities is not None
        return measure(self.labels, self.probabilities)


@dataclass(frozen=True)
class Metrics:
    """What is known of a model's quality on some rows; NaN where it isn't known."""

    rows: int
    auc: float
    auc_deviation: float
    brier: float
    bias: float
    """Mean of label minus probability."""
    calibration: list[tuple[float, float, int]] = field(default_factory=list)
    """Per bin: mean probability, share of positives, rows."""
    confusion: Labels = field(default_factory=lambda: np.zeros((2, 2), dtype=np.int64))


def measure(labels: Labels, probabilities: Probabilities) -> Metrics:
    """Return the metrics of labelled rows."""
    area, deviation = ranking.delong(labels, probabilities)
    locations = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    bins = [
        (float(probabilities[locations == location].mean()), float(labels[locations == location].mean()), int(count))
        for location, count in enumerate(np.bincount(locations, minlength=BINS).tolist())
        if count
    ]
    error = labels - probabilities
    return Metrics(len(labels), area, deviation, float((error**2).mean()), float(error.mean()), joined(bins))


def joined(bins: Sequence[tuple[float, float, int]]) -> list[tuple[float, float, int]]:
    """Return bins of MIN_PER_BIN rows each, so that none shows a row's own values: small ones join the next one.

    Of fewer rows in all there is no bin.
    """
    found: list[tuple[float, float, int]] = []
    for each in bins:
        if found and found[-1][2] < MIN_PER_BIN:
            each = _both(found.pop(), each)
        found.append(each)
    if len(found) > 1 and found[-1][2] < MIN_PER_BIN:
        last = found.pop()
        found.append(_both(found.pop(), last))
    return [each for each in found if each[2] >= MIN_PER_BIN]


def _both(one: tuple[float, float, int], other: tuple[float, float, int]) -> tuple[float, float, int]:
    count = one[2] + other[2]
    mean, share = ((one[i] * one[2] + other[i] * other[2]) / count for i in (0, 1))
    return mean, share, count


def read(members: Mapping[str, Any]) -> Metrics:
    """Return what the members of a baseline say."""
    counts = members["confusion_matrix"]
    cells = np.array([[int(counts[row].get(column, 0)) for column in "01"] for row in "01"], dtype=np.int64)
    if (cells < 0).any() or not cells.sum():
        raise ValueError("a confusion matrix of no rows")
    negative, positive = cells.sum(axis=1).tolist()
    area = within(number(members["auc"]["value"])) if "auc" in members else math.nan
    deviation = number(members["auc"].get("standard_deviation")) if "auc" in members else math.nan
    within(deviation, high=sys.float_info.max)
    # Only a file with a Brier score has DeLong's deviation: that of AWS's analyzer is another one.
    if not math.isnan(area) and (math.isnan(deviation) or "brier" not in members):
        deviation = ranking.hanley(area, positive, negative)
    bins = [
        (within(float(each["predicted"])), within(_observed(each["observed"])), int(each["rows"]))
        for each in members.get("calibration", [])
    ]
    if any(count <= 0 for _, _, count in bins):
        raise ValueError("a bin of no rows")
    bins = joined(bins)
    rows = sum(count for _, _, count in bins)
    bias = sum((share - mean) * count for mean, share, count in bins) / rows if rows else math.nan
    brier = within(number(members["brier"]["value"])) if "brier" in members else math.nan
    return Metrics(positive + negative, area, deviation, brier, bias, bins, cells)


def _observed(value: Any) -> float:
    return float(value["value"] if isinstance(value, dict) else value)


def compare(labels: Labels, probabilities: Probabilities, now: Metrics, before: Metrics) -> list[MetricComparison]:
    """Return the comparison of each metric that the baseline knows."""
    (was, was_spread), (is_now, now_spread) = _logit(before), _logit(now)
    p = upper_tail(was - is_now, math.hypot(was_spread, now_spread))
    sentence = f"The AUC is {now.auc:.3f}; it was {before.auc:.3f}."
    found = [MetricComparison("auc", now.auc, before.auc, before.auc - now.auc, MIN_EFFECT["auc"], p, sentence)]
    errors = (labels - probabilities) ** 2
    per_row = 1 / now.rows + 1 / max(1, before.rows)
    if not math.isnan(before.brier):
        rise, spread = now.brier - before.brier, float(errors.std(ddof=1)) * math.sqrt(per_row)
        sentence = f"The Brier score is {now.brier:.3f}; it was {before.brier:.3f}."
        found.append(
            MetricComparison(
                "brier", now.brier, before.brier, rise, MIN_EFFECT["brier"], upper_tail(rise, spread), sentence
            )
        )
    if not math.isnan(before.bias):
        apart = abs(now.bias - before.bias)
        spread = math.sqrt(float((probabilities * (1 - probabilities)).mean()) * per_row)
        sentence = (
            f"Positives are {100 * now.bias:+.1f} points off their probabilities; they were {100 * before.bias:+.1f}."
        )
        p = min(1.0, 2 * upper_tail(apart, spread))
        found.append(
            MetricComparison("calibration", now.bias, before.bias, apart, MIN_EFFECT["calibration"], p, sentence)
        )
    return found


def _logit(found: Metrics) -> tuple[float, float]:
    """Return the logit of the AUC and its standard deviation; a perfect AUC is taken for half a row less."""
    edge = 1 / (2 * max(2, found.rows))
    area = min(1 - edge, max(edge, found.auc))
    return math.log(area / (1 - area)), max(found.auc_deviation, edge) / (area * (1 - area))


def confusion(labels: Labels, predicted: Labels) -> NDArray[np.int64]:
    """Return the counts [[true negative, false positive], [false negative, true positive]]."""
    return np.bincount(2 * labels + predicted, minlength=4).reshape(2, 2).astype(np.int64)


def of_matrix(cells: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the shares and F-scores of confusion matrices, one per row of tn, fp, fn, tp."""
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
    """Return `binary_classification_metrics`; Brier score and calibration are added to SageMaker's members.

    The best constant classifier is the one that always says 1, as in SageMaker's documented example.
    """
    cells = confusion(rows.labels, rows.predicted)
    (tn, fp), (fn, tp) = cells.tolist()
    found: dict[str, Any] = {"confusion_matrix": {"0": {"0": tn, "1": fp}, "1": {"0": fn, "1": tp}}}
    for name, value in of_matrix(cells.reshape(1, 4).astype(float)).items():
        found[name] = member(float(value[0]))
    always = of_matrix(np.array([[0.0, tn + fp, 0.0, fn + tp]]))
    for name in OF_CONSTANT:
        found[f"{name}{CONSTANT}"] = member(float(always[name][0]))
    if rows.probabilities is None:
        return found
    found |= ranking.curves(rows.labels, rows.probabilities)
    now = rows.metrics
    found["auc"] = member(now.auc, now.auc_deviation)
    found["brier"] = member(now.brier)
    found["calibration"] = [
        {"predicted": mean, "observed": {"value": share}, "rows": count} for mean, share, count in now.calibration
    ]
    return found


class Binary(Problem):
    """The problem type BinaryClassification."""

    name = "BinaryClassification"
    key = "binary_classification"
    main_variable = PROBABILITY
    json_key = "probability"
    variables = (INFERENCE, PROBABILITY)
    settings = (THRESHOLD,)
    default_column = "0"
    worse_above = frozenset({"false_positive_rate", "false_negative_rate"})
    extra_metrics = frozenset({"brier"})

    def __init__(self, job: Job) -> None:
        """Read the settings."""
        super().__init__(job)
        try:
            self.threshold = float(job.environment.get(THRESHOLD) or "0.5")
        except ValueError:
            self.threshold = math.nan
        if not 0 <= self.threshold <= 1:
            raise BadSetting(f"{THRESHOLD} is not a number between 0 and 1.")

    def truth(self, cell: Any, location: str) -> int:
        """Return a label, 0 or 1."""
        return _label(cell, location)

    def prediction(self, cells: Mapping[str, Any], location: str) -> tuple[int, float] | None:
        """Return predicted label and probability, each -1 or NaN where it isn't given."""
        label, probability = -1, math.nan
        if PROBABILITY in cells and math.isnan(probability := _probability(cells[PROBABILITY], location)):
            return None
        if INFERENCE in cells:
            if not str(cells[INFERENCE]).strip():
                return None
            label = _label(cells[INFERENCE], f"{location}, {INFERENCE}")
        return label, probability

    def rows(self, truths: Sequence[int], predictions: Sequence[tuple[int, float]]) -> Rows:
        """Return labelled rows as arrays."""
        labels = np.array(truths, dtype=np.int64)
        predicted = np.array([label for label, _ in predictions], dtype=np.int64)
        if self.attributes and PROBABILITY not in self.attributes:
            return Rows(labels, predicted)
        probabilities = np.array([probability for _, probability in predictions], dtype=float)
        if INFERENCE not in self.attributes:
            return Rows.at(self.threshold, labels, probabilities)
        return Rows(labels, predicted, probabilities)

    def lacking(self, rows: Rows) -> str:
        """Return what there is not enough of."""
        positive, total = int(rows.labels.sum()), len(rows.labels)
        enough = total >= problems.MIN_ROWS and min(positive, total - positive) >= problems.MIN_PER_CLASS
        return "" if enough else "labels"

    def members(self, rows: Rows) -> dict[str, Any]:
        """Return the members of statistics.json."""
        return members(rows)

    def baseline_metrics(self, members: Mapping[str, Any], rows: int) -> Metrics:
        """Return what a baseline's members say."""
        return read(members)

    def compare(self, rows: Rows, before: Metrics) -> list[MetricComparison]:
        """Return the comparison of each metric that the baseline knows."""
        if rows.probabilities is not None and not math.isnan(before.auc):
            return compare(rows.labels, rows.probabilities, rows.metrics, before)
        now = confusion(rows.labels, rows.predicted)
        return [
            matrix.compare_accuracy(int(np.trace(now)), int(now.sum()), int(np.trace(before.confusion)), before.rows),
            matrix.compare_score("f1", now.ravel(), before.confusion.ravel(), lambda cells: of_matrix(cells)["f1"]),
        ]

    def threshold_test(self, rows: Rows) -> ThresholdTest:
        """Return how to compare a metric with a threshold."""
        cells = confusion(rows.labels, rows.predicted).ravel()
        of_cells = matrix.threshold_test(cells, of_matrix)

        def of(name: str, allowed: float, side: int) -> tuple[float, float] | None:
            if name == "auc":
                if rows.probabilities is None:
                    return math.nan, 1.0
                area, deviation = ranking.delong(rows.labels, rows.probabilities)
                return area, upper_tail(side * (area - allowed), deviation)
            return of_cells(name, allowed, side)

        return of

    def headline(self, members: Mapping[str, Any]) -> tuple[str, str]:
        """Return the AUC or, without probabilities, the accuracy."""
        name, word = ("auc", "AUC") if problems.is_known(members.get("auc")) else ("accuracy", "accuracy")
        return (word, f"{within(number(members[name]['value'])):.3f}") if name in members else ("", "")

    def pictures(self, rows: Rows, members: Mapping[str, Any], before: Baseline | None) -> str:
        """Return the calibration or, without probabilities, the confusion matrix."""
        from steps.monitor.report import quality_charts

        if rows.probabilities is None:
            return quality_charts.confusion(["0", "1"], confusion(rows.labels, rows.predicted))
        now = rows.metrics
        return quality_charts.calibration(now.calibration, before.metrics.calibration if before else [])


def _label(cell: Any, location: str) -> int:
    found = LABELS.get(str(cell).strip().lower())
    if found is None:
        raise UnreadableBatch(f"{location}: neither 0 nor 1.")
    return found


def _probability(cell: Any, location: str) -> float:
    try:
        found = float(str(cell).strip() or "nan")
    except ValueError:
        raise UnreadableBatch(f"{location}: not a probability.") from None
    if not (math.isnan(found) or 0 <= found <= 1):
        raise UnreadableBatch(f"{location}: not a probability.")
    return found
