"""Has the model become worse? Its figures on labels that arrived later, against those it was registered with.

Three figures are compared with the registered baseline, each by a p-value and a smallest difference that matters, with
Holm's correction over them:

- AUC: one-sided z-test of the drop of its logit, which is distributed more evenly than the AUC itself (Pepe 2003, The
  Statistical Evaluation of Medical Tests for Classification and Prediction, 5.2); standard deviations by DeLong
  (DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595) or, where the baseline's file gives none, by Hanley
  and McNeil 1982 (doi:10.1148/radiology.143.1.7063747).
- Brier score: one-sided z-test of the rise; the baseline's rows are taken to vary as the labelled ones do.
- Calibration in the large: two-sided z-test of the mean of label minus probability, whose variance is that of labels
  which do follow their probabilities (Cox 1958, doi:10.1093/biomet/45.3-4.562).

Constraints in AWS's form (`binary_classification_constraints`) are held too: a figure violates its threshold only if
it lies on the wrong side of it significantly (the AUC by DeLong; shares and F-scores by 4,000 draws of the confusion
matrix).

Error rates (`python -m bench.monitor.quality_rates`, against a baseline of 180 rows): of 2,000 jobs of 48, 200 and
1,000 labels in which nothing had changed, 7, 10 and 21 raised an alarm; where a third of the probabilities were other
rows', 22, 63 and 88 % did. Few labels can't show more.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steps.monitor import significance
from steps.monitor.failures import BadBaseline, read_json

METRICS = "binary_classification_metrics"
CONSTRAINTS = "binary_classification_constraints"
FALSE_ALARM_RATE = 0.01
"""The chance that a model that is as good as when it was registered raises an alarm, over all figures."""

LEAST_ROWS, LEAST_PER_CLASS = 20, 5
"""Labelled rows, and those of either label, below which nothing is concluded."""

SMALLEST = {"auc": 0.02, "brier": 0.02, "calibration": 0.03}
"""The smallest differences that matter."""

BINS = 10
DRAWS = 4_000
NORMAL = NormalDist()
OPERATORS = {"LessThanThreshold": -1, "GreaterThanThreshold": 1}


@dataclass(frozen=True)
class Figures:
    """What is known of a model's quality on some rows; NaN where it isn't known."""

    rows: int
    auc: float
    auc_deviation: float
    brier: float
    bias: float
    """Mean of label minus probability."""
    calibration: list[tuple[float, float, int]] = field(default_factory=list)
    """Per bin: mean probability, share of positives, rows."""


@dataclass
class Drop:
    """One figure against the baseline or a constraint."""

    name: str
    now: float
    before: float
    effect: float
    effect_threshold: float
    p_value: float
    sentence: str
    kind: str = "baseline_drift_check"
    p_threshold: float = 0.0

    @property
    def violated(self) -> bool:
        """Whether the model is worse, by more than matters and than chance explains."""
        return self.effect > self.effect_threshold and self.p_value <= self.p_threshold


def delong(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> tuple[float, float]:
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


def figures(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Figures:
    """Return the figures of labelled rows."""
    area, deviation = delong(labels, probabilities)
    places = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    bins = [
        (float(probabilities[places == place].mean()), float(labels[places == place].mean()), int(count))
        for place, count in enumerate(np.bincount(places, minlength=BINS).tolist())
        if count
    ]
    error = labels - probabilities
    return Figures(len(labels), area, deviation, float((error**2).mean()), float(error.mean()), bins)


def read_baseline(file: Path) -> Figures:
    """Return the figures of an evaluation.json, or of a statistics.json of a model's quality.

    Raises:
        BadBaseline: the file isn't one.
    """
    content = read_json(file)
    try:
        found = content[METRICS]
        matrix = found["confusion_matrix"]
        negative, positive = (sum(int(count) for count in matrix[label].values()) for label in ("0", "1"))
        area = float(found["auc"]["value"])
        deviation = _number(found["auc"].get("standard_deviation"))
        if math.isnan(deviation):
            deviation = hanley(area, positive, negative)
        bins = [
            (float(each["predicted"]), _observed(each["observed"]), int(each["rows"]))
            for each in found.get("calibration", [])
        ]
        rows = sum(count for _, _, count in bins)
        bias = sum((share - mean) * count for mean, share, count in bins) / rows if rows else math.nan
        brier = _number(found["brier"]["value"]) if "brier" in found else math.nan
        return Figures(positive + negative, area, deviation, brier, bias, bins)
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        raise BadBaseline(f"{file.name}: has no {METRICS} in SageMaker's form.") from None


def _number(value: Any) -> float:
    return math.nan if value in (None, "NaN") else float(value)


def _observed(value: Any) -> float:
    return float(value["value"] if isinstance(value, dict) else value)


def compare(labels: NDArray[np.int64], probabilities: NDArray[np.float64], now: Figures, before: Figures) -> list[Drop]:
    """Return what has become of each figure that the baseline knows."""
    (was, was_spread), (is_now, now_spread) = _logit(before), _logit(now)
    p = _upper(was - is_now, math.hypot(was_spread, now_spread))
    sentence = f"The AUC is {now.auc:.3f}; it was {before.auc:.3f}."
    found = [Drop("auc", now.auc, before.auc, before.auc - now.auc, SMALLEST["auc"], p, sentence)]
    errors = (labels - probabilities) ** 2
    per_row = 1 / now.rows + 1 / max(1, before.rows)
    if not math.isnan(before.brier):
        rise, spread = now.brier - before.brier, float(errors.std(ddof=1)) * math.sqrt(per_row)
        sentence = f"The Brier score is {now.brier:.3f}; it was {before.brier:.3f}."
        found.append(Drop("brier", now.brier, before.brier, rise, SMALLEST["brier"], _upper(rise, spread), sentence))
    if not math.isnan(before.bias):
        apart = abs(now.bias - before.bias)
        spread = math.sqrt(float((probabilities * (1 - probabilities)).mean()) * per_row)
        sentence = (
            f"Positives are {100 * now.bias:+.1f} points off their probabilities; they were {100 * before.bias:+.1f}."
        )
        p = min(1.0, 2 * _upper(apart, spread))
        found.append(Drop("calibration", now.bias, before.bias, apart, SMALLEST["calibration"], p, sentence))
    return found


def _logit(found: Figures) -> tuple[float, float]:
    """Return the logit of the AUC and its standard deviation; a perfect AUC is taken for half a row less."""
    edge = 1 / (2 * max(2, found.rows))
    area = min(1 - edge, max(edge, found.auc))
    return math.log(area / (1 - area)), max(found.auc_deviation, edge) / (area * (1 - area))


def _upper(value: float, deviation: float) -> float:
    """Return the chance of a normal variable this far above 0."""
    if deviation <= 0:
        return 0.0 if value > 0 else 1.0
    return NORMAL.cdf(-value / deviation)


def metrics(labels: NDArray[np.int64], probabilities: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    """Return `binary_classification_metrics` in the form of Model Monitor's statistics.json.

    The form: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html; Brier score and
    calibration are added.
    """
    now = figures(labels, probabilities)
    matrix = confusion(labels, probabilities, threshold)
    (tn, fp), (fn, tp) = matrix.tolist()
    found: dict[str, Any] = {"confusion_matrix": {"0": {"0": tn, "1": fp}, "1": {"0": fn, "1": tp}}}
    for name, value in _of_matrix(matrix.reshape(1, 4).astype(float)).items():
        found[name] = {"value": float(value[0]), "standard_deviation": "NaN"}
    found["auc"] = {"value": now.auc, "standard_deviation": now.auc_deviation}
    found["brier"] = {"value": now.brier, "standard_deviation": "NaN"}
    found["calibration"] = [
        {"predicted": mean, "observed": {"value": share}, "rows": rows} for mean, share, rows in now.calibration
    ]
    return found


def confusion(labels: NDArray[np.int64], probabilities: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Return the counts [[true negative, false positive], [false negative, true positive]]."""
    predicted = (probabilities >= threshold).astype(np.int64)
    return np.bincount(2 * labels + predicted, minlength=4).reshape(2, 2).astype(np.int64)


def _of_matrix(cells: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
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


def held(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], threshold: float, limits: dict[str, Any], file: str
) -> list[Drop]:
    """Return the outcome of each constraint in AWS's form.

    Raises:
        BadBaseline: a constraint isn't in that form.
    """
    matrix = confusion(labels, probabilities, threshold).reshape(4)
    now = {name: float(value[0]) for name, value in _of_matrix(matrix.reshape(1, 4).astype(float)).items()}
    rng = np.random.default_rng(significance.SEED)
    drawn = _of_matrix(rng.multinomial(int(matrix.sum()), matrix / matrix.sum(), DRAWS).astype(float))
    area, deviation = delong(labels, probabilities)
    found = []
    for name, limit in limits.items():
        try:
            allowed, operator = float(limit["threshold"]), str(limit["comparison_operator"])
            side = OPERATORS[operator]
        except (KeyError, TypeError, ValueError):
            raise BadBaseline(f"{file}: the constraint {name} isn't in SageMaker's form.") from None
        if name == "auc":
            value, p = area, _upper(side * (area - allowed), deviation)
        elif name in drawn:
            # The chance that a draw lies on the allowed side, if the matrix is as it was found.
            value, p = now[name], float((side * (drawn[name] - allowed) <= 0).mean())
        elif name.endswith("_best_constant_classifier"):
            continue
        else:
            raise BadBaseline(f"{file}: the constraint {name} is about a figure that this container doesn't compute.")
        wrong = side * (value - allowed)
        sentence = f"Metric {name} with {value:.3f} was {operator} {allowed:g}."
        found.append(Drop(name, value, allowed, wrong, 0.0, p, sentence, operator))
    return found


def correct(drops: list[Drop]) -> None:
    """Set the thresholds of the p-values, by Holm's correction over all of them."""
    thresholds = significance.holm([drop.p_value for drop in drops], FALSE_ALARM_RATE)
    for drop, threshold in zip(drops, thresholds, strict=True):
        drop.p_threshold = threshold


def suggest(found: dict[str, Any]) -> dict[str, Any]:
    """Return constraints.json for a baseline: each figure may not become worse than it is."""
    worse_above = ("false_positive_rate", "false_negative_rate")
    return {
        "version": 0.0,
        CONSTRAINTS: {
            name: {
                "threshold": value["value"],
                "comparison_operator": "GreaterThanThreshold" if name in worse_above else "LessThanThreshold",
            }
            for name, value in found.items()
            if isinstance(value, dict) and "value" in value and name != "brier"
        },
    }


def enough(labels: NDArray[np.int64]) -> bool:
    """Whether there are labels enough to conclude anything."""
    positive = int(labels.sum())
    return len(labels) >= LEAST_ROWS and min(positive, len(labels) - positive) >= LEAST_PER_CLASS
