"""Regression: numbers against predicted numbers.

Metrics are compared with the registered baseline, of which the four metrics of AWS's analyzer are enough. Its rows are
those of `dataset.item_count`; a file that doesn't say them counts as of 200, or of 20 where it gives no deviation, as
AWS gives these from 200 samples on.

- MAE and RMSE: one-sided z-test of the rise of the mean absolute and the mean squared error, with the errors' own
  variance per row (Diebold and Mariano 1995, doi:10.1080/07350015.1995.10524599, for independent rows); the baseline's
  rows are taken to vary as the labelled ones do. Student's t stands for the normal variable where rows are few. Large
  errors make a sample's mean and deviation large together, which makes these tests careful.
- R²: one-sided z-test of the rise of log(1 - R²), the ratio of two sums of squares, whose deviation is that of 1,000
  draws of the labelled rows (the bootstrap, Efron 1979, doi:10.1214/aos/1176344552); more than 250 rows are drawn in
  250 blocks, which has the same spread. The baseline's is the larger one of the same, for its number of rows, and of
  what its file says (AWS's five draws of 80 % of rows have half of the deviation). Large errors weigh doubly here, so
  Student's t has one degree of freedom for 8 rows: with it, normal, t-distributed and lognormal errors keep the rate.
- Bias: z-test of how much farther from 0 the mean of label minus prediction is, in RMSEs of the baseline, as for the
  calibration of binary classification. SageMaker doesn't have it.

R² is undefined where all labels are equal: it is left out, and the verdict says so. Constraints on errors are held by
the same tests.

The members: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html. `inference_attribute`
names the prediction.

`docs/measured.md` says how often this was wrong, and how often drift was found.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from steps.common.quality import regression
from steps.common.quality.members import Bin, is_known, number
from steps.common.quality.regression import RESIDUALS, Rows, log_ratio
from steps.monitor.failures import UnreadableBatch
from steps.monitor.quality import problems
from steps.monitor.quality.problems import (
    INFERENCE,
    MetricComparison,
    Problem,
    ThresholdTest,
    within,
)
from steps.monitor.significance import upper_tail

MIN_EFFECT = {"mae": 0.05, "rmse": 0.05, "r2": 0.02, "bias": 0.1}
"""The smallest effects that count: shares of the baseline's MAE and RMSE, R² itself, and RMSEs."""

AWS_DEVIATIONS = 2
"""A metric's standard error in deviations of draws of 80 % of its rows without replacement: 1 / √(1 / 0.8 - 1)."""

UNKNOWN_ROWS, UNKNOWN_ROWS_FEW = 200, problems.MIN_ROWS
"""Rows of a baseline that doesn't say how many: AWS gives standard deviations from 200 samples on."""

ROWS_PER_FREEDOM = 8
LARGEST = 1e100
"""Numbers beyond this are none: their squares can't be added up."""


@dataclass(frozen=True)
class Metrics:
    """What is known of a model's quality on some rows; NaN where it isn't known."""

    rows: int
    mae: float
    mse: float
    r2: float
    bias: float = math.nan
    """Mean of label minus prediction."""
    ratio_deviation: float = 0.0
    """Standard deviation of log(1 - R²), as far as a baseline's file says it."""
    calibration: list[Bin] = field(default_factory=list)
    residuals: list[int] = field(default_factory=list)
    """Rows per bin of RESIDUALS, the outer ones included, in RMSEs of these rows themselves."""

    @property
    def rmse(self) -> float:
        """Return the root of the mean squared error."""
        return math.sqrt(self.mse)


def measure(rows: Rows) -> Metrics:
    """Return the metrics of labelled rows."""
    return Metrics(
        len(rows.labels),
        rows.mae,
        rows.mse,
        rows.r2,
        rows.bias,
        calibration=rows.calibration,
        residuals=rows.residuals(rows.rmse),
    )


def compare(rows: Rows, before: Metrics) -> list[MetricComparison]:
    """Return the comparison of each metric that the baseline knows."""
    now, errors = measure(rows), rows.errors
    freedom = min(now.rows, before.rows) - 1
    found = []
    absolute, squared = np.abs(errors), errors**2
    per_row = math.sqrt(1 / now.rows + 1 / before.rows)
    p = upper_tail(now.mae - before.mae, float(absolute.std(ddof=1)) * per_row, freedom)
    found.append(_rise("mae", now.mae, before.mae, p))
    p = upper_tail(now.mse - before.mse, float(squared.std(ddof=1)) * per_row, freedom)
    found.append(_rise("rmse", now.rmse, before.rmse, p))
    if not math.isnan(now.r2) and not math.isnan(before.r2):
        old = max(rows.ratio_deviation * math.sqrt(now.rows / before.rows), before.ratio_deviation)
        rise = float(log_ratio(1 - now.r2) - log_ratio(1 - before.r2))
        p = upper_tail(rise, math.hypot(rows.ratio_deviation, old), min(now.rows, before.rows) / ROWS_PER_FREEDOM)
        sentence = f"R² is {now.r2:.3f}; it was {before.r2:.3f}."
        found.append(MetricComparison("r2", now.r2, before.r2, before.r2 - now.r2, MIN_EFFECT["r2"], p, sentence))
    if not math.isnan(before.bias):
        farther = abs(now.bias) - abs(before.bias)
        p = min(1.0, 2 * upper_tail(farther, float(errors.std(ddof=1)) * per_row, freedom))
        effect = _share(farther, before.rmse)
        means = [problems.short(each, "+") for each in (now.bias, before.bias)]
        sentence = f"Labels are {means[0]} off their predictions on average; they were {means[1]}: {effect:+.2f} RMSEs."
        found.append(MetricComparison("bias", now.bias, before.bias, effect, MIN_EFFECT["bias"], p, sentence))
    return found


def _rise(name: str, now: float, before: float, p: float) -> MetricComparison:
    rise = _share(now - before, before)
    sentence = f"The {name.upper()} is {problems.short(now)}; it was {problems.short(before)}: {100 * rise:+.0f} %."
    return MetricComparison(name, now, before, rise, MIN_EFFECT[name], p, sentence)


def _share(part: float, whole: float) -> float:
    """Return a share; whatever is more than nothing is all of it."""
    return part / whole if whole > 0 else float(part > 0)


class Regression(Problem):
    """The problem type Regression."""

    name = regression.NAME
    key = regression.KEY
    worse_above = frozenset({"mae", "mse", "rmse"})
    extra_metrics = frozenset({"bias"})

    def truth(self, cell: Any, location: str) -> float:
        """Return a label."""
        return _number(cell, location)

    def prediction(self, cells: Mapping[str, Any], location: str) -> float | None:
        """Return a prediction; none is empty or NaN."""
        cell = cells[INFERENCE]
        if cell is None or str(cell).strip().lower() in ("", "nan"):
            return None
        return _number(cell, f"{location}, {INFERENCE}")

    def rows(self, truths: Sequence[float], predictions: Sequence[float]) -> Rows:
        """Return labelled rows as arrays."""
        return Rows(np.array(truths, dtype=float), np.array(predictions, dtype=float))

    def lacking(self, rows: Rows) -> str:
        """Return what there is not enough of."""
        return "" if len(rows.labels) >= problems.MIN_ROWS else "labels"

    def members(self, rows: Rows) -> dict[str, Any]:
        """Return `regression_metrics`."""
        return regression.members(rows)

    def baseline_metrics(self, members: Mapping[str, Any], rows: int) -> Metrics:
        """Return what a baseline's members say."""
        known = {name: number(members[name]["value"]) for name in ("mae", "mse", "rmse") if name in members}
        mse = known.get("mse", known.get("rmse", math.nan) ** 2)
        mae, count = known["mae"], _known_rows(rows, {name: members[name] for name in known})
        if not (math.isfinite(mse) and math.isfinite(mae) and mse >= 0 and mae >= 0):
            raise ValueError("errors that are none")
        if known.get("rmse", 0.0) < 0:
            raise ValueError("errors that are none")
        r2, bias = (number(members[name]["value"]) if name in members else math.nan for name in ("r2", "bias"))
        bins = [
            Bin(float(each["predicted"]), float(each["observed"]["value"]), int(each["rows"]))
            for each in members.get("calibration", [])
        ]
        within(r2, -sys.float_info.max)
        within(bias, -sys.float_info.max, sys.float_info.max)
        if not all(math.isfinite(mean) and math.isfinite(label) and size > 0 for mean, label, size in bins):
            raise ValueError("bins that are none")
        residuals = members.get("residuals") or {}
        counts = [int(each) for each in residuals.get("rows", [])] if residuals.get("edges") == list(RESIDUALS) else []
        deviation = number(members["r2"].get("standard_deviation")) if "r2" in members else math.nan
        if not (deviation > 0 and r2 < 1):
            deviation = 0.0
        elif "bias" not in members:
            deviation *= AWS_DEVIATIONS
        return Metrics(count, mae, mse, r2, bias, deviation / (1 - r2) if deviation else 0.0, bins, counts)

    def compare(self, rows: Rows, before: Metrics) -> list[MetricComparison]:
        """Return the comparison of each metric."""
        return compare(rows, before)

    def threshold_test(self, rows: Rows) -> ThresholdTest:
        """Return how to compare a metric with a threshold."""
        now, root = measure(rows), math.sqrt(len(rows.labels))
        freedom = len(rows.labels) - 1

        def of(name: str, allowed: float, side: int) -> tuple[float, float] | None:
            if name == "r2":
                if math.isnan(now.r2):
                    return math.nan, 1.0
                beyond = -side * float(log_ratio(1 - now.r2) - log_ratio(1 - allowed))
                return now.r2, upper_tail(beyond, rows.ratio_deviation, len(rows.labels) / ROWS_PER_FREEDOM)
            if name == "mae":
                deviation = float(np.abs(rows.errors).std(ddof=1)) / root
                return now.mae, upper_tail(side * (now.mae - allowed), deviation, freedom)
            if name in ("mse", "rmse"):
                limit = allowed if name == "mse" else allowed * abs(allowed)
                deviation = float((rows.errors**2).std(ddof=1)) / root
                return getattr(now, name), upper_tail(side * (now.mse - limit), deviation, freedom)
            return None

        return of

    def headline(self, members: Mapping[str, Any]) -> tuple[str, str]:
        """Return the RMSE."""
        value = number(members["rmse"]["value"]) if "rmse" in members else math.sqrt(number(members["mse"]["value"]))
        return "RMSE", problems.short(value)

    def note(self, members: Mapping[str, Any]) -> str:
        """Say where R² is undefined."""
        return "" if is_known(members.get("r2")) else " R² is undefined, because all labels are equal."


def _number(cell: Any, location: str) -> float:
    text = str(cell).strip()
    try:
        # Python's own way to write a number, 1_000, is nobody else's.
        found = float(text.replace("_", "x"))
    except ValueError:
        raise UnreadableBatch(f"{location}: not a number.") from None
    if not abs(found) <= LARGEST:
        raise UnreadableBatch(f"{location}: not a finite number.")
    return found


def _known_rows(rows: int, given: Mapping[str, Any]) -> int:
    """Return how many rows a baseline's metrics stand for."""
    if rows > 0:
        return rows
    deviations = [number(each["standard_deviation"]) for each in given.values() if "standard_deviation" in each]
    return UNKNOWN_ROWS if any(map(math.isfinite, deviations)) else UNKNOWN_ROWS_FEW
