"""Rows of text in, probabilities out: no server, no path of the container."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost

from steps.common.failure import StepFailed
from steps.common.schema import BadCell, BadRow, Schema


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
        for name in ("xgboost-model", "schema.json"):
            if not (folder / name).exists():
                raise StepFailed(f"model archive: {name} is missing.")
        try:
            self.schema = Schema.read(folder / "schema.json")
        except (ValueError, KeyError):
            raise StepFailed("model archive: schema.json isn't a schema.") from None
        self._booster = xgboost.Booster()
        try:
            self._booster.load_model(bytearray((folder / "xgboost-model").read_bytes()))
            features = self._booster.num_features()
        except (xgboost.core.XGBoostError, ValueError):
            raise StepFailed("model archive: xgboost-model is truncated or not a model.") from None
        if features != len(self.schema.columns):
            raise StepFailed(
                f"model archive: the model takes {features} features, schema.json has {len(self.schema.columns)}."
            )

    def score(self, text: str) -> Scores:
        """Score CSV text without header, one row a line."""
        features, rejected = parse(text, self.schema)
        probabilities = np.full(len(features), np.nan, np.float32)
        kept = np.ones(len(features), bool)
        kept[[reject.row - 1 for reject in rejected]] = False
        if kept.any():
            probabilities[kept] = self._booster.inplace_predict(features[kept], validate_features=False)
        return Scores(probabilities, rejected)


def parse(text: str, schema: Schema) -> tuple[np.ndarray, list[Rejected]]:
    """Return features (rows × columns, float32, NaN where missing or outside the domain) and rejected rows."""
    features = _fast(text, schema)
    if features is None:
        features, rejected = _row_by_row(text, schema)
    else:
        rejected = []
    for number, column in enumerate(schema.columns):
        values = features[:, number]
        inside = (
            np.isin(values, column.values) if column.values else (values >= column.minimum) & (values <= column.maximum)
        )
        values[~inside] = np.nan
    return features.astype(np.float32), rejected


def _fast(text: str, schema: Schema) -> np.ndarray | None:
    """Parse a whole payload at once; None where anything is unusual and rows must be looked at singly."""
    if not text.strip() or any(sign in text for sign in "nN\"' \t"):
        return None
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if any(not line.strip() for line in lines):
        return None
    text = "\n".join(lines).replace(schema.missing, "")
    while ",," in text:
        text = text.replace(",,", ",nan,")
    lines = [
        ("nan" if line.startswith(",") else "") + line.rstrip("\r") + ("nan" if line.endswith(",") else "")
        for line in text.split("\n")
    ]
    try:
        table = np.loadtxt(lines, delimiter=",", ndmin=2)
    except ValueError:
        return None
    return None if table.shape[1] != len(schema.columns) or np.isinf(table).any() else table


def _row_by_row(text: str, schema: Schema) -> tuple[np.ndarray, list[Rejected]]:
    rows, rejected = [], []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        try:
            rows.append(schema.features(next(csv.reader(io.StringIO(line)), [])))
        except (BadRow, BadCell) as error:
            rejected.append(Rejected(number, str(error)))
            rows.append((np.nan,) * len(schema.columns))
    return np.array(rows, np.float64).reshape(len(rows), len(schema.columns)), rejected
