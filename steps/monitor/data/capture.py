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


class NotAPayload(ValueError):
    """What is wrong with a payload, to be said after its place."""


def opened(job: Job, folder: Path) -> Job:
    """Return the job itself or, where it is about captured records, one that reads them unpacked into the folder."""
    return unpack(job, folder) if job.format == "sagemakerCaptureJson" else job


def unpack(job: Job, folder: Path) -> Job:
    """Write the captured rows as CSV files of the same names into a folder, and return the job that reads these.

    Raises:
        UnreadableBatch: naming the file and line of the first record that isn't one.
        EmptyBatch: there is no file with content.
    """
    found, root = files.listed(job)
    for file in found:
        name = file.relative_to(root).as_posix()
        goal = folder / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        with goal.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            for number, record in read_errors.records(file, by_line=True, name=name):
                writer.writerows(_rows(record, job, f"{name}, line {number}"))
    return replace(job, format="csv", header=False, source=folder, start=None, end=None)


def _rows(record: dict[str, Any], job: Job, location: str) -> Iterator[Cells]:
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


def rows_of(captured: dict[str, Any], wanted: Sequence[str], output_first: bool) -> list[Cells]:
    """Return the rows of a record: the cells of each wanted payload, side by side.

    Raises:
        NotAPayload: a payload is missing or unreadable, or the payloads don't have the same number of rows.
    """
    order = sorted(wanted, key=lambda name: (name == "endpointOutput") != output_first)
    parts = []
    for name in order:
        if name not in captured:
            raise NotAPayload(f"no {name}")
        parts.append(payload(captured[name], name))
    if len({len(part) for part in parts}) > 1:
        raise NotAPayload(f"{len(parts[0])} rows in {order[0]} and {len(parts[1])} in {order[1]}")
    return [list(chain.from_iterable(cells)) for cells in zip(*parts, strict=True)]


def payload(part: dict[str, Any], name: str) -> list[Cells]:
    """Return the rows of one payload.

    Raises:
        NotAPayload: it is neither CSV nor JSON.
    """
    return _payload(part, name, _from_json)


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


def _from_json(value: Any, name: str) -> list[Cells]:
    if isinstance(value, dict):
        inner = next((value[key] for key in ROW_KEYS if isinstance(value.get(key), list)), None)
        return _from_json(list(value.values()) if inner is None else inner, name)
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
