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
- Bias: two-sided z-test of the mean of label minus prediction, in RMSEs of the baseline. SageMaker doesn't have it.

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
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steps.monitor import significance
from steps.monitor.failures import UnreadableBatch
from steps.monitor.quality import problems
from steps.monitor.quality.problems import (
    INFERENCE,
    Baseline,
    MetricComparison,
    Problem,
    ThresholdTest,
    member,
    number,
    upper_tail,
    within,
)

MIN_EFFECT = {"mae": 0.05, "rmse": 0.05, "r2": 0.02, "bias": 0.1}
"""The smallest effects that count: shares of the baseline's MAE and RMSE, R² itself, and RMSEs."""

BINS = 10
MIN_PER_BIN = 5
AWS_DEVIATIONS = 2
"""A metric's standard error in deviations of draws of 80 % of its rows without replacement: 1 / √(1 / 0.8 - 1)."""

UNKNOWN_ROWS, UNKNOWN_ROWS_FEW = 200, problems.MIN_ROWS
"""Rows of a baseline that doesn't say how many: AWS gives standard deviations from 200 samples on."""

BLOCKS, DRAWS = 250, 1_000
ROWS_PER_FREEDOM = 8
LARGEST = 1e100
"""Numbers beyond this are none: their squares can't be added up."""

RESIDUALS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
"""Edges of the residuals' bins, in RMSEs."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Labels and predictions, both of shape (rows,)."""

    labels: Numbers
    predictions: Numbers

    @cached_property
    def errors(self) -> Numbers:
        """Labels minus predictions."""
        return self.labels - self.predictions

    @cached_property
    def ratio_deviation(self) -> float:
        """Standard deviation of log(1 - R²), by draws."""
        rng = np.random.default_rng(significance.SEED)
        blocks = min(BLOCKS, len(self.labels))
        centred = self.labels - self.labels.mean()
        parts = np.stack([self.errors**2, centred, centred**2, np.ones_like(centred)])
        # Which rows make a block is a matter of chance, so that no order of the rows matters.
        positions = rng.permutation(parts.shape[1]) % blocks
        sums = np.stack([np.bincount(positions, part, blocks) for part in parts])
        squares, firsts, seconds, count = sums[:, rng.integers(0, blocks, (DRAWS, blocks))].sum(axis=2)
        around = seconds - firsts**2 / count
        return float(_log(squares[around > 0] / around[around > 0]).std(ddof=1))


def _log(ratio: Any) -> Any:
    """Return the logarithm of 1 - R²; a perfect model's is finite."""
    return np.log(np.maximum(ratio, 1e-12))


def r_squared(rows: Rows) -> float:
    """Return R², NaN where all labels are equal."""
    around = float(((rows.labels - rows.labels.mean()) ** 2).sum())
    # What is left of equal labels by rounding their mean is no spread.
    if around <= len(rows.labels) * (1e-12 * float(np.abs(rows.labels).max())) ** 2:
        return math.nan
    return 1 - float((rows.errors**2).sum()) / around


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
    calibration: list[tuple[float, float, int]] = field(default_factory=list)
    """Per bin: mean prediction, mean label, rows."""
    residuals: list[int] = field(default_factory=list)
    """Rows per bin of RESIDUALS, the outer ones included, in RMSEs of these rows themselves."""

    @property
    def rmse(self) -> float:
        """Return the root of the mean squared error."""
        return math.sqrt(self.mse)


def measure(rows: Rows) -> Metrics:
    """Return the metrics of labelled rows."""
    errors = rows.errors
    mse = float((errors**2).mean())
    found = Metrics(len(errors), float(np.abs(errors).mean()), mse, r_squared(rows), float(errors.mean()))
    return Metrics(**{**vars(found), "calibration": _bins(rows), "residuals": spread(errors, math.sqrt(mse))})


def spread(errors: Numbers, unit: float) -> list[int]:
    """Return the rows per bin of RESIDUALS, in units."""
    positions = np.searchsorted(RESIDUALS, errors / unit if unit > 0 else errors, side="right")
    return np.bincount(positions, minlength=len(RESIDUALS) + 1).tolist()


def _bins(rows: Rows) -> list[tuple[float, float, int]]:
    """Return bins of about as many rows each, by their predictions; equal predictions stay together."""
    order = np.argsort(rows.predictions, kind="stable")
    predictions, labels = rows.predictions[order], rows.labels[order]
    many = max(1, min(BINS, len(order) // MIN_PER_BIN))
    edges = predictions[np.arange(1, many) * len(order) // many]
    starts = np.unique([0, *np.searchsorted(predictions, edges), len(order)])
    found: list[tuple[float, float, int]] = []
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        if end - start >= MIN_PER_BIN:
            found.append((float(predictions[start:end].mean()), float(labels[start:end].mean()), end - start))
    return found


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
        rise = float(_log(1 - now.r2) - _log(1 - before.r2))
        p = upper_tail(rise, math.hypot(rows.ratio_deviation, old), min(now.rows, before.rows) / ROWS_PER_FREEDOM)
        sentence = f"R² is {now.r2:.3f}; it was {before.r2:.3f}."
        found.append(MetricComparison("r2", now.r2, before.r2, before.r2 - now.r2, MIN_EFFECT["r2"], p, sentence))
    if not math.isnan(before.bias):
        apart = abs(now.bias - before.bias)
        p = min(1.0, 2 * upper_tail(apart, float(errors.std(ddof=1)) * per_row, freedom))
        effect = _share(apart, before.rmse)
        means = [problems.short(each, "+") for each in (now.bias, before.bias)]
        sentence = f"Labels are {means[0]} off their predictions on average; they were {means[1]}: {effect:.2f} RMSEs."
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

    name = "Regression"
    key = "regression"
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
        """Return `regression_metrics`; bias, calibration and residuals are added to SageMaker's members."""
        now, root = measure(rows), math.sqrt(len(rows.labels))
        squares = float((rows.errors**2).std(ddof=1)) / root
        undefined = math.isnan(now.r2)
        return {
            "mae": member(now.mae, float(np.abs(rows.errors).std(ddof=1)) / root),
            "mse": member(now.mse, squares),
            "rmse": member(now.rmse, squares / (2 * now.rmse) if now.rmse > 0 else 0.0),
            "r2": member(now.r2, math.nan if undefined else (1 - now.r2) * rows.ratio_deviation),
            "bias": member(now.bias, float(rows.errors.std(ddof=1)) / root),
            "calibration": [
                {"predicted": mean, "observed": {"value": label}, "rows": count}
                for mean, label, count in now.calibration
            ],
            "residuals": {"edges": list(RESIDUALS), "rows": now.residuals},
        }

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
            (float(each["predicted"]), float(each["observed"]["value"]), int(each["rows"]))
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
                beyond = -side * float(_log(1 - now.r2) - _log(1 - allowed))
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
        return "" if problems.is_known(members.get("r2")) else " R² is undefined, because all labels are equal."

    def pictures(self, rows: Rows, members: Mapping[str, Any], before: Baseline | None) -> str:
        """Return predictions against labels, and the residuals."""
        from steps.monitor.report import quality_charts

        now = measure(rows)
        old: Metrics | None = before.metrics if before else None
        unit = old.rmse if old and old.residuals and old.rmse > 0 else now.rmse
        return quality_charts.regression_of(now, spread(rows.errors, unit), old, unit)


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
