"""DataProcessing of a transform job: parts of records in, answers joined to records, parts of that out.

Source: Amazon SageMaker AI developer guide, "Associate Prediction Results with Input Records".
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localaws.jobs.failure import JobFailed

CSV = ("text/csv",)
JSON = ("application/json", "application/jsonlines", "application/x-jsonlines")
WHOLE = "$"
_STEP = re.compile(r"\.([A-Za-z0-9_\-]+)|\.(\*)|\.?\[([^\[\]]*)\]")
_NAMES = re.compile(r"\s*'[^']*'\s*(,\s*'[^']*'\s*)*")
_NUMBERS = re.compile(r"\s*(-?\d+|-?\d*:-?\d*)\s*(,\s*(-?\d+|-?\d*:-?\d*)\s*)*")

Step = Callable[[Any], Any]


class Missing(Exception):
    """A record hasn't what a filter selects."""


@dataclass(frozen=True)
class Path:
    """A JSONPath of the operators that SageMaker supports: names, indexes, slices and wildcards."""

    steps: tuple[tuple[Step, bool], ...]

    @classmethod
    def parse(cls, text: str, what: str) -> Path:
        """Read an expression. Raises JobFailed, naming the setting."""
        wrong = JobFailed(f"ClientError: {what} {text} isn't a JSONPath of the operators that SageMaker supports.")
        if not text.startswith(WHOLE):
            raise wrong
        steps, position = [], 1
        while position < len(text):
            match = _STEP.match(text, position)
            step = _step(*match.groups()) if match else None
            if match is None or step is None or (steps and steps[-1][1] is None):
                raise wrong
            steps.append(step)
            position = match.end()
        return cls(tuple((act, bool(several)) for act, several in steps))

    def select(self, value: Any) -> Any:
        """Return the selected part. Raises Missing."""
        return _select(self.steps, value)


def _select(steps: tuple[tuple[Step, bool], ...], value: Any) -> Any:
    for number, (act, several) in enumerate(steps):
        value = act(value)
        if several and number + 1 < len(steps):
            return [_select(steps[number + 1 :], item) for item in value]
    return value


def _step(name: str | None, star: str | None, inside: str | None) -> tuple[Step, bool | None] | None:
    """A step, and whether it gives several values (None: an object, which nothing may follow)."""
    if star or (inside or "").strip() == "*":
        return _every, True
    if name is not None:
        return lambda value: _member(value, name), False
    assert inside is not None
    if _NAMES.fullmatch(inside):
        names = re.findall(r"'([^']*)'", inside)
        if len(names) == 1:
            return lambda value: _member(value, names[0]), False
        return lambda value: {name: _member(value, name) for name in names}, None
    if not _NUMBERS.fullmatch(inside):
        return None
    parts = [part.strip() for part in inside.split(",")]
    if len(parts) == 1 and ":" not in parts[0]:
        return lambda value: _items(value, parts)[0], False
    return lambda value: _items(value, parts), True


def _every(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    raise Missing("it isn't an object or array")


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise Missing(f"it has no attribute {name}")
    return value[name]


def _items(value: Any, parts: list[str]) -> list[Any]:
    if not isinstance(value, list):
        raise Missing("it isn't an array")
    found = []
    for part in parts:
        if ":" in part:
            start, end = (int(number) if number else None for number in part.split(":"))
            found += value[start:end]
            continue
        try:
            found.append(value[int(part)])
        except IndexError:
            raise Missing(f"it has no index {part}") from None
    return found


@dataclass(frozen=True)
class DataProcessing:
    """What is done to payloads on their way to a container, and to its answers."""

    input_filter: Path
    output_filter: Path
    join: bool
    csv: bool
    by_line: bool

    @classmethod
    def of(cls, settings: dict[str, str], content_type: str | None, split: bool) -> DataProcessing | None:
        """Read a job's settings; None when they ask for nothing. Raises JobFailed."""
        expressions = [settings.get(name, WHOLE) or WHOLE for name in ("InputFilter", "OutputFilter")]
        join = settings.get("JoinSource", "None") == "Input"
        if expressions == [WHOLE, WHOLE] and not join:
            return None
        kind = (content_type or "").split(";")[0].strip().lower()
        if kind not in CSV + JSON:
            raise JobFailed(f"ClientError: DataProcessing takes records of the content types {', '.join(CSV + JSON)}.")
        paths = [
            Path.parse(text, name) for name, text in zip(("InputFilter", "OutputFilter"), expressions, strict=True)
        ]
        by_line = split or kind != "application/json"
        return cls(paths[0], paths[1], join, kind in CSV, by_line)

    def narrowed(self, body: bytes, first: int, uri: str) -> bytes:
        """Return a payload with only the selected part of each of its records. Raises JobFailed."""
        if not self.input_filter.steps:
            return body
        return self._encoded(
            self._selected(self.input_filter, record, "InputFilter", first + number, uri)
            for number, record in enumerate(self._records(body, first, uri))
        )

    def widened(self, body: bytes, answer: bytes, first: int, uri: str) -> bytes:
        """Return an answer, joined to the payload's records if asked for, of it the selected part. Raises JobFailed."""
        if not self.join and not self.output_filter.steps:
            return answer
        outputs = self._records(answer, first, f"the answer to {uri}")
        if self.join:
            inputs = self._records(body, first, uri)
            if len(inputs) != len(outputs):
                raise JobFailed(
                    f"ClientError: {uri}, from line {first}: {len(inputs)} records have an answer of {len(outputs)}, "
                    "which can't be joined."
                )
            outputs = [self._joined(*pair) for pair in zip(inputs, outputs, strict=True)]
        return self._encoded(
            self._selected(self.output_filter, record, "OutputFilter", first + number, uri)
            for number, record in enumerate(outputs)
        )

    def _joined(self, given: Any, answer: Any) -> Any:
        if self.csv:
            return given + answer
        if isinstance(given, dict):
            return given | {"SageMakerOutput": answer}
        return {"SageMakerInput": given, "SageMakerOutput": answer}

    def _selected(self, path: Path, record: Any, name: str, line: int, uri: str) -> Any:
        try:
            return path.select(record)
        except Missing as error:
            raise JobFailed(f"ClientError: {uri}, line {line}: {name} can't be applied, for {error}.") from None

    def _records(self, body: bytes, first: int, uri: str) -> list[Any]:
        try:
            text = body.decode("utf-8-sig")
            if self.csv:
                return list(csv.reader(io.StringIO(text, newline=""), strict=True))
            lines = [line for line in text.split("\n") if line.strip()] if self.by_line else [text]
            return [json.loads(line) for line in lines]
        except (UnicodeDecodeError, csv.Error, ValueError):
            kind = "CSV" if self.csv else "JSON"
            raise JobFailed(f"ClientError: {uri}, from line {first}: a record isn't {kind}.") from None

    def _encoded(self, records: Any) -> bytes:
        if not self.csv:
            ends = "\n" if self.by_line else ""
            return "".join(f"{json.dumps(record, ensure_ascii=False)}{ends}" for record in records).encode()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for record in records:
            writer.writerow(record if isinstance(record, list) else [record])
        return text.getvalue().encode()
