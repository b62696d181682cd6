"""What is measured of a model, per problem type, and which one number it is compared by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steps.common.failure import StepFailed
from steps.common.layout import PRESENT, Check, one_of
from steps.common.quality import binary, multiclass, regression
from steps.common.quality.intervals import Interval
from steps.common.text import count

SETTING = "problem_type"
"""The variable that names the problem type, as in SageMaker Model Monitor's container contract."""


@dataclass(frozen=True)
class ProblemType:
    """What labels and predictions are, and how a model is measured.

    Args:
        name: SageMaker's name.
        key: how the members' key begins.
        headline: the member that models are compared by.
        compared: the name of the difference in `champion_comparison`; above 0 the challenger is better.
        members: measures labels and predictions (both of shape (rows,)).
        difference: the challenger's headline metric beside the champion's, on the same labels.
        too_few: what the labels of the test rows lack, as the end of a sentence, or nothing.
        label: what a label has to be.
    """

    name: str
    key: str
    headline: str
    compared: str
    members: Callable[[np.ndarray, np.ndarray], dict[str, Any]]
    difference: Callable[[np.ndarray, np.ndarray, np.ndarray], Interval]
    too_few: Callable[[np.ndarray], str]
    label: Check


def _binary(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    return binary.members(binary.Rows.at(binary.THRESHOLD, labels, probabilities))


CLASS = Check(lambda cell: (cell >= 0) & (cell % 1 == 0), "not a class: 0, 1, 2 and so on")


def _too_few_of_two(labels: np.ndarray) -> str:
    for label in (0.0, 1.0):
        rows = int((labels == label).sum())
        if rows < 2:
            given = count(rows, "row") if rows else "no rows"
            return f"{given} with the label {label:g}; an AUC with its interval needs two of each."
    return ""


def _too_few_classes(labels: np.ndarray) -> str:
    return "" if len(np.unique(labels)) > 1 else "one class only; at least two are needed."


def _too_few_numbers(labels: np.ndarray) -> str:
    return "" if len(labels) > 1 else "one row; a deviation needs two."


def _multiclass(labels: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    return multiclass.members(multiclass.of(_classes(labels), _classes(predicted)))


def _multiclass_difference(labels: np.ndarray, challenger: np.ndarray, champion: np.ndarray) -> Interval:
    return multiclass.difference(*map(_classes, (labels, challenger, champion)))


def _classes(labels: np.ndarray) -> Sequence[str]:
    return [f"{label:.0f}" for label in labels]


def _regression(labels: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
    return regression.members(regression.Rows(labels, predictions))


BINARY = ProblemType(
    binary.NAME, binary.KEY, "auc", "auc_difference", _binary, binary.difference, _too_few_of_two, one_of((0.0, 1.0))
)
MULTICLASS = ProblemType(
    multiclass.NAME,
    multiclass.KEY,
    "accuracy",
    "accuracy_difference",
    _multiclass,
    _multiclass_difference,
    _too_few_classes,
    CLASS,
)
REGRESSION = ProblemType(
    regression.NAME,
    regression.KEY,
    "rmse",
    "mse_reduction",
    _regression,
    regression.difference,
    _too_few_numbers,
    PRESENT,
)
PROBLEMS = {each.name: each for each in (BINARY, MULTICLASS, REGRESSION)}


def choose(name: str) -> ProblemType:
    """Return the problem type of a name; binary classification where there is none.

    Raises:
        StepFailed: no problem type bears the name.
    """
    if (name or BINARY.name) not in PROBLEMS:
        raise StepFailed(f"{SETTING} is none of {', '.join(PROBLEMS)}.")
    return PROBLEMS[name or BINARY.name]
