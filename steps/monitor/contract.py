"""The settings of SageMaker Model Monitor's container contract, read from the environment.

The contract: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-inputs.html. The variables of the
quality of a model, and how the analyzer's own jobs spell the formats, are those that AWS's SDK sets.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from steps.common import paths
from steps.monitor.failures import BadSetting

FORMATS = ("csv", "json", "parquet", "sagemakerCaptureJson", "sagemakerMergeJson", "monitorPart")
"""`monitorPart` is Baton's own: the parts that the hosts of a sharded job left."""

CAPTURES = ("endpointInput", "endpointOutput")
DATA_QUALITY, MODEL_QUALITY = "DATA_QUALITY", "MODEL_QUALITY"
OF_QUALITY = ("problem_type", "ground_truth_source")
"""Variables that mean something for the quality of a model only."""

OPTIONS = ("header", "line", "lines", "captureindexnames", "output_columns_position", "compression")
UNSUPPORTED = ("record_preprocessor_script", "post_analytics_processor_script")
SWITCH = {"Enabled": True, "Disabled": False}


@dataclass(frozen=True)
class Job:
    """What to read, what to compare it with and where to write.

    Args:
        format: one of FORMATS.
        source: a file, or a folder of files.
        output: the folder of results.
        header: whether CSV files begin with a header line.
        json_lines: whether JSON files hold one object per line.
        captures: which captured payloads make a row: endpointInput, endpointOutput or both.
        output_first: whether of both the captured output's columns come first.
        constraints, statistics: files of the baseline, if this is a check.
        start, end: the time of the records, where files say it.
        publish_metrics: whether CloudWatch metrics are written.
        analysis: DATA_QUALITY or MODEL_QUALITY.
        drift_method: the categorical drift method of a new baseline.
        earlier: folder below which metrics.json and verdict.json of earlier batches lie, or ledgers that keep these.
        labels: file or folder of labels that arrived later.
        environment: all variables.
    """

    format: str
    source: Path
    output: Path
    header: bool = True
    json_lines: bool = True
    captures: tuple[str, ...] = CAPTURES[:1]
    output_first: bool = True
    constraints: Path | None = None
    statistics: Path | None = None
    start: datetime | None = None
    end: datetime | None = None
    publish_metrics: bool = False
    analysis: str = DATA_QUALITY
    drift_method: str | None = None
    earlier: Path | None = None
    labels: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def read(environment: Mapping[str, str] = os.environ) -> Job:
    """Return the job that the environment variables describe.

    Raises:
        BadSetting: naming the variable that holds what it can't.
    """
    for variable in UNSUPPORTED:
        if environment.get(variable):
            raise BadSetting(f"{variable} is set: this container runs no scripts.")
    name, options = _format(environment.get("dataset_format") or '{"csv": {"header": true}}')
    analysis = environment.get("analysis_type") or DATA_QUALITY
    if analysis not in (DATA_QUALITY, MODEL_QUALITY):
        raise BadSetting(f"analysis_type is neither {DATA_QUALITY} nor {MODEL_QUALITY}.")
    astray = next((variable for variable in OF_QUALITY if environment.get(variable)), None)
    if analysis == DATA_QUALITY and astray:
        raise BadSetting(f"{astray} is set, and analysis_type is not {MODEL_QUALITY}.")
    constraints = _file(environment, "baseline_constraints", "constraints.json")
    statistics = _file(environment, "baseline_statistics", "statistics.json")
    if analysis == DATA_QUALITY and (constraints is None) != (statistics is None):
        absent = "baseline_constraints" if constraints is None else "baseline_statistics"
        raise BadSetting(f"{absent} is not set, and the other of the two baseline settings is.")
    return Job(
        format=name,
        source=_path(environment.get("dataset_source") or "/opt/ml/processing/input/dataset"),
        output=_path(environment.get("output_path") or "/opt/ml/processing/output"),
        header=_flag(options, "header", True),
        json_lines=_flag(options, "line", _flag(options, "lines", True)),
        captures=_captures(options),
        output_first=_output_first(options),
        constraints=constraints,
        statistics=statistics,
        start=_time(environment, "start_time"),
        end=_time(environment, "end_time"),
        publish_metrics=_switch(environment, "publish_cloudwatch_metrics"),
        analysis=analysis,
        drift_method=_drift_method(environment),
        earlier=_path(environment["earlier_results"]) if environment.get("earlier_results") else None,
        labels=_path(environment["ground_truth_source"]) if environment.get("ground_truth_source") else None,
        environment=environment,
    )


def _format(text: str) -> tuple[str, dict[str, Any]]:
    """Return the format's name and its options, whose names are in lower case."""
    try:
        given = {name: value for name, value in json.loads(text).items() if name != "compression"}
        ((name, options),) = given.items()
    except (ValueError, AttributeError):
        raise BadSetting('dataset_format isn\'t JSON with one format, such as {"csv": {"header": true}}.') from None
    known = {known.lower(): known for known in FORMATS}
    if name.lower() not in known:
        raise BadSetting(f"dataset_format is none of {', '.join(FORMATS)}.")
    if not isinstance(options, dict | None):
        raise BadSetting(f"dataset_format: {known[name.lower()]} is not followed by an object of options.")
    found = {option.lower(): value for option, value in (options or {}).items()}
    unknown = next((option for option in options or {} if option.lower() not in OPTIONS), None)
    if unknown:
        raise BadSetting(f"dataset_format: there is no option {unknown}.")
    return known[name.lower()], found


def _output_first(options: dict[str, Any]) -> bool:
    position = str(options.get("output_columns_position", "START")).upper()
    if position not in ("START", "END"):
        raise BadSetting("dataset_format: output_columns_position is neither START nor END.")
    return position == "START"


def _flag(options: dict[str, Any], name: str, default: bool) -> bool:
    value = options.get(name, default)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise BadSetting(f"dataset_format: {name} is neither true nor false.")
    return value


def _captures(options: dict[str, Any]) -> tuple[str, ...]:
    given = options.get("captureindexnames") or CAPTURES[:1]
    if not isinstance(given, list | tuple) or not all(each in CAPTURES for each in given):
        raise BadSetting(f"dataset_format: captureIndexNames may hold {' and '.join(CAPTURES)}.")
    return tuple(dict.fromkeys(given))


def _switch(environment: Mapping[str, str], variable: str) -> bool:
    value = environment.get(variable) or "Disabled"
    if value not in SWITCH:
        raise BadSetting(f"{variable} is neither Enabled nor Disabled.")
    return SWITCH[value]


def _drift_method(environment: Mapping[str, str]) -> str | None:
    value = environment.get("categorical_drift_method") or None
    if value not in (None, "LInfinity", "ChiSquared"):
        raise BadSetting("categorical_drift_method is neither LInfinity nor ChiSquared.")
    return value


def _time(environment: Mapping[str, str], variable: str) -> datetime | None:
    """Return a time; the developer guide's own example has blanks after the colons."""
    text = (environment.get(variable) or "").replace(" ", "")
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadSetting(f"{variable} is not a time such as 2026-01-31T15:20:00Z.") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _path(value: str) -> Path:
    return paths.local(value.removeprefix("file://"))


def _file(environment: Mapping[str, str], variable: str, usual_name: str) -> Path | None:
    """Return a baseline file; a folder stands for the file of the usual name in it."""
    if not environment.get(variable):
        return None
    path = _path(environment[variable])
    return path / usual_name if path.is_dir() else path
