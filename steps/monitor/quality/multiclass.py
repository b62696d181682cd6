"""Multiclass classification: labels of any names against predicted labels, or against the probabilities of classes.

Three metrics are compared with the registered baseline, whose confusion matrix is all that has to be known:

- accuracy and weighted F1, as `matrix` says.
- recall of single classes, so that a rare class that is lost doesn't hide in the weighted metrics: Fisher's exact test
  of the rows that were taken for others, for each class of which both sides have rows enough, with Bonferroni's
  correction over the classes.

Constraints are checked by draws of the confusion matrix.

`inference_attribute` names the predicted label. Without it, `probability_attribute` names the probabilities, of which
the largest counts: a list in one cell, several columns (`1,2,3`), or a JSON object whose keys are the classes; in the
first two a class is the probability's place, from 0 on.

`docs/measured.md` says how often this was wrong, and how often drift was found.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steps.common.quality import multiclass
from steps.common.quality.members import number
from steps.common.quality.multiclass import Layout, Matrix, ordered
from steps.monitor import significance
from steps.monitor.failures import UnreadableBatch
from steps.monitor.quality import matrix, problems
from steps.monitor.quality.problems import (
    INFERENCE,
    PROBABILITY,
    MetricComparison,
    Problem,
    ThresholdTest,
    within,
)

MIN_EFFECT_RECALL = 0.1
"""The smallest fall of a class's recall that counts."""

MAX_CLASSES = 1_000
"""With more, the column is no class."""

NUMBER = re.compile(r"[+-]?(0|[1-9]\d{0,14})(\.\d*)?([eE][+-]?\d{1,2})?")


def compare(now: Matrix, before: Matrix) -> list[MetricComparison]:
    """Return the comparisons of accuracy, weighted F1 and the classes' recalls."""
    classes = ordered({*now.classes, *before.classes})
    one, two = now.over(classes), before.over(classes)
    layout = Layout(one + two)

    def score(cells: NDArray[np.float64]) -> NDArray[np.float64]:
        return layout.metrics(cells)["weighted_f1"]

    return [
        matrix.compare_accuracy(int(np.trace(one)), int(one.sum()), int(np.trace(two)), int(two.sum())),
        matrix.compare_score("weighted_f1", layout.cells(one), layout.cells(two), score),
        *_recalls(classes, one, two),
    ]


def _recalls(classes: Sequence[str], one: NDArray[np.int64], two: NDArray[np.int64]) -> list[MetricComparison]:
    """Return the drop of that class's recall that chance explains least, if any class has rows enough."""
    found = []
    for position, name in enumerate(classes):
        rows, rows_before = int(one[position].sum()), int(two[position].sum())
        if min(rows, rows_before) < problems.MIN_PER_CLASS:
            continue
        hits, hits_before = int(one[position, position]), int(two[position, position])
        p = significance.more_than_baseline(rows - hits, rows, rows_before - hits_before, rows_before)
        found.append((p, name, hits / rows, hits_before / rows_before))
    if not found:
        return []
    matter = [each for each in found if each[3] - each[2] > MIN_EFFECT_RECALL]
    p, name, now, before = min(matter or found)
    sentence = f"Of the class {name}, {100 * now:.0f} % are recognised; it was {100 * before:.0f} %."
    p = min(1.0, p * len(found))
    return [MetricComparison("class_recall", now, before, before - now, MIN_EFFECT_RECALL, p, sentence)]


class Multiclass(Problem):
    """The problem type MulticlassClassification."""

    name = multiclass.NAME
    key = multiclass.KEY
    variables = (INFERENCE, PROBABILITY)

    def truth(self, cell: Any, location: str) -> str:
        """Return a label."""
        label = class_name(cell)
        if not label:
            raise UnreadableBatch(f"{location}: no class.")
        return label

    def prediction(self, cells: Mapping[str, Any], location: str) -> str | None:
        """Return the predicted label."""
        if INFERENCE in cells:
            return class_name(cells[INFERENCE]) or None
        return most_probable(cells[PROBABILITY], location)

    def rows(self, truths: Sequence[str], predictions: Sequence[str]) -> Matrix:
        """Return the confusion matrix: nothing else of the rows is needed.

        Raises:
            UnreadableBatch: there are too many classes.
        """
        matrix_of_rows = multiclass.of(truths, predictions)
        if len(matrix_of_rows.classes) > MAX_CLASSES:
            raise UnreadableBatch(
                f"{len(matrix_of_rows.classes)} classes in labels and predictions; at most {MAX_CLASSES} are measured."
            )
        return matrix_of_rows

    def lacking(self, rows: Matrix) -> str:
        """Return what there is not enough of."""
        if rows.counts.sum() < problems.MIN_ROWS:
            return "labels"
        several = (rows.counts.sum(axis=1) >= problems.MIN_PER_CLASS).sum() > 1
        return "" if several else "labels of a second class"

    def mismatch(self, rows: Matrix, before: Matrix | None) -> str:
        """Return a sentence where no predicted class is one of the labels or of the baseline."""
        labels, known = rows.counts.sum(axis=1), set(before.classes) if before else set()
        predicted = np.flatnonzero(rows.counts.sum(axis=0))
        if any(labels[position] or rows.classes[position] in known for position in predicted):
            return ""
        where = "the labels or in the baseline" if before else "the labels"
        return f"No predicted class occurs among {where}: predictions and labels name their classes differently."

    def members(self, rows: Matrix) -> dict[str, Any]:
        """Return `multiclass_classification_metrics`."""
        return multiclass.members(rows)

    def baseline_metrics(self, members: Mapping[str, Any], rows: int) -> Matrix:
        """Return a baseline's confusion matrix."""
        given = {
            class_name(label): {class_name(name): int(count) for name, count in counts.items()}
            for label, counts in members["confusion_matrix"].items()
        }
        classes = ordered({*given, *(name for counts in given.values() for name in counts)})
        counts = [[given.get(label, {}).get(name, 0) for name in classes] for label in classes]
        found = Matrix(classes, np.array(counts, dtype=np.int64).reshape(len(classes), len(classes)))
        if found.counts.sum() <= 0 or (found.counts < 0).any():
            raise ValueError("an empty matrix")
        return found

    def compare(self, rows: Matrix, before: Matrix) -> list[MetricComparison]:
        """Return the comparison of each metric."""
        return compare(rows, before)

    def threshold_test(self, rows: Matrix) -> ThresholdTest:
        """Return how to compare a metric with a threshold."""
        layout = Layout(rows.counts)
        return matrix.threshold_test(layout.cells(rows.counts), layout.metrics)

    def headline(self, members: Mapping[str, Any]) -> tuple[str, str]:
        """Return the accuracy."""
        return (
            ("accuracy", f"{within(number(members['accuracy']['value'])):.3f}") if "accuracy" in members else ("", "")
        )


def class_name(cell: Any) -> str:
    """Return the name of a class: 2, 2.0 and "2" are the same one, and so are True and "true"."""
    text = str(cell if cell is not None else "").strip()
    if text.lower() in ("true", "false", "nan"):
        return text.lower().replace("nan", "")
    # With zeros in front it is a code, such as 01 beside 1.
    if NUMBER.fullmatch(text) and float(text).is_integer():
        return str(int(float(text)))
    return text


def most_probable(cell: Any, location: str) -> str | None:
    """Return the class with the largest probability; None where no probability is given.

    Raises:
        UnreadableBatch: the cell doesn't hold a probability for each of several classes.
    """
    if isinstance(cell, str):
        if not cell.strip():
            return None
        try:
            cell = json.loads(cell)
        except ValueError:
            raise UnreadableBatch(f"{location}: not a list of probabilities.") from None
    names = [class_name(name) for name in cell] if isinstance(cell, dict) else None
    values = list(cell.values()) if isinstance(cell, dict) else cell
    if not isinstance(values, list) or len(values) < 2:
        raise UnreadableBatch(f"{location}: not a list of probabilities.")
    numbers = []
    for value in values:
        try:
            numbers.append(float(str(value).strip() or "nan"))
        except ValueError:
            raise UnreadableBatch(f"{location}: not a list of probabilities.") from None
    if all(map(math.isnan, numbers)):
        return None
    if not all(0 <= value <= 1 for value in numbers):
        raise UnreadableBatch(f"{location}: not a list of probabilities.")
    position_of = int(np.argmax(numbers))
    return names[position_of] if names else str(position_of)
