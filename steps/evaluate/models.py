"""Test rows and model archives in, labels and predictions out."""

from pathlib import Path

import numpy as np

from steps.common import model, paths, reader
from steps.common.failure import StepFailed
from steps.common.files import CSV
from steps.common.layout import LARGEST_SINGLE, Layout
from steps.common.schema import Schema
from steps.evaluate.metrics import BINARY, MULTICLASS, REGRESSION, ProblemType

NO_CHAMPION = "none"
"""Name of the object that stands where a champion's archive would be: processing inputs are never optional."""


def find_archive(folder: Path) -> Path:
    """Return the one model archive of an input.

    Raises:
        StepFailed: there is none, or more than one.
    """
    archives = paths.files_below(folder)
    if len(archives) != 1:
        raise StepFailed(f"input {folder.name}: {len(archives)} files where one model archive belongs.")
    return archives[0]


def predictions(archive: Path, features: np.ndarray, problem: ProblemType = BINARY) -> np.ndarray:
    """Return what the archive's model predicts for each row (float64): a probability, a class or a number.

    Raises:
        StepFailed: the archive can't be read, its model takes another number of features or predicts something else.
    """
    place = f"input {archive.parent.name}, {archive.name}"
    loaded = model.Model(model.unpack(archive, place), f"{place}: its {model.MODEL}")
    if loaded.features != features.shape[1]:
        raise StepFailed(
            f"{place}: the model takes {loaded.features} features, the test rows have {features.shape[1]}."
        )
    scores = loaded.predict(features).astype(np.float64)
    if problem is MULTICLASS:
        # Of probabilities, one a class, the largest counts; a model may as well give the class itself.
        return scores.argmax(axis=1).astype(np.float64) if scores.ndim == 2 else scores
    if problem is REGRESSION and scores.ndim == 1 and np.isfinite(scores).all():
        return scores
    if problem is REGRESSION:
        raise StepFailed(f"{place}: the model doesn't give one number a row; its objective is another one.")
    if scores.ndim != 1 or not ((scores >= 0) & (scores <= 1)).all():
        raise StepFailed(f"{place}: the model doesn't give one probability a row; its objective is another one.")
    return scores


def read_test(folder: Path, problem: ProblemType = BINARY) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (rows) and features (rows × columns, NaN where missing) of the label-first files.

    Raises:
        StepFailed: naming file, row and column at fault; or no rows, or too few of a class.
    """
    files = reader.listed(folder)
    if not files:
        raise StepFailed(f"input {folder.name}: no row to measure on.")
    schema = Schema.read()
    own = schema.layout([schema.label, *schema.names], {schema.label: problem.label}, largest=LARGEST_SINGLE)
    source = reader.look(files[0], own)
    layout = own
    if source.format == CSV and source.names is None:
        names = schema.label_first(source.width)
        layout = own if names == list(own.names) else Layout(tuple(names), checks={names[0]: problem.label})
    rows, names = reader.read(files, layout), layout.names
    if layout is own:
        rows[:, 1:] = schema.codes(rows[:, 1:])
    too_few = problem.too_few(rows[:, 0])
    if too_few:
        raise StepFailed(f"input {folder.name}, column {names[0]}: {too_few}")
    return rows[:, 0], rows[:, 1:]
