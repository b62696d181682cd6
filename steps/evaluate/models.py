"""Test rows and model archives in, labels and probabilities out."""

from pathlib import Path

import numpy as np

from steps.common import model, paths, reader
from steps.common.failure import StepFailed
from steps.common.files import CSV
from steps.common.layout import LARGEST_SINGLE, Layout, one_of
from steps.common.schema import Schema

NO_CHAMPION = "none"
"""Name of the object that stands where a champion's archive would be: processing inputs are never optional."""

LABELS = (0.0, 1.0)


def find_archive(folder: Path) -> Path:
    """Return the one model archive of an input.

    Raises:
        StepFailed: there is none, or more than one.
    """
    archives = paths.files_below(folder)
    if len(archives) != 1:
        raise StepFailed(f"input {folder.name}: {len(archives)} files where one model archive belongs.")
    return archives[0]


def probabilities(archive: Path, features: np.ndarray) -> np.ndarray:
    """Return what the archive's model makes of each row (float64).

    Raises:
        StepFailed: the archive can't be read, its model takes another number of features or gives no probabilities.
    """
    place = f"input {archive.parent.name}, {archive.name}"
    loaded = model.Model(model.unpack(archive, place), f"{place}: its {model.MODEL}")
    if loaded.features != features.shape[1]:
        raise StepFailed(
            f"{place}: the model takes {loaded.features} features, the test rows have {features.shape[1]}."
        )
    scores = loaded.predict(features).astype(np.float64)
    if scores.ndim != 1 or not ((scores >= 0) & (scores <= 1)).all():
        raise StepFailed(f"{place}: the model doesn't give one probability a row; its objective is another one.")
    return scores


def read_test(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (rows) and features (rows × columns, NaN where missing) of the label-first files.

    Raises:
        StepFailed: naming file, row and column at fault; or no rows, or too few of a class.
    """
    files = reader.listed(folder)
    if not files:
        raise StepFailed(f"input {folder.name}: no row to measure on.")
    schema = Schema.read()
    own = schema.layout([schema.label, *schema.names], {schema.label: one_of(LABELS)}, largest=LARGEST_SINGLE)
    source = reader.look(files[0], own)
    layout = own
    if source.format == CSV and source.names is None:
        names = schema.label_first(source.width)
        layout = own if names == list(own.names) else Layout(tuple(names), checks={names[0]: one_of(LABELS)})
    rows, names = reader.read(files, layout), layout.names
    if layout is own:
        rows[:, 1:] = schema.codes(rows[:, 1:])
    for label in LABELS:
        count = int((rows[:, 0] == label).sum())
        if count < 2:
            raise StepFailed(
                f"input {folder.name}, column {names[0]}: {count or 'no'} row{'s'[count == 1 :]} with the label "
                f"{label:g}; an AUC with its interval needs two of each."
            )
    return rows[:, 0], rows[:, 1:]
