"""constraints.json: what a batch must satisfy, suggested from the baseline, in SageMaker's documented form.

Every threshold of every check is read from here. What is not SageMaker's own is marked in `DEFAULTS`.
"""

import copy
import difflib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from steps.monitor.data.histograms import ALL_BITS, Column, Numbers, Table, Texts
from steps.monitor.drift.statistics import inferred_type
from steps.monitor.failures import BadBaseline, read_json

DEFAULTS: dict = {
    "evaluate_constraints": "Enabled",
    "emit_metrics": "Enabled",
    "datatype_check_threshold": 1.0,
    "domain_content_threshold": 0.98,
    "distribution_constraints": {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.05,
        "comparison_method": "Robust",
        "categorical_comparison_threshold": 0.05,
        "categorical_drift_method": "ChiSquared",
    },
    "significance_constraints": {
        "false_alarm_rate": 0.004,
        "completeness_share": 0.75,
        "completeness_threshold": 0.02,
        "multivariate_threshold": 0.05,
    },
    "row_count_constraints": {"minimum": 1, "maximum": None},
    "missing_values": ["", "?"],
    "report_values": "Disabled",
}
"""The monitoring_config of a new baseline.

- `datatype_check_threshold`: share of the present cells that must be of the column's type.
- `domain_content_threshold`: share that must hold a value the baseline knows; below it, and unlikely by
  chance, the batch violates `categorical_values_check`.
- `comparison_threshold`, `categorical_comparison_threshold`: the smallest distance that matters (largest
  difference between the cumulative shares; half the sum of the differences of the shares). A batch drifts
  only if its distance is larger *and* unlikely by chance.

Not SageMaker's:
- `false_alarm_rate`: the chance that a batch like the baseline violates any check, over all of them (Holm).
- `completeness_share`: the share of it that the checks of completeness get; see `steps.monitor.drift.checks`.
- `completeness_threshold`: the smallest additional share of missing cells that matters.
- `multivariate_threshold`: the smallest AUC above 0.5 of the classifier that matters.
- `row_count_constraints`: the rows a batch may have.
- `missing_values`: the cells that mean "missing".
- `report_values`: whether the report may show the values at fault, not only where they are.
"""

CHOICES = {
    "evaluate_constraints": ("Enabled", "Disabled"),
    "emit_metrics": ("Enabled", "Disabled"),
    "perform_comparison": ("Enabled", "Disabled"),
    "report_values": ("Enabled", "Disabled"),
    "comparison_method": ("Simple", "Robust"),
    "categorical_drift_method": ("LInfinity", "ChiSquared"),
}
ROW_COUNTS = ("minimum", "maximum")

MAX_DISCRETE_VALUES = 20
ROWS_PER_VALUE = 5
TAIL = 0.1
"""The share of a column's values, at either end, from which the fence is extrapolated."""
TAIL_FACTOR = math.log(TAIL * 1e6 / 5e-4)
"""Mean excesses beyond its start at which an exponential tail ends: 1e6 rows go beyond with probability 5e-4."""
HEAVY_TAIL = 1.2
"""Coefficient of variation of the excesses beyond which a tail is heavier than exponential (whose is 1)."""


def suggest(table: Table, drift_method: str | None = None, missing: Sequence[str] | None = None) -> dict:
    """Return the content of constraints.json for a baseline.

    Args:
        table: the baseline.
        drift_method: the `categorical_drift_method` to write; SageMaker has an environment variable for it.
        missing: the cells that mean "missing".
    """
    features = []
    for name, column in table.columns.items():
        feature: dict = {
            "name": name,
            "inferred_type": inferred_type(column),
            "completeness": completeness(column),
        }
        if isinstance(column, Numbers) and column.present:
            minimum, maximum = fences(column)
            feature["num_constraints"] = {
                "is_non_negative": minimum >= 0,
                "minimum": minimum,
                "maximum": maximum,
            }
        elif isinstance(column, Texts) and not column.hashed and is_discrete(column):
            feature["string_constraints"] = {"domains": list(column.counts)}
        features.append(feature)
    config = copy.deepcopy(DEFAULTS)
    if drift_method:
        config["distribution_constraints"]["categorical_drift_method"] = drift_method
    if missing is not None:
        config["missing_values"] = list(missing)
    return {"version": 0.0, "features": features, "monitoring_config": config}


def completeness(column: Column) -> float:
    """Return the share of rows that aren't missing, 1 for a column without rows."""
    mistyped = column.mistyped if isinstance(column, Numbers) else 0
    rows = column.present + mistyped + column.missing
    return (rows - column.missing) / rows if rows else 1.0


def is_discrete(column: Column) -> bool:
    """Whether the column has few values, each seen often: codes and categories rather than measurements."""
    if isinstance(column, Texts):
        return not column.hashed and column.present >= ROWS_PER_VALUE * len(column.counts)
    few = len(column.keys) <= MAX_DISCRETE_VALUES and column.present >= ROWS_PER_VALUE * len(column.keys)
    return few and column.bits == ALL_BITS and not column.fractional


def fences(column: Numbers) -> tuple[float, float]:
    """Return the smallest and largest number that a batch may hold.

    A discrete column may go beyond its values by the whole of their range, but not below zero where it counts:
    2 to 5 allows 0 to 8, so that a rare neighbour passes and a 55 doesn't. Any other column ends where its tail,
    extrapolated as exponential (or as a power law, where the excesses vary more than an exponential's), would have
    a value in a million rows with probability 0.0005. A whole number that is never negative stays so.
    """
    low, high = column.moments.minimum, column.moments.maximum
    if is_discrete(column):
        slack = max(1.0, high - low)
        lower, upper = low - slack, high + slack
    else:
        lower = -_upper_fence(-column.keys[::-1], column.counts[::-1], -low)
        upper = _upper_fence(column.keys, column.counts, high)
    whole = not column.fractional and low >= 0
    if whole and (is_discrete(column) or low >= column.moments.deviation):
        lower = max(0.0, lower)
    return lower, upper


def _upper_fence(keys: np.ndarray, counts: np.ndarray, maximum: float) -> float:
    up_to = np.cumsum(counts)
    start = float(keys[np.searchsorted(up_to, (1 - TAIL) * up_to[-1])])
    beyond = keys > start
    if not beyond.any():
        return maximum + max(1.0, abs(maximum))
    excess, weights = keys[beyond] - start, counts[beyond]
    mean = float(np.average(excess, weights=weights))
    deviation = math.sqrt(float(np.average((excess - mean) ** 2, weights=weights)))
    fence = start + mean * TAIL_FACTOR
    if deviation > HEAVY_TAIL * mean and start > 0:
        slope = float(np.average(np.log(keys[beyond] / start), weights=weights))
        fence = max(fence, start * math.exp(min(600.0, slope * TAIL_FACTOR)))
    elif deviation > HEAVY_TAIL * mean:
        fence = start + mean * TAIL_FACTOR**2
    return max(fence, maximum)


def read(file: Path) -> dict:
    """Return a constraints.json with every setting it leaves out at its default.

    Raises:
        BadBaseline: the file isn't one.
    """
    content = read_json(file, "baseline_constraints")
    features = content.get("features")
    if not isinstance(features, list) or not all(isinstance(f, dict) and "name" in f for f in features):
        raise BadBaseline(f"{file.name}: has no features in SageMaker's form.")
    config = copy.deepcopy(DEFAULTS)
    _overlay(config, content.get("monitoring_config") or {}, file.name)
    return {**content, "monitoring_config": config}


def _overlay(defaults: dict, given: dict, file: str) -> None:
    for name, value in given.items():
        if name == "comparion_method":  # spelt so in the developer guide
            name = "comparison_method"
        if name not in defaults and (meant := difflib.get_close_matches(name, defaults, 1)):
            # What is like none of them may be a setting of another analyzer's.
            raise BadBaseline(f"{file}: monitoring_config.{name} is unknown; is {meant[0]} meant?")
        known = defaults.get(name)
        if isinstance(known, dict):
            if not isinstance(value, dict):
                raise BadBaseline(f"{file}: monitoring_config.{name} isn't an object.")
            _overlay(known, value, file)
            continue
        if isinstance(known, float) and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise BadBaseline(f"{file}: monitoring_config.{name} isn't a number.")
        if name in ROW_COUNTS and not (isinstance(value, int) or value is None):
            raise BadBaseline(f"{file}: monitoring_config.{name} isn't a whole number.")
        if isinstance(known, list) and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            raise BadBaseline(f"{file}: monitoring_config.{name} isn't a list of texts.")
        if name in CHOICES and value not in CHOICES[name]:
            raise BadBaseline(f"{file}: monitoring_config.{name} is neither {' nor '.join(CHOICES[name])}.")
        defaults[name] = value


def config_of(feature: dict, config: dict) -> dict:
    """Return the monitoring_config of one feature: the table's, with the feature's own settings over it."""
    own = feature.get("monitoringConfigOverrides") or feature.get("monitoring_config_overrides")
    if not own:
        return config
    config = copy.deepcopy(config)
    _overlay(config, own, "constraints.json")
    return config


def tolerated(threshold: float) -> float:
    """Return the share of cells that may fail a check with this threshold.

    AWS's analyzer writes the share that must match (1.0); the developer guide's default (0.1) is the share
    that may not. Below one half it is read as the latter.
    """
    return threshold if threshold < 0.5 else 1 - threshold
