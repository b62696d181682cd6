"""Rows of text in, probabilities out: no server, no path of the container."""

import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steps.common import log, model, objects, table
from steps.common.failure import StepFailed
from steps.common.layout import Cells
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
            self.schema = Schema.parse((folder / SCHEMA).read_bytes(), of_model=True)
        except NotASchema as error:
            raise StepFailed(f"model archive: {SCHEMA}{error}.") from None
        content = (folder / MODEL).read_bytes()
        if noted_digest(folder) not in (None, hashlib.sha256(content).hexdigest()):
            raise StepFailed(f"model archive: {MODEL} is truncated, damaged or no model.")
        self._model = model.Model(content, f"model archive: {MODEL}")
        # Requests run side by side; a second thread for one of them would only be in their way.
        self._model.set_threads(1)
        width = len(self.schema.columns)
        if self._model.features != width:
            raise StepFailed(f"model archive: the model takes {self._model.features} features, {SCHEMA} has {width}.")
        # A model without types of its own learned every column as a quantity.
        types = self._model.types or []
        self._types = types if len(types) == width else ["q"] * width

    def score(self, lines: Sequence[str]) -> Scores:
        """Score lines of CSV without header, one row each."""
        return self._scored(*parse(lines, self.schema))

    def score_objects(self, lines: Sequence[str]) -> Scores:
        """Score JSON objects, one a line, whose members are named as the columns; no member is a missing value."""
        return self._scored(*parse_objects(lines, self.schema))

    def _scored(self, columns: np.ndarray, rejected: list[Rejected]) -> Scores:
        features = self.schema.codes(columns, types=self._types)
        probabilities = np.full(len(features), np.nan, np.float32)
        kept = np.ones(len(features), bool)
        kept[[reject.row - 1 for reject in rejected]] = False
        if kept.all():
            probabilities = self._model.predict(features)
        elif kept.any():
            probabilities[kept] = self._model.predict(features[kept])
        return Scores(probabilities, rejected)


def parse(lines: Sequence[str], schema: Schema) -> tuple[np.ndarray, list[Rejected]]:
    """Return features (rows × columns, float32, NaN where missing or outside the domain) and rejected rows.

    Text is its place among its column's values.
    """
    features, rejected = _at_once(lines, schema), []
    if features is None:
        cells = Cells(schema.layout(schema.names))
        features, rejected = _one_by_one(lines, lambda line: _cells(line, cells), schema)
    return matrix(features, schema), rejected


def parse_objects(lines: Sequence[str], schema: Schema) -> tuple[np.ndarray, list[Rejected]]:
    """Return features and rejected rows as `parse` does, of JSON objects."""
    cells = Cells(schema.layout(schema.names))
    features, rejected = _one_by_one(lines, lambda line: _members(line, cells), schema)
    return matrix(features, schema), rejected


def matrix(columns: np.ndarray, schema: Schema) -> np.ndarray:
    """Return rows (rows × columns, float32) of columns that were read (float64): missing is what no column may hold.

    A category that isn't among its column's values is missing too; the log names the column, never the value.
    """
    for number, column in enumerate(schema.columns):
        outside = ~column.holds(columns[:, number])
        if column.kind == "categorical" and outside.any():
            count = int(outside.sum())
            rows = f"{count} different row{'s'[count == 1 :]}"
            log.info(f"column {column.name}: none of its values in {rows}; taken as missing.")
        columns[outside, number] = np.nan
    with np.errstate(over="ignore"):
        features = columns.astype(np.float32)
    features[np.isinf(features)] = np.nan
    return features


def _at_once(lines: Sequence[str], schema: Schema) -> np.ndarray | None:
    """Parse all rows at once; None where anything is unusual and they must be looked at one by one."""
    text = "\n".join(lines)
    if schema.texts or not all(lines) or not set(text) <= {*"0123456789.,+-eE\n", *schema.missing}:
        return None
    text = f"\n{text}\n".replace(schema.missing, "nan") if schema.missing else f"\n{text}\n"
    # Twice, because neighbouring empty cells share a comma.
    text = text.replace(",,", ",nan,").replace(",,", ",nan,").replace("\n,", "\nnan,").replace(",\n", ",nan\n")
    try:
        features = np.loadtxt(text[1:-1].split("\n"), delimiter=",", ndmin=2, comments=None)
    except ValueError:
        return None
    return None if features.shape[1] != len(schema.columns) or np.isinf(features).any() else features


def _one_by_one(
    lines: Sequence[str], read: Callable[[str], list[float]], schema: Schema
) -> tuple[np.ndarray, list[Rejected]]:
    features, rejected = np.full((len(lines), len(schema.columns)), np.nan), []
    for place, line in enumerate(lines):
        try:
            features[place] = read(line)
        except table.BadRow as bad:
            rejected.append(Rejected(place + 1, str(bad)))
    return features, rejected


def _cells(line: str, cells: Cells) -> list[float]:
    try:
        row = next(csv.reader([line]), [])
    except csv.Error:
        raise table.BadRow("not CSV") from None
    names = cells.layout.names
    if len(row) != len(names):
        raise table.BadRow(f"{len(row)} column{'s'[len(row) == 1 :]} where {len(names)} belong")
    return cells.row(row)


def _members(line: str, cells: Cells) -> list[float]:
    names = cells.layout.names
    try:
        found = objects.as_row(objects.loads(line), names)
    except objects.NotAnObject as problem:
        raise table.BadRow(str(problem)) from None
    if unknown := found.keys() - set(names):
        raise table.BadRow(f"{len(unknown)} member{'s'[len(unknown) == 1 :]} that no column has")
    return cells.row([found.get(name) for name in names], as_json=True)
