"""Predictions and the labels that arrived later, joined by the batch's identity and the row's number.

Predictions are what a batch transform left: a file of one prediction a line, in the folder that bears the batch's
identity below `dataset_source` (or in `dataset_source` itself, and the variable `batch_id` names the batch). Where
`provenance.json` files are, as the inference pipeline leaves one beside each run's predictions, these name the batches,
and only the folders of predictions that they name are read: `dataset_source` may hold all runs as they are. Labels
are CSV files with the columns batch, row and label, or JSON lines of the same names, below `ground_truth_source`; a
row's number counts from 1 over all of its batch's files, in the order of their names; a blank line is a row that
wasn't scored, a header line is none. Labels may come late, twice, or for some rows only: the join says what is
missing, and leaves out a row whose labels contradict each other.

Where both stand beside each other already, `pairs` reads them. What a label and a prediction are is the problem type's.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from steps.common import files as common
from steps.monitor.contract import Job
from steps.monitor.data import files, read_errors
from steps.monitor.failures import BadSetting, EmptyBatch, UnreadableBatch
from steps.monitor.quality import attribute, pairs
from steps.monitor.quality.problems import Problem

COLUMNS = ("batch", "row", "label")
SCORED_BY = ("provenance.json", "scored-by.json")
"""What these files are called; earlier releases wrote the second."""
ROW_NUMBER = re.compile(r"0*[1-9][0-9]{0,14}")


@dataclass
class Batch:
    """What became of one batch's rows."""

    name: str
    rows: int = 0
    labelled: int = 0
    rejected: int = 0
    repeated: int = 0
    contradictory: int = 0
    unknown_rows: int = 0

    @property
    def unlabelled(self) -> int:
        """Scored rows without a label."""
        return self.rows - self.rejected - self.labelled - self.contradictory


@dataclass
class Joined:
    """Labels and predictions of the labelled rows, side by side, and how complete the join is."""

    labels: list[Any] = field(default_factory=list)
    predictions: list[Any] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    unknown_batches: int = 0
    versions: list[str] = field(default_factory=list)
    """Model versions that made the predictions, where `provenance.json` files say so."""

    @property
    def contradictory(self) -> int:
        """Rows whose labels contradict each other."""
        return sum(batch.contradictory for batch in self.batches)

    @property
    def unknown_rows(self) -> int:
        """Labelled rows of known batches that don't exist."""
        return sum(batch.unknown_rows for batch in self.batches)


def join(job: Job, problem: Problem) -> Joined:
    """Return predictions with their labels.

    Raises:
        UnreadableBatch: naming the file, line and column that can't be read.
        EmptyBatch: there is no prediction.
        BadSetting: an attribute isn't set, or names no column.
    """
    if job.format == "sagemakerMergeJson":
        return _of_pairs(pairs.merged(job, problem))
    if job.labels is None:
        return _of_pairs(pairs.table(job, problem))
    _require_readable(job)
    scored, versions = _predictions(job, problem)
    given, unknown = _labels(job.labels, scored, problem)
    joined = Joined(unknown_batches=unknown, versions=versions)
    for name, predictions in sorted(scored.items()):
        batch = Batch(name, len(predictions), rejected=sum(each is None for each in predictions))
        for row, found in given.get(name, {}).items():
            batch.repeated += len(found) - 1
            if row > len(predictions):
                batch.unknown_rows += 1
            elif len(set(found)) > 1:
                batch.contradictory += 0 if predictions[row - 1] is None else 1
            elif predictions[row - 1] is not None:
                batch.labelled += 1
                joined.labels.append(found[0])
                joined.predictions.append(predictions[row - 1])
        joined.batches.append(batch)
    return joined


def _of_pairs(found: Iterator[tuple[Any, Any]]) -> Joined:
    joined = Joined()
    rows = 0
    for label, prediction in found:
        rows += 1
        if prediction is not None:
            joined.labels.append(label)
            joined.predictions.append(prediction)
    joined.batches.append(Batch("dataset", rows, len(joined.labels), rows - len(joined.labels)))
    return joined


def _require_readable(job: Job) -> None:
    """Raise BadSetting where predictions of their own files can't be in the dataset's format."""
    if job.format not in ("csv", "json") or (job.format == "json" and not job.json_lines):
        raise BadSetting("dataset_format: predictions are joined with ground_truth_source from csv or JSON lines.")


def _predictions(job: Job, problem: Problem) -> tuple[dict[str, list[Any]], list[str]]:
    """Return the predictions of each batch's rows, None for those that weren't scored, and the versions they are of."""
    found, folder = files.listed(job)
    runs, versions = _runs(found, folder)
    scored: dict[str, list[Any]] = {}
    for file in found:
        name = file.relative_to(folder).as_posix()
        if runs:
            batch = next((batch for batch, location in runs.items() if file.is_relative_to(location)), None)
            if batch is None:
                continue
        else:
            parts = file.relative_to(folder).parts
            batch = parts[0] if len(parts) > 1 else job.environment.get("batch_id")
        if not batch:
            raise BadSetting(f"batch_id is not set, and {name} lies in no folder that names its batch.")
        scored.setdefault(batch, []).extend(_of_file(file, name, job, problem))
    return scored, versions


def _of_file(file: Path, name: str, job: Job, problem: Problem) -> Iterator[Any]:
    """Give the prediction of each row; a blank line is a row that wasn't scored, so that the others keep their place.

    A line is a row: no cell holds a line's end.
    """
    names: list[str] = []
    for line, text in read_errors.lines(file, name):
        location = f"{name}, line {line}"
        if not text.strip():
            yield None
        elif job.format == "json" or text.lstrip().startswith("{"):
            yield _of_record(text, problem, location)
        elif job.header and not names:
            names = read_errors.distinct([cell.strip() for cell in _cells(text, location)], name)
            if all(map(_is_number, names)):
                raise UnreadableBatch(f"{location}: no header line where dataset_format says there is one.")
        else:
            yield _of_cells(_cells(text, location), names, problem, location)


def _runs(found: Sequence[Path], folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the folder of each batch's predictions and the models' versions, as the runs' own files say."""
    runs: dict[str, Path] = {}
    versions: set[str] = set()
    for file in found:
        if file.name not in SCORED_BY:
            continue
        name = file.relative_to(folder).as_posix()
        try:
            content = json.loads(file.read_bytes())
            batch, location = str(content["batch"]["id"]), PurePosixPath(content["predictions"]).name
        except (ValueError, KeyError, TypeError):
            raise UnreadableBatch(f"{name}: doesn't say which batch was scored.") from None
        if batch in runs:
            raise UnreadableBatch(f"{name}: another run scored its batch, too.")
        runs[batch] = file.parent / location
        if "version" in content:
            versions.add(str(content["version"]))
    return runs, sorted(versions)


def _cells(text: str, location: str) -> list[str]:
    try:
        return next(csv.reader([text]), [""])
    except csv.Error as error:
        raise UnreadableBatch(f"{location}: not readable as CSV ({error}).") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _of_cells(cells: list[str], names: list[str], problem: Problem, location: str) -> Any:
    """Return what a line of cells says; without names, the cells have numbers."""
    if names:
        read_errors.require_width(cells, len(names), location)
    row: attribute.Row = dict(zip(names, cells, strict=True)) if names else cells
    wanted = problem.wanted("0")
    return problem.prediction({each: attribute.cell(row, at, each, location) for each, at in wanted.items()}, location)


def _of_record(text: str, problem: Problem, location: str) -> Any:
    """Return what a line of JSON says."""
    row = read_errors.record(text, location)
    wanted = problem.wanted(problem.json_key)
    # A row that the model rejected has an error in the place of its prediction.
    if "error" in row and not all(name in row for name in wanted.values()):
        return None
    return problem.prediction({each: attribute.cell(row, at, each, location) for each, at in wanted.items()}, location)


Given = dict[str, dict[int, list[Any]]]


def _labels(source: Path, scored: dict[str, list[Any]], problem: Problem) -> tuple[Given, int]:
    """Return all labels of each row of each known batch, and how many labels are of unknown batches."""
    if not source.exists():
        raise BadSetting(f"ground_truth_source: there is no file or folder {source}.")
    found = [file.path for file in common.listed(source)]
    if not found:
        raise EmptyBatch(f"ground_truth_source: no file of labels in {source.name}.")
    given: Given = {}
    unknown = 0
    for file in found:
        name = file.name if source.is_file() else file.relative_to(source).as_posix()
        for location, batch, row, label in _rows(file, name):
            if batch not in scored:
                unknown += 1
                continue
            number = str(row).strip()
            if not ROW_NUMBER.fullmatch(number):
                raise UnreadableBatch(f"{location}, column row: not a row number.")
            truth = problem.truth(label, f"{location}, column label")
            given.setdefault(batch, {}).setdefault(int(number), []).append(truth)
    return given, unknown


def _rows(file: Path, name: str) -> Iterator[tuple[str, str, Any, Any]]:
    first = next((text for _, text in read_errors.lines(file, name) if text.strip()), "")
    by_line = first.lstrip().startswith("{")
    if not by_line and not set(COLUMNS) <= {cell.strip() for cell in _cells(first, f"{name}, header line")}:
        raise UnreadableBatch(f"{name}, header line: its columns aren't {', '.join(COLUMNS)}.")
    rows: Iterator[tuple[int, dict[str, Any]]] = (
        read_errors.records(file, by_line=True, name=name) if by_line else read_errors.cells(file, name, header=True)
    )
    for row, content in rows:
        absent = [column for column in COLUMNS if column not in content]
        if absent:
            raise UnreadableBatch(f"{name}, row {row}: no {absent[0]}.")
        yield f"{name}, row {row}", str(content["batch"]).strip(), content["row"], content["label"]


def require_predictions(joined: Joined, job: Job) -> None:
    """Raise EmptyBatch where nothing was scored."""
    if not sum(batch.rows for batch in joined.batches):
        raise EmptyBatch(f"dataset_source: no prediction in {job.source.name}.")
