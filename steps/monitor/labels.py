"""Predictions and the labels that arrived later, joined by the batch's identity and the row's number.

Predictions are what a batch transform left: a file of one probability a line, in the folder that bears the batch's
identity below `dataset_source` (or in `dataset_source` itself, and the variable `batch_id` names the batch). Where
`scored-by.json` files are, as the inference pipeline leaves one beside each run's predictions, these name the batches,
and only the folders of predictions that they name are read: `dataset_source` may hold all runs as they are. Labels
are CSV files with the columns batch, row and label, or JSON lines of the same names, below `ground_truth_source`; a
row's number counts from 1 over all of its batch's files, in the order of their names. Labels may come late, twice,
or for some rows only: the join says what is missing, and leaves out a row whose labels contradict each other.
"""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steps.common import paths
from steps.monitor import broken, capture, files
from steps.monitor.contract import Job
from steps.monitor.failures import BadSetting, EmptyBatch, UnreadableBatch

COLUMNS = ("batch", "row", "label")
SCORED_BY = "scored-by.json"
LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


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
    """Labels (0 or 1) and probabilities of the labelled rows, both of shape (rows,), and how complete the join is."""

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    batches: list[Batch] = field(default_factory=list)
    unknown_batches: int = 0


def join(job: Job) -> Joined:
    """Return predictions with their labels.

    Raises:
        UnreadableBatch: naming the file, line and column that can't be read.
        EmptyBatch: there is no prediction.
        BadSetting: an attribute names no column.
    """
    if job.format == "sagemakerMergeJson":
        return _of_pairs(_merged_records(job))
    if job.labels is None:
        return _of_pairs(_one_table(job))
    scored = _predictions(job)
    given, unknown = _labels(job.labels, scored)
    joined = Joined(np.zeros(0, dtype=np.int64), np.zeros(0), unknown_batches=unknown)
    labels: list[int] = []
    probabilities: list[float] = []
    for name, numbers in sorted(scored.items()):
        batch = Batch(name, len(numbers), rejected=sum(map(math.isnan, numbers)))
        for row, found in given.get(name, {}).items():
            batch.repeated += len(found) - 1
            if row > len(numbers):
                batch.unknown_rows += 1
            elif len(set(found)) > 1:
                batch.contradictory += 0 if math.isnan(numbers[row - 1]) else 1
            elif not math.isnan(numbers[row - 1]):
                batch.labelled += 1
                labels.append(found[0])
                probabilities.append(numbers[row - 1])
        joined.batches.append(batch)
    joined.labels, joined.probabilities = np.array(labels, dtype=np.int64), np.array(probabilities)
    return joined


def _of_pairs(pairs: Iterator[tuple[int, float]]) -> Joined:
    found = list(pairs)
    labels = np.array([label for label, _ in found], dtype=np.int64)
    probabilities = np.array([probability for _, probability in found], dtype=float)
    kept = ~np.isnan(probabilities)
    batch = Batch("dataset", len(found), int(kept.sum()), int((~kept).sum()))
    return Joined(labels[kept], probabilities[kept], [batch])


def _predictions(job: Job) -> dict[str, list[float]]:
    found, folder = files.listed(job)
    runs = _runs(found, folder)
    scored: dict[str, list[float]] = {}
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
        numbers = scored.setdefault(batch, [])
        for line, text in broken.lines(file, name):
            if text.strip():
                numbers.append(_probability(_cell(text, job, f"{name}, line {line}"), f"{name}, line {line}"))
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


def _cell(text: str, job: Job, place: str) -> Any:
    """Return the cell of a prediction's line that holds the probability."""
    if text.lstrip().startswith("{"):
        try:
            content = json.loads(text)
        except ValueError:
            raise UnreadableBatch(f"{place}: not readable as JSON.") from None
        # A row that the model rejected has an error in the place of its probability.
        return content.get(job.environment.get("probability_attribute") or "probability", "nan")
    cells = next(csv.reader([text]), [""])
    return _pick(cells, job.environment.get("probability_attribute") or "0", place, "probability_attribute")


def _pick(cells: list[Any], attribute: str, place: str, variable: str) -> Any:
    if not attribute.isdigit() or int(attribute) >= len(cells):
        raise BadSetting(f"{variable}: {place} has no column {attribute}.")
    return cells[int(attribute)]


def _probability(cell: Any, place: str) -> float:
    try:
        number = float(str(cell).strip() or "nan")
    except ValueError:
        raise UnreadableBatch(f"{place}: not a probability.") from None
    if not (math.isnan(number) or 0 <= number <= 1):
        raise UnreadableBatch(f"{place}: not a probability.")
    return number


def _label(cell: Any, place: str) -> int:
    found = LABELS.get(str(cell).strip().lower())
    if found is None:
        raise UnreadableBatch(f"{place}, column label: neither 0 nor 1.")
    return found


Given = dict[str, dict[int, list[int]]]


def _labels(source: Path, scored: dict[str, list[float]]) -> tuple[Given, int]:
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
            given.setdefault(batch, {}).setdefault(int(number), []).append(_label(label, place))
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


def _merged_records(job: Job) -> Iterator[tuple[int, float]]:
    """Give label and probability of each record that SageMaker merged with its label."""
    found, folder = files.listed(job)
    attribute = job.environment.get("probability_attribute") or "0"
    for file in found:
        name = file.relative_to(folder).as_posix()
        for number, record in broken.records(file, by_line=True, name=name):
            place = f"{name}, line {number}"
            try:
                if not capture.is_of_interest(record, job):
                    continue
                outputs = capture.payload(record["captureData"]["endpointOutput"], "endpointOutput")
                truths = capture.payload(record["groundTruthData"], "groundTruthData")
            except capture.NotAPayload as problem:
                raise UnreadableBatch(f"{place}: {problem}.") from None
            except (KeyError, TypeError, AttributeError):
                raise UnreadableBatch(f"{place}: not a record that was merged with its label.") from None
            if len(outputs) != len(truths):
                raise UnreadableBatch(f"{place}: {len(outputs)} predictions and {len(truths)} labels.")
            for output, truth in zip(outputs, truths, strict=True):
                cell = _pick(output, attribute, place, "probability_attribute")
                yield _label(truth[0], place), _probability(cell, place)


def _one_table(job: Job) -> Iterator[tuple[int, float]]:
    """Give label and probability of each row of a table that holds both."""
    names = {
        variable: job.environment.get(variable) or ""
        for variable in ("ground_truth_attribute", "probability_attribute")
    }
    for variable, value in names.items():
        if not value:
            raise BadSetting(f"{variable} is not set, and neither is ground_truth_source.")
    found, folder = files.listed(job)
    for file in found:
        name = file.relative_to(folder).as_posix()
        for place, row in _table(file, name, job):
            absent = next((variable for variable, value in names.items() if value not in row), None)
            if absent:
                raise BadSetting(f"{absent}: {name} has no column {names[absent]}.")
            label, probability = row[names["ground_truth_attribute"]], row[names["probability_attribute"]]
            yield _label(label, place), _probability(probability, place)


def _table(file: Path, name: str, job: Job) -> Iterator[tuple[str, dict[str, Any]]]:
    if job.format == "json":
        for row, content in broken.records(file, job.json_lines, name):
            yield f"{name}, row {row}", content
        return
    if job.format != "csv":
        raise BadSetting("dataset_format: a model's quality is read from csv, json or sagemakerMergeJson.")
    reader = csv.reader(text for _, text in broken.lines(file, name))
    header: list[str] | None = None
    row = 0
    for cells in reader:
        if not cells:
            continue
        if job.header and header is None:
            header = [cell.strip() for cell in cells]
            continue
        row += 1
        names = header or [str(place) for place in range(len(cells))]
        if len(cells) != len(names):
            raise UnreadableBatch(f"{name}, row {row}: {len(cells)} columns where {len(names)} belong.")
        yield f"{name}, row {row}", dict(zip(names, cells, strict=True))


def require_predictions(joined: Joined, job: Job) -> None:
    """Raise EmptyBatch where nothing was scored."""
    if not sum(batch.rows for batch in joined.batches):
        raise EmptyBatch(f"dataset_source: no prediction in {job.source.name}.")
