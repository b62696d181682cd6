"""Test rows and model archives in, labels and probabilities out."""

import gzip
import io
import tarfile
import zlib
from pathlib import Path

import numpy as np
import xgboost

from steps.common import paths, table
from steps.common.failure import StepFailed
from steps.common.schema import Schema
from steps.common.ubjson import is_whole

NO_CHAMPION = "none"
"""Name of the object that stands where a champion's archive would be: processing inputs are never optional."""

MODEL = "xgboost-model"
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


def load(archive: Path) -> xgboost.Booster:
    """Return the model of an archive.

    Raises:
        StepFailed: the archive or the model in it is truncated or something else.
    """
    place = f"input {archive.parent.name}, {archive.name}"
    try:
        # Read to the end, where gzip keeps its checksum; tar would stop before.
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive.read_bytes())), mode="r:") as tar:
            members = [member for member in tar if member.name.removeprefix("./") == MODEL and member.isfile()]
            content = tar.extractfile(members[0]).read() if members else None
    except (tarfile.TarError, EOFError, OSError, zlib.error):
        raise StepFailed(f"{place}: truncated, or not a model archive.") from None
    if content is None:
        raise StepFailed(f"{place}: holds no {MODEL}.")
    booster = xgboost.Booster()
    try:
        if not is_whole(content):  # XGBoost may crash for one that was cut.
            raise ValueError
        booster.load_model(bytearray(content))
    except (xgboost.core.XGBoostError, ValueError):
        raise StepFailed(f"{place}: its {MODEL} is truncated, or no model.") from None
    return booster


def probabilities(archive: Path, features: np.ndarray) -> np.ndarray:
    """Return what the archive's model makes of each row (float64).

    Raises:
        StepFailed: the archive can't be read, its model takes another number of features or gives no probabilities.
    """
    booster = load(archive)
    place = f"input {archive.parent.name}, {archive.name}"
    if booster.num_features() != features.shape[1]:
        raise StepFailed(
            f"{place}: the model takes {booster.num_features()} features, the test rows have {features.shape[1]}."
        )
    scores = booster.inplace_predict(features, validate_features=False).astype(np.float64)
    if scores.ndim != 1 or not ((scores >= 0) & (scores <= 1)).all():
        raise StepFailed(f"{place}: the model doesn't give one probability a row; its objective is another one.")
    return scores


def read_test(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (rows) and features (rows × columns, NaN where missing) of the label-first CSV files.

    Raises:
        StepFailed: naming file, row and column at fault; or no rows, or too few of a class.
    """
    files = [file for file in paths.files_below(folder) if file.stat().st_size]
    if not files:
        raise StepFailed(f"input {folder.name}: no row to measure on.")
    names = Schema.read().label_first(table.width(files[0]))
    numbers = [np.frombuffer(table.read(file, names, allowed={names[0]: LABELS})) for file in files]
    rows = np.concatenate(numbers).reshape(-1, len(names))
    for label in LABELS:
        count = int((rows[:, 0] == label).sum())
        if count < 2:
            raise StepFailed(
                f"input {folder.name}, column {names[0]}: {count or 'no'} row{'s'[count == 1 :]} with the label "
                f"{label:g}; an AUC with its interval needs two of each."
            )
    return rows[:, 0], rows[:, 1:]
