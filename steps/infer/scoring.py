"""Rows of text in, probabilities out: no server, no path of the container."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steps.common import model, table
from steps.common.failure import StepFailed
from steps.common.model import MODEL, SCHEMA, noted_digest
from steps.common.schema import NotASchema, Schema


@dataclass(frozen=True)
class Rejected:
    """A row that can't be scored: its number counted from 1, and why; never a value."""

    row: int
    reason: str


@dataclass(frozen=True)
class Scores:
    """Probabilities (rows, float32, NaN where rejected) in the rows' order, and the rejected rows."""

    probabilities: np.ndarray
    rejected: list[Rejected]


class Model:
    """What a model archive holds: the booster and the schema of the rows it scores."""

    def __init__(self, folder: Path) -> None:
        """Load the archive's files.

        Raises:
            StepFailed: a file is missing, truncated, or isn't what it should be.
        """
        for name in (MODEL, SCHEMA):
            if not (folder / name).is_file():
                raise StepFailed(f"model archive: {name} is missing.")
        try:
            self.schema = Schema.read(folder / SCHEMA)
        except NotASchema as error:
            raise StepFailed(f"model archive: {error}") from None
        content = (folder / MODEL).read_bytes()
        if noted_digest(folder) not in (None, hashlib.sha256(content).hexdigest()):
            raise StepFailed(f"model archive: {MODEL} is truncated, damaged or no model.")
        self._model = model.Model(content, f"model archive: {MODEL}")
        # Requests run side by side; a second thread for one of them would only be in their way.
        self._model.set_threads(1)
        width = len(self.schema.columns)
        if self._model.features != width:
            raise StepFailed(f"model archive: the model takes {self._model.features} features, {SCHEMA} has {width}.")

    def score(self, text: str) -> Scores:
        """Score CSV text without header, one row a line; safe to call from several threads."""
        features, rejected = parse(text, self.schema)
        probabilities = np.full(len(features), np.nan, np.float32)
        kept = np.ones(len(features), bool)
        kept[[reject.row - 1 for reject in rejected]] = False
        if kept.any():
            probabilities[kept] = self._model.predict(features[kept])
        return Scores(probabilities, rejected)


def parse(text: str, schema: Schema) -> tuple[np.ndarray, list[Rejected]]:
    """Return features (rows × columns, float32, NaN where missing or outside the domain) and rejected rows."""
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    features, rejected = _at_once(lines, schema), []
    if features is None:
        features, rejected = _one_by_one(lines, schema)
    for number, column in enumerate(schema.columns):
        features[~column.holds(features[:, number]), number] = np.nan
    with np.errstate(over="ignore"):
        features = features.astype(np.float32)
    features[np.isinf(features)] = np.nan
    return features, rejected


def _at_once(lines: list[str], schema: Schema) -> np.ndarray | None:
    """Parse all rows at once; None where anything is unusual and they must be looked at one by one."""
    text = "\n".join(lines)
    if not all(lines) or not set(text) <= {*"0123456789.,+-eE\n", *schema.missing}:
        return None
    text = f"\n{text}\n".replace(schema.missing, "nan") if schema.missing else f"\n{text}\n"
    # Twice, because neighbouring empty cells share a comma.
    text = text.replace(",,", ",nan,").replace(",,", ",nan,").replace("\n,", "\nnan,").replace(",\n", ",nan\n")
    try:
        features = np.loadtxt(text[1:-1].split("\n"), delimiter=",", ndmin=2, comments=None)
    except ValueError:
        return None
    return None if features.shape[1] != len(schema.columns) or np.isinf(features).any() else features


def _one_by_one(lines: list[str], schema: Schema) -> tuple[np.ndarray, list[Rejected]]:
    features, rejected = np.full((len(lines), len(schema.columns)), np.nan), []
    for place, line in enumerate(lines):
        try:
            features[place] = table.numbers(next(csv.reader([line]), []), schema.names, schema.missing)
        except (table.BadRow, csv.Error) as error:
            rejected.append(Rejected(place + 1, str(error) if isinstance(error, table.BadRow) else "not CSV"))
    return features, rejected
