"""Test rows and model archives in, labels and predictions out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steps.common import model, paths, reader
from steps.common.failure import StepFailed
from steps.common.files import CSV
from steps.common.layout import LARGEST_SINGLE, Layout
from steps.common.schema import NotASchema, Schema
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


@dataclass(frozen=True)
class Rows:
    """Labels (rows), features (rows × columns, NaN where missing), and the schema that they were read by, if any."""

    labels: np.ndarray
    features: np.ndarray
    schema: Schema | None = None


def predictions(archive: Path, rows: Rows, problem: ProblemType = BINARY) -> np.ndarray:
    """Return what the archive's model predicts for each row (float64): a probability, a class or a number.

    The model gets its columns by their names, and categories as the schema beside it lists them.

    Raises:
        StepFailed: the archive can't be read, its model takes another number of features or predicts something else.
    """
    place = f"input {archive.parent.name}, {archive.name}"
    loaded = model.Model(model.unpack(archive, place), f"{place}: its {model.MODEL}")
    features = rows.features
    text = model.unpacked(archive, place, model.SCHEMA) if rows.schema else None
    if text is not None:
        features = _codes(text, rows, loaded, place)
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


def _codes(text: bytes, rows: Rows, loaded: model.Model, place: str) -> np.ndarray:
    try:
        own = Schema.parse(text, of_model=True)
    except NotASchema as error:
        raise StepFailed(f"{place}: its {model.SCHEMA}{error}.") from None
    try:
        # A model without types of its own learned every column as a quantity.
        types = loaded.types if len(loaded.types or ()) == len(own.columns) else ["q"] * len(own.columns)
        return own.codes(rows.features, rows.schema, types)
    except KeyError as lacking:
        raise StepFailed(f"{place}: the model takes the column {lacking.args[0]}, which the test rows lack.") from None


def read_test(folder: Path, problem: ProblemType = BINARY) -> Rows:
    """Return the rows of the label-first files.

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
    too_few = problem.too_few(rows[:, 0])
    if too_few:
        raise StepFailed(f"input {folder.name}, column {names[0]}: {too_few}")
    return Rows(rows[:, 0], rows[:, 1:], schema if layout is own else None)
