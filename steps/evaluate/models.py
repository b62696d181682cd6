"""Model archives in, a booster out."""

import tarfile
import zlib
from pathlib import Path

import numpy as np
import xgboost

from steps.common import paths
from steps.common.failure import StepFailed

NO_CHAMPION = "none"
"""Name of the object that stands where a champion's archive would be: processing inputs are never optional."""


def find_archive(folder: Path) -> Path:
    """Return the one model archive of an input.

    Raises:
        StepFailed: there is none, or more than one.
    """
    archives = paths.files_below(folder) if folder.is_dir() else []
    if len(archives) != 1:
        raise StepFailed(f"input {folder.name}: {len(archives)} files where one model archive belongs.")
    return archives[0]


def load(archive: Path) -> xgboost.Booster:
    """Return the model of an archive.

    Raises:
        StepFailed: the archive or the model in it is truncated or something else.
    """
    try:
        with tarfile.open(archive, "r:*") as tar:
            member = tar.extractfile("xgboost-model")
            content = member.read() if member else b""
        booster = xgboost.Booster()
        booster.load_model(bytearray(content))
    except KeyError:
        raise StepFailed(f"{archive.parent.name}/{archive.name}: holds no xgboost-model.") from None
    except (tarfile.TarError, EOFError, OSError, zlib.error, xgboost.core.XGBoostError):
        raise StepFailed(f"{archive.parent.name}/{archive.name}: truncated, or not a model archive.") from None
    return booster


def probabilities(booster: xgboost.Booster, features: np.ndarray, archive: str) -> np.ndarray:
    """Return the probability of each row (float64).

    Raises:
        StepFailed: the model takes another number of features.
    """
    if booster.num_features() != features.shape[1]:
        raise StepFailed(
            f"{archive}: the model takes {booster.num_features()} features, the test rows have {features.shape[1]}."
        )
    return booster.inplace_predict(features, validate_features=False).astype(np.float64)


def read_test(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (rows) and features (rows × columns, NaN where missing) of the label-first CSV files.

    Raises:
        StepFailed: no rows, only one class, or a row that isn't numbers of the same count.
    """
    files = [file for file in paths.files_below(folder) if file.stat().st_size] if folder.is_dir() else []
    if not files:
        raise StepFailed(f"input {folder.name}: no row to measure on.")
    tables = []
    for file in files:
        try:
            table = np.genfromtxt(file, delimiter=",", ndmin=2, missing_values="", filling_values=np.nan)
        except ValueError:
            raise StepFailed(f"{file.name}: its rows have different numbers of columns.") from None
        if tables and table.shape[1] != tables[0].shape[1]:
            raise StepFailed(f"{file.name}: {table.shape[1]} columns where {tables[0].shape[1]} belong.")
        tables.append(table)
    rows = np.vstack(tables)
    labels = rows[:, 0]
    if not np.isin(labels, (0, 1)).all():
        raise StepFailed(f"input {folder.name}, row {int((~np.isin(labels, (0, 1))).argmax()) + 1}, column 1: "
                         "the label is neither 0 nor 1.")  # fmt: skip
    if len(np.unique(labels)) < 2:
        raise StepFailed(f"input {folder.name}, column 1: only one class occurs; an AUC needs both.")
    return labels, rows[:, 1:]
