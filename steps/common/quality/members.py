"""The form in which SageMaker Model Monitor writes a metric: a value and a standard deviation, NaN as a text."""

import math
from typing import Any, NamedTuple

CONSTANT = "_best_constant_classifier"
"""End of the name of a metric that a constant classifier has."""


class Bin(NamedTuple):
    """Rows whose predictions lie close together: their mean prediction, the mean of their labels, and how many."""

    predicted: float
    observed: float
    rows: int


def member(value: float, deviation: float = math.nan) -> dict[str, Any]:
    """Return a metric in the form of statistics.json, in which NaN is a text."""
    return {
        "value": value if math.isfinite(value) else "NaN",
        "standard_deviation": deviation if math.isfinite(deviation) else "NaN",
    }


def number(value: Any) -> float:
    """Return a member's number; what isn't known is NaN."""
    return math.nan if value in (None, "NaN") else float(value)


def is_known(value: Any) -> bool:
    """Whether a member of statistics.json is a metric with a number."""
    return isinstance(value, dict) and "value" in value and math.isfinite(number(value["value"]))
