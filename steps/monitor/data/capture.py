"""Records that an endpoint's data capture wrote, and the merged ones with labels: their payloads as CSV files.

The record: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html. One record may hold
several rows, and its payload is CSV or JSON, plain or in base64. Records of shadow variants don't count, as with the
analyzer of Model Monitor.
"""

import base64
import binascii
import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from steps.monitor.contract import Job
from steps.monitor.data import files, read_errors
from steps.monitor.failures import UnreadableBatch

SHADOW = "ShadowExperiment"
ROW_KEYS = ("instances", "predictions", "features", "data")
"""Under which keys JSON payloads hold their rows."""

Cells = list[Any]
Row = Cells | dict[str, Any]
"""A row's cells; by name where the record names them."""

UNNAMED = re.compile(r"_c\d+")
"""The names of a baseline's columns that have none."""


class NotAPayload(ValueError):
    """What is wrong with a payload, to be said after its place."""


def opened(job: Job, folder: Path, known: Sequence[str] = ()) -> Job:
    """Return the job itself or, where its files have to be rewritten to be read, one that reads them from the folder.

    Args:
        job: whose captured records are unpacked, and whose JSON files lose their byte order marks.
        folder: an empty one.
        known: the baseline's columns; none where this is the baseline.
    """
    if job.format == "json":
        return files.without_marks(job, folder)
    return unpack(job, folder, known) if job.format == "sagemakerCaptureJson" else job


def unpack(job: Job, folder: Path, known: Sequence[str] = ()) -> Job:
    """Write the captured rows as CSV files of the same names into a folder, and return the job that reads these.

    JSON objects are read by their keys: the files get a header line, and a key that an object lacks is a missing value.

    Raises:
        UnreadableBatch: naming the file and line of the first record that isn't one, or that has names where others
            have none.
        EmptyBatch: there is no file with content.
    """
    found, root = files.listed(job)
    try:
        _write(found, root, job, folder, lambda location, row: _unnamed(row))
        return replace(job, format="csv", header=False, source=folder, start=None, end=None)
    except _Named:
        names = _names(found, root, job, known)

    def by_name(location: str, row: Row) -> Cells:
        if isinstance(row, dict):
            return [row.get(name, "") for name in names or row]
        if not known:
            raise UnreadableBatch(f"{location}: no names for its values, which other records have.")
        read_errors.require_width(row, len(known), location)
        values = dict(zip(known, row, strict=True))
        return [values.get(name, "") for name in names or known]

    _write(found, root, job, folder, by_name, names)
    return replace(job, format="csv", header=bool(names), source=folder, start=None, end=None)


class _Named(Exception):
    """A record has names for its values."""


def _unnamed(row: Row) -> Cells:
    if isinstance(row, dict):
        raise _Named
    return row


def _write(
    found: Sequence[Path],
    root: Path,
    job: Job,
    folder: Path,
    cells: Callable[[str, Row], Cells],
    names: Sequence[str] = (),
) -> None:
    """Write each file's rows; names make a header line, in files that have rows."""
    for file in found:
        goal = folder / file.relative_to(root)
        goal.parent.mkdir(parents=True, exist_ok=True)
        with goal.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            for number, (location, row) in enumerate(_rows_of_file(file, root, job)):
                if names and not number:
                    writer.writerow(names)
                writer.writerow(cells(location, row))


def _names(found: Sequence[Path], root: Path, job: Job, known: Sequence[str]) -> list[str]:
    """Return the names of the objects' values, the baseline's first; none where the baseline has no names itself."""
    names: dict[str, None] = {}
    order: list[str] = []
    unnamed = bool(known) and all(map(UNNAMED.fullmatch, known))
    for file in found:
        for location, row in _rows_of_file(file, root, job):
            if not isinstance(row, dict):
                # Values without names stand as the baseline's columns do.
                names.update(dict.fromkeys(() if unnamed else known))
                continue
            names.update(dict.fromkeys(row))
            order = order or list(row)
            if unnamed and list(row) != order and not names.keys() & set(known):
                raise UnreadableBatch(
                    f"{location}: its keys aren't those of the first record in their order, and the baseline's columns "
                    "have no names."
                )
    if unnamed and not names.keys() & set(known):
        return []
    return [*(name for name in known if name in names), *(name for name in names if name not in known)]


def _rows_of_file(file: Path, root: Path, job: Job) -> Iterator[tuple[str, Row]]:
    name = file.relative_to(root).as_posix()
    for number, record in read_errors.records(file, by_line=True, name=name):
        location = f"{name}, line {number}"
        for row in _rows(record, job, location):
            yield location, row


def _rows(record: dict[str, Any], job: Job, location: str) -> Iterator[Row]:
    try:
        if is_of_interest(record, job):
            yield from rows_of(record["captureData"], job.captures, job.output_first)
    except NotAPayload as problem:
        raise UnreadableBatch(f"{location}: {problem}.") from None
    except (KeyError, TypeError, AttributeError):
        raise UnreadableBatch(f"{location}: not a record of data capture.") from None


def is_of_interest(record: dict[str, Any], job: Job) -> bool:
    """Whether a record was captured between start and end, and not from a shadow variant."""
    about = record["eventMetadata"]
    if about.get("invocationSource") == SHADOW:
        return False
    if job.start is None and job.end is None:
        return True
    try:
        time = datetime.fromisoformat(about["inferenceTime"])
        return (job.start is None or time >= job.start) and (job.end is None or time < job.end)
    except (KeyError, ValueError, TypeError):
        raise NotAPayload("no inferenceTime with a time zone") from None


def rows_of(captured: dict[str, Any], wanted: Sequence[str], output_first: bool) -> list[Row]:
    """Return the rows of a record: the cells of each wanted payload, side by side, by name where any has names.

    Raises:
        NotAPayload: a payload is missing or unreadable, or the payloads don't have the same number of rows.
    """
    order = sorted(wanted, key=lambda name: (name == "endpointOutput") != output_first)
    parts = []
    for name in order:
        if name not in captured:
            raise NotAPayload(f"no {name}")
        parts.append(_payload(captured[name], name, _from_json))
    if len({len(part) for part in parts}) > 1:
        raise NotAPayload(f"{len(parts[0])} rows in {order[0]} and {len(parts[1])} in {order[1]}")
    return [_side_by_side(cells) for cells in zip(*parts, strict=True)]


def _side_by_side(parts: Sequence[Row]) -> Row:
    if not any(isinstance(part, dict) for part in parts):
        return list(chain.from_iterable(parts))
    row: dict[str, Any] = {}
    unnamed = 0
    for part in parts:
        if not isinstance(part, dict):
            part = {f"_c{unnamed + index}": cell for index, cell in enumerate(part)}
            unnamed += len(part)
        twice = next((name for name in part if name in row), None)
        if twice is not None:
            raise NotAPayload(f"both payloads hold {twice}")
        row |= part
    return row


def payload(part: dict[str, Any], name: str) -> list[Cells]:
    """Return the rows of one payload.

    Raises:
        NotAPayload: it is neither CSV nor JSON.
    """
    return [list(row.values()) if isinstance(row, dict) else row for row in _payload(part, name, _from_json)]


def named(part: dict[str, Any], name: str) -> list[Any]:
    """Return the rows of one payload, in which JSON objects keep their names and may hold lists and objects.

    Raises:
        NotAPayload: it is neither CSV nor JSON.
    """
    return _payload(part, name, _named)


def _payload(part: dict[str, Any], name: str, of_json: Callable[[Any, str], list[Any]]) -> list[Any]:
    data, encoding = part["data"], part["encoding"].upper()
    if encoding == "BASE64":
        try:
            data = base64.b64decode(data, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError, TypeError):
            raise NotAPayload(f"{name} isn't base64 of text") from None
        encoding = "JSON" if "json" in part.get("observedContentType", "csv") else "CSV"
    if encoding == "CSV":
        try:
            return [cells for cells in csv.reader(io.StringIO(data), strict=True) if cells]
        except csv.Error:
            raise NotAPayload(f"{name} isn't readable as CSV") from None
    if encoding == "JSON":
        return [row for text in _texts(data, name) for row in of_json(text, name)]
    raise NotAPayload(f"{name} has an encoding that is none of CSV, JSON and BASE64")


def _texts(data: Any, name: str) -> list[Any]:
    """Return the JSON values of a payload: one, or one per line."""
    if not isinstance(data, str):
        return [data]
    try:
        return [json.loads(data)]
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in data.splitlines() if line.strip()]
    except ValueError:
        raise NotAPayload(f"{name} isn't readable as JSON") from None


def _from_json(value: Any, name: str) -> list[Row]:
    if isinstance(value, dict):
        inner = next((value[key] for key in ROW_KEYS if isinstance(value.get(key), list)), None)
        if inner is not None:
            return _from_json(inner, name)
        if not any(isinstance(each, list | dict) for each in value.values()):
            return [{key: "" if each is None else each for key, each in value.items()}]
    if isinstance(value, list):
        if value and all(isinstance(each, list | dict) for each in value):
            return [row for each in value for row in _from_json(each, name)]
        if not any(isinstance(each, list | dict) for each in value):
            return [["" if each is None else each for each in value]]
    elif isinstance(value, str | int | float):
        return [[value]]
    raise NotAPayload(f"{name} holds nested values")


def _named(value: Any, name: str) -> list[Any]:
    if isinstance(value, dict):
        inner = next((value[key] for key in ROW_KEYS if isinstance(value.get(key), list)), None)
        return [value] if inner is None else _named(inner, name)
    if isinstance(value, list):
        # A list of objects or lists is one of rows; any other list is a row.
        return list(value) if value and all(isinstance(each, list | dict) for each in value) else [value]
    if isinstance(value, str | int | float):
        return [[value]]
    raise NotAPayload(f"{name} holds nested values")
