"""Binary classification: labels of 0 and 1 against probabilities, against predicted labels, or against both.

Three metrics are compared with the registered baseline:

- AUC: one-sided z-test of the drop of its logit, which is distributed more evenly than the AUC itself (Pepe 2003, The
  Statistical Evaluation of Medical Tests for Classification and Prediction, 5.2); standard deviations by DeLong
  (DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595) or, where the baseline's file gives none of these, by
  Hanley and McNeil 1982 (doi:10.1148/radiology.143.1.7063747).
- Brier score: one-sided z-test of the rise; the baseline's rows are taken to vary as the labelled ones do.
- Calibration in the large: z-test of how much farther from 0 the mean of label minus probability is, whose variance is
  that of labels which do follow their probabilities (Cox 1958, doi:10.1093/biomet/45.3-4.562). Where both means are
  near 0, the difference of their sizes exceeds any bound at most twice as often as a normal variable does.

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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steps.common.quality import binary, ranking
from steps.common.quality.binary import Labels, Probabilities, Rows
from steps.common.quality.members import Bin, is_known, number
from steps.monitor.contract import Job
from steps.monitor.failures import BadSetting, UnreadableBatch
from steps.monitor.quality import matrix, problems
from steps.monitor.quality.problems import (
    INFERENCE,
    PROBABILITY,
    THRESHOLD,
    MetricComparison,
    Problem,
    ThresholdTest,
    within,
)
from steps.monitor.significance import upper_tail

MIN_EFFECT = {"auc": 0.02, "brier": 0.02, "calibration": 0.03}
"""The smallest effects that count."""

LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


@dataclass(frozen=True)
class Metrics:
    """What is known of a model's quality on some rows; NaN where it isn't known."""

    rows: int
    auc: float
    auc_deviation: float
    brier: float
    bias: float
    """Mean of label minus probability."""
    calibration: list[Bin] = field(default_factory=list)
    confusion: Labels = field(default_factory=lambda: np.zeros((2, 2), dtype=np.int64))


def measure(rows: Rows) -> Metrics:
    """Return the metrics of labelled rows, which have probabilities."""
    assert rows.probabilities is not None
    labels, probabilities = rows.labels, rows.probabilities
    return Metrics(
        len(labels),
        *ranking.auc_and_deviation(labels, probabilities),
        binary.brier(labels, probabilities),
        binary.bias(labels, probabilities),
        binary.calibration(labels, probabilities),
        rows.confusion,
    )


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
        Bin(within(float(each["predicted"])), within(_observed(each["observed"])), int(each["rows"]))
        for each in members.get("calibration", [])
    ]
    if any(each.rows <= 0 for each in bins):
        raise ValueError("a bin of no rows")
    bins = binary.joined(bins)
    rows = sum(each.rows for each in bins)
    bias = sum((each.observed - each.predicted) * each.rows for each in bins) / rows if rows else math.nan
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
                "brier",
                now.brier,
                before.brier,
                rise,
                MIN_EFFECT["brier"],
                upper_tail(rise, spread),
                sentence,
            )
        )
    if not math.isnan(before.bias):
        farther = abs(now.bias) - abs(before.bias)
        spread = math.sqrt(float((probabilities * (1 - probabilities)).mean()) * per_row)
        sentence = (
            f"Positives are {100 * now.bias:+.1f} points off their probabilities; they were {100 * before.bias:+.1f}."
        )
        p = min(1.0, 2 * upper_tail(farther, spread))
        found.append(
            MetricComparison("calibration", now.bias, before.bias, farther, MIN_EFFECT["calibration"], p, sentence)
        )
    return found


def _logit(found: Metrics) -> tuple[float, float]:
    """Return the logit of the AUC and its standard deviation; a perfect AUC is taken for half a row less."""
    edge = 1 / (2 * max(2, found.rows))
    area = min(1 - edge, max(edge, found.auc))
    return math.log(area / (1 - area)), max(found.auc_deviation, edge) / (area * (1 - area))


class Binary(Problem):
    """The problem type BinaryClassification."""

    name = binary.NAME
    key = binary.KEY
    main_variable = PROBABILITY
    json_key = "probability"
    variables = (INFERENCE, PROBABILITY)
    settings = (THRESHOLD,)
    default_column = "0"
    worse_above = frozenset({"false_positive_rate", "false_negative_rate"})
    extra_metrics = frozenset({"average_precision", "brier", "log_loss"})

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
        return binary.members(rows)

    def baseline_metrics(self, members: Mapping[str, Any], rows: int) -> Metrics:
        """Return what a baseline's members say."""
        return read(members)

    def compare(self, rows: Rows, before: Metrics) -> list[MetricComparison]:
        """Return the comparison of each metric that the baseline knows."""
        if rows.probabilities is not None and not math.isnan(before.auc):
            return compare(rows.labels, rows.probabilities, measure(rows), before)
        now = rows.confusion
        return [
            matrix.compare_accuracy(int(np.trace(now)), int(now.sum()), int(np.trace(before.confusion)), before.rows),
            matrix.compare_score(
                "f1", now.ravel(), before.confusion.ravel(), lambda cells: binary.of_matrix(cells)["f1"]
            ),
        ]

    def threshold_test(self, rows: Rows) -> ThresholdTest:
        """Return how to compare a metric with a threshold."""
        cells = rows.confusion.ravel()
        of_cells = matrix.threshold_test(cells, binary.of_matrix)

        def of(name: str, allowed: float, side: int) -> tuple[float, float] | None:
            if name == "auc":
                if rows.probabilities is None:
                    return math.nan, 1.0
                area, deviation = ranking.auc_and_deviation(rows.labels, rows.probabilities)
                return area, upper_tail(side * (area - allowed), deviation)
            return of_cells(name, allowed, side)

        return of

    def headline(self, members: Mapping[str, Any]) -> tuple[str, str]:
        """Return the AUC or, without probabilities, the accuracy."""
        name, word = ("auc", "AUC") if is_known(members.get("auc")) else ("accuracy", "accuracy")
        return (word, f"{within(number(members[name]['value'])):.3f}") if name in members else ("", "")


def _f1(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    return binary.of_matrix(cells)["f1"]


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
