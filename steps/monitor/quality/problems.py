"""Has the model become worse? What the three problem types of SageMaker Model Monitor have in common.

Each problem type is a module of its own (`binary`, `multiclass`, `regression`) with one class, a `Problem`: it reads
labels and predictions, measures metrics in SageMaker's form, and compares them with the registered baseline. Each
comparison is a `MetricComparison`: how much worse the metric is, the smallest effect that counts, and a p-value. A
model is worse where a metric is worse by more than that and than chance explains, with Holm's correction over all
metrics.

Constraints in AWS's form (`threshold` and `comparison_operator`) are checked too: a metric violates its threshold only
if it lies on the wrong side of it significantly.

The problem types, their members and their constraints: docs.aws.amazon.com/sagemaker/latest/dg/
model-monitor-model-quality-metrics.html and model-monitor-model-quality-baseline.html. There, standard deviations are
those of five draws of 80 % of the rows, which is about half of a metric's standard error: where one is used at all, as
for R², it is taken twice.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from steps.common.quality.members import CONSTANT, is_known
from steps.monitor import significance
from steps.monitor.contract import Job
from steps.monitor.failures import BadBaseline, BadSetting, read_json

FALSE_ALARM_RATE = 0.01
"""The chance that a model that is as good as when it was registered raises an alarm, over all metrics."""

MIN_ROWS, MIN_PER_CLASS = 20, 5
"""Labelled rows, and those of a class, below which nothing is concluded."""

LARGEST_THRESHOLD = 1e300
OPERATORS = {"LessThanThreshold": -1, "GreaterThanThreshold": 1}
INFERENCE, PROBABILITY = "inference_attribute", "probability_attribute"
THRESHOLD = "probability_threshold_attribute"

BASELINE = "baseline_drift_check"
"""The kind of a comparison with the registered baseline; others are of a constraint's operator."""

ThresholdTest = Callable[[str, float, int], tuple[float, float] | None]
"""Takes a metric's name, its threshold and the wrong side (-1 below, 1 above); returns the metric and the p-value."""


@dataclass
class MetricComparison:
    """One metric against the baseline or a constraint."""

    name: str
    now: float
    before: float
    effect: float
    effect_threshold: float
    p_value: float
    sentence: str
    kind: str = BASELINE
    p_threshold: float = 0.0

    @property
    def violated(self) -> bool:
        """Whether the model is worse, by more than matters and than chance explains."""
        return self.effect > self.effect_threshold and self.p_value <= self.p_threshold


@dataclass(frozen=True)
class Baseline:
    """The registered metrics: those that the problem type compares, and the one that the verdict names."""

    metrics: Any
    headline: tuple[str, str]


class Problem(ABC):
    """A problem type: what its labels and predictions are, and how they are evaluated."""

    name: ClassVar[str]
    """Value of `problem_type`."""
    key: ClassVar[str]
    """The members' key in statistics.json, without `_metrics`."""
    main_variable: ClassVar[str] = INFERENCE
    """The variable that says where predictions stand, where there is one only."""
    json_key: ClassVar[str] = "prediction"
    """The predictions' key in JSON lines."""
    variables: ClassVar[tuple[str, ...]] = (INFERENCE,)
    """The variables that are looked at."""
    settings: ClassVar[tuple[str, ...]] = ()
    """Further variables that mean something."""
    default_column: ClassVar[str | None] = None
    """The column of merged records where `main_variable` isn't set; None where it has to be."""
    worse_above: ClassVar[frozenset[str]] = frozenset()
    """Metrics that are worse the larger they are."""
    extra_metrics: ClassVar[frozenset[str]] = frozenset()
    """Metrics that SageMaker doesn't have."""

    def __init__(self, job: Job) -> None:
        """Read the settings.

        Raises:
            BadSetting: one holds what it can't, or has no meaning here.
        """
        known = (*self.variables, *self.settings)
        useless = [name for name in (INFERENCE, PROBABILITY, THRESHOLD) if job.environment.get(name)]
        for variable in useless:
            if variable not in known:
                raise BadSetting(f"{variable} is set: {self.name} has no use for it.")
        self.attributes = {name: job.environment[name] for name in self.variables if job.environment.get(name)}

    def wanted(self, default: str | None) -> dict[str, str]:
        """Return which cell each variable names; the default is the one that is needed.

        Raises:
            BadSetting: there is neither a variable nor a default.
        """
        if self.attributes:
            return self.attributes
        if default is None:
            raise BadSetting(f"{self.main_variable} is not set: {self.name} needs it.")
        return {self.main_variable: default}

    @abstractmethod
    def truth(self, cell: Any, location: str) -> Any:
        """Return a label, or raise UnreadableBatch naming the place, which says its column."""

    @abstractmethod
    def prediction(self, cells: Mapping[str, Any], location: str) -> Any:
        """Return a prediction, None where the row wasn't scored, or raise UnreadableBatch naming the place."""

    @abstractmethod
    def rows(self, truths: Sequence[Any], predictions: Sequence[Any]) -> Any:
        """Return labelled rows as arrays."""

    @abstractmethod
    def lacking(self, rows: Any) -> str:
        """Return what there is not enough of to conclude anything, or nothing."""

    def mismatch(self, rows: Any, before: Any) -> str:
        """Return why predictions can't be about the same thing as labels and baseline metrics, or nothing."""
        return ""

    @abstractmethod
    def members(self, rows: Any) -> dict[str, Any]:
        """Return the members of `<key>_metrics` in statistics.json."""

    @abstractmethod
    def baseline_metrics(self, members: Mapping[str, Any], rows: int) -> Any:
        """Return what a baseline's members say; `rows` are theirs, if the file says it, else 0.

        Any error of a look-up or a number stands for members that aren't in SageMaker's form.
        """

    @abstractmethod
    def compare(self, rows: Any, before: Any) -> list[MetricComparison]:
        """Return the comparison of each metric that the baseline's metrics know."""

    @abstractmethod
    def threshold_test(self, rows: Any) -> ThresholdTest:
        """Return how to compare a metric with a threshold; its answer is None for an unknown metric."""

    @abstractmethod
    def headline(self, members: Mapping[str, Any]) -> tuple[str, str]:
        """Return the name of the metric that the verdict names, and its value as text; empty where it isn't known."""

    def note(self, members: Mapping[str, Any]) -> str:
        """Return what has to be said beside the verdict."""
        return ""


def read_baseline(file: Path, problem: Problem) -> Baseline:
    """Return the metrics of an evaluation.json, or of a statistics.json of a model's quality.

    Raises:
        BadBaseline: the file isn't one.
    """
    content = read_json(file, "baseline_statistics")
    try:
        members = content[f"{problem.key}_metrics"]
        rows = (content.get("dataset") or {}).get("item_count", content.get("rows", 0))
        return Baseline(problem.baseline_metrics(members, int(rows)), problem.headline(members))
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError, OverflowError):
        raise BadBaseline(f"{file.name}: has no {problem.key}_metrics in SageMaker's form.") from None


def read_limits(file: Path, problem: Problem) -> dict[str, Any]:
    """Return the constraints of a file in AWS's form.

    Raises:
        BadBaseline: it has none.
    """
    limits = read_json(file, "baseline_constraints").get(f"{problem.key}_constraints")
    if not isinstance(limits, dict):
        raise BadBaseline(f"{file.name}: has no {problem.key}_constraints in SageMaker's form.")
    return limits


def within(value: float, low: float = 0.0, high: float = 1.0) -> float:
    """Return a baseline's number, which NaN may be.

    Raises:
        ValueError: it lies outside of what such a metric can be.
    """
    if not (math.isnan(value) or low <= value <= high):
        raise ValueError("a metric out of its range")
    return value


def short(value: float, sign: str = "") -> str:
    """Return a number of any size with four digits: 12,350 or 0.1235."""
    return f"{float(f'{value:.4g}'):{sign},.12g}"


def compare_with_limits(limits: Mapping[str, Any], threshold_test: ThresholdTest, file: str) -> list[MetricComparison]:
    """Return the outcome of each constraint in AWS's form.

    Raises:
        BadBaseline: a constraint isn't in that form.
    """
    found = []
    for name, limit in limits.items():
        try:
            given, operator = limit["threshold"], str(limit["comparison_operator"])
            allowed, side = float(given), OPERATORS[operator]
        except (KeyError, TypeError, ValueError, OverflowError):
            raise BadBaseline(f"{file}: the constraint {name} isn't in SageMaker's form.") from None
        if isinstance(given, bool) or not abs(allowed) <= LARGEST_THRESHOLD:
            raise BadBaseline(f"{file}: the threshold of the constraint {name} is not a finite number.")
        if name.endswith(CONSTANT):
            continue
        result = threshold_test(name, allowed, side)
        if result is None:
            raise BadBaseline(f"{file}: the constraint {name} is about a metric that this container doesn't compute.")
        value, p = result
        if math.isnan(value):
            found.append(
                MetricComparison(name, value, allowed, 0.0, 0.0, 1.0, f"Metric {name} is undefined here.", operator)
            )
            continue
        sentence = f"Metric {name} with {short(value)} was {operator} {allowed:g}."
        found.append(MetricComparison(name, value, allowed, side * (value - allowed), 0.0, p, sentence, operator))
    return found


def correct(comparisons: Sequence[MetricComparison]) -> None:
    """Set the thresholds of the p-values, by Holm's correction over all of them."""
    thresholds = significance.holm([comparison.p_value for comparison in comparisons], FALSE_ALARM_RATE)
    for comparison, threshold in zip(comparisons, thresholds, strict=True):
        comparison.p_threshold = threshold


def suggest(found: Mapping[str, Any], problem: Problem) -> dict[str, Any]:
    """Return constraints.json for a baseline: each metric may not become worse than it is."""
    return {
        "version": 0.0,
        f"{problem.key}_constraints": {
            name: {
                "threshold": value["value"],
                "comparison_operator": "GreaterThanThreshold" if name in problem.worse_above else "LessThanThreshold",
            }
            for name, value in found.items()
            if is_known(value) and name not in problem.extra_metrics
        },
    }
