"""Predictions and the labels that arrived later, joined by the batch's identity and the row's number.

Predictions are what a batch transform left: a file of one prediction a line, in the folder that bears the batch's
identity below `dataset_source` (or in `dataset_source` itself, and the variable `batch_id` names the batch). Where
`scored-by.json` files are, as the inference pipeline leaves one beside each run's predictions, these name the batches,
and only the folders of predictions that they name are read: `dataset_source` may hold all runs as they are. Labels
are CSV files with the columns batch, row and label, or JSON lines of the same names, below `ground_truth_source`; a
row's number counts from 1 over all of its batch's files, in the order of their names. Labels may come late, twice,
or for some rows only: the join says what is missing, and leaves out a row whose labels contradict each other.

Where both stand beside each other already, `pairs` reads them. What a label and a prediction are is the problem type's.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from steps.common import paths
from steps.monitor import attribute, broken, files, pairs
from steps.monitor.contract import Job
from steps.monitor.failures import BadSetting, EmptyBatch, UnreadableBatch
from steps.monitor.quality import Problem

COLUMNS = ("batch", "row", "label")
SCORED_BY = "scored-by.json"


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
    scored = _predictions(job, problem)
    given, unknown = _labels(job.labels, scored, problem)
    joined = Joined(unknown_batches=unknown)
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


def _predictions(job: Job, problem: Problem) -> dict[str, list[Any]]:
    """Return the predictions of each batch's rows, None for those that weren't scored."""
    found, folder = files.listed(job)
    runs = _runs(found, folder)
    scored: dict[str, list[Any]] = {}
    for file in found:
        name = file.relative_to(folder).as_posix()
        if runs:
            batch = next((batch for batch, place in runs.items() if file.is_relative_to(place)), None)
            if batch is None:
                continue
        else:
            parts = file.relative_to(folder).parts
            batch = parts[0] if len(parts) > 1 else job.environment.get("batch_id")
        if not batch:
            raise BadSetting(f"batch_id is not set, and {name} lies in no folder that names its batch.")
        predictions = scored.setdefault(batch, [])
        for line, text in broken.lines(file, name):
            if text.strip():
                predictions.append(_prediction(text, problem, f"{name}, line {line}"))
    return scored


def _runs(found: Sequence[Path], folder: Path) -> dict[str, Path]:
    """Return the folder of each batch's predictions, as the runs' own files say."""
    runs: dict[str, Path] = {}
    for file in found:
        if file.name != SCORED_BY:
            continue
        name = file.relative_to(folder).as_posix()
        try:
            content = json.loads(file.read_bytes())
            batch, place = str(content["batch"]["id"]), PurePosixPath(content["predictions"]).name
        except (ValueError, KeyError, TypeError):
            raise UnreadableBatch(f"{name}: doesn't say which batch was scored.") from None
        if batch in runs:
            raise UnreadableBatch(f"{name}: another run scored its batch, too.")
        runs[batch] = file.parent / place
    return runs


def _prediction(text: str, problem: Problem, place: str) -> Any:
    """Return what a line of predictions says."""
    if not text.lstrip().startswith("{"):
        row: attribute.Row = next(csv.reader([text]), [""])
        wanted = problem.wanted("0")
    else:
        try:
            row = json.loads(text)
        except ValueError:
            raise UnreadableBatch(f"{place}: not readable as JSON.") from None
        wanted = problem.wanted(problem.usual)
        # A row that the model rejected has an error in the place of its prediction.
        if "error" in row and not all(name in row for name in wanted.values()):
            return None
    cells = {variable: attribute.cell(row, name, variable, place) for variable, name in wanted.items()}
    return problem.prediction(cells, place)


Given = dict[str, dict[int, list[Any]]]


def _labels(source: Path, scored: dict[str, list[Any]], problem: Problem) -> tuple[Given, int]:
    """Return all labels of each row of each known batch, and how many labels are of unknown batches."""
    found = [source] if source.is_file() else paths.files_below(source) if source.is_dir() else []
    given: Given = {}
    unknown = 0
    for file in found:
        if not file.stat().st_size:
            continue
        name = file.name if source.is_file() else file.relative_to(source).as_posix()
        for place, batch, row, label in _rows(file, name):
            if batch not in scored:
                unknown += 1
                continue
            number = str(row).strip()
            if not number.isdigit() or int(number) < 1:
                raise UnreadableBatch(f"{place}, column row: not a row number.")
            given.setdefault(batch, {}).setdefault(int(number), []).append(problem.truth(label, place))
    return given, unknown


def _rows(file: Path, name: str) -> Iterator[tuple[str, str, Any, Any]]:
    first = next((text for _, text in broken.lines(file, name) if text.strip()), "")
    if first.lstrip().startswith("{"):
        for row, content in broken.records(file, by_line=True, name=name):
            absent = [column for column in COLUMNS if column not in content]
            if absent:
                raise UnreadableBatch(f"{name}, row {row}: no {absent[0]}.")
            yield f"{name}, row {row}", str(content["batch"]), content["row"], content["label"]
        return
    reader = csv.reader(text for _, text in broken.lines(file, name))
    header = [cell.strip() for cell in next(reader, [])]
    if not set(COLUMNS) <= set(header):
        raise UnreadableBatch(f"{name}, header line: its columns aren't {', '.join(COLUMNS)}.")
    places = [header.index(column) for column in COLUMNS]
    for row, cells in enumerate((cells for cells in reader if cells), 1):
        if len(cells) != len(header):
            raise UnreadableBatch(f"{name}, row {row}: {len(cells)} columns where {len(header)} belong.")
        batch, number, label = (cells[place] for place in places)
        yield f"{name}, row {row}", batch.strip(), number, label


def require_predictions(joined: Joined, job: Job) -> None:
    """Raise EmptyBatch where nothing was scored."""
    if not sum(batch.rows for batch in joined.batches):
        raise EmptyBatch(f"dataset_source: no prediction in {job.source.name}.")
