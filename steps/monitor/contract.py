"""The settings of SageMaker Model Monitor's container contract, read from the environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from steps.common import paths
from steps.monitor.failures import BadSetting

FORMATS = ("csv", "json", "parquet", "sagemakerCaptureJson")
CAPTURES = ("endpointInput", "endpointOutput")


@dataclass(frozen=True)
class Job:
    """What to read, what to hold it against and where to write."""

    format: str
    header: bool
    source: Path
    output: Path
    constraints: Path | None
    statistics: Path | None
    publish_metrics: bool = False
    captures: tuple[str, ...] = ()
    json_lines: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


def read(environment: Mapping[str, str] = os.environ) -> Job:
    """Return the job that the environment variables describe.

    Raises:
        BadSetting: naming the variable that holds what it can't.
    """
    name, options = _format(environment.get("dataset_format") or '{"csv": {"header": true}}')
    source = _path(environment.get("dataset_source") or "/opt/ml/processing/input/dataset")
    constraints = _baseline(environment, "baseline_constraints", "constraints.json")
    statistics = _baseline(environment, "baseline_statistics", "statistics.json")
    if (constraints is None) != (statistics is None):
        absent = "baseline_constraints" if constraints is None else "baseline_statistics"
        raise BadSetting(f"{absent} is not set, and the other of the two baseline settings is.")
    return Job(
        format=name,
        header=_flag(options, "header", True),
        source=source,
        output=_path(environment.get("output_path") or "/opt/ml/processing/output"),
        constraints=constraints,
        statistics=statistics,
        publish_metrics=(environment.get("publish_cloudwatch_metrics") or "Disabled") == "Enabled",
        captures=tuple(options.get("captureIndexNames") or CAPTURES[:1]),
        json_lines=_flag(options, "line", True),
        environment=environment,
    )


def _format(text: str) -> tuple[str, dict]:
    try:
        given = json.loads(text)
        ((name, options),) = given.items()
    except (ValueError, AttributeError):
        raise BadSetting('dataset_format isn\'t JSON with one format, such as {"csv": {"header": true}}.') from None
    known = {known.lower(): known for known in FORMATS}
    if name.lower() not in known:
        raise BadSetting(f"dataset_format is none of {', '.join(FORMATS)}.")
    return known[name.lower()], options if isinstance(options, dict) else {}


def _flag(options: dict, name: str, default: bool) -> bool:
    value = options.get(name, default)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise BadSetting(f"dataset_format: {name} is neither true nor false.")
    return value


def _path(value: str) -> Path:
    return paths.local(value.removeprefix("file://"))


def _baseline(environment: Mapping[str, str], variable: str, usual_name: str) -> Path | None:
    """Return a baseline file; a folder stands for the file of the usual name in it."""
    if not environment.get(variable):
        return None
    path = _path(environment[variable])
    return path / usual_name if path.is_dir() else path
