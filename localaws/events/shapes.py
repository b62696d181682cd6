"""SageMaker's events, as "Events that Amazon SageMaker AI sends to Amazon EventBridge" documents them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from localaws import wire
from localaws.engine.kinds import JOB_TYPES, PROCESSING
from localaws.events import outbox
from localaws.store import Record

if TYPE_CHECKING:
    from localaws.application import Application

_JOB_TITLES = {
    "ProcessingJob": "SageMaker Processing Job State Change",
    "TrainingJob": "SageMaker Training Job State Change",
    "TransformJob": "SageMaker Transform Job State Change",
    "HyperParameterTuningJob": "SageMaker HyperParameter Tuning Job State Change",
}


def execution_changed(app: Application, execution: Record, previous: str | None) -> None:
    """An execution has another status than `previous` (inside a transaction)."""
    body = execution.body
    detail = {
        "pipelineExecutionDisplayName": body.get("PipelineExecutionDisplayName"),
        "currentPipelineExecutionStatus": body["PipelineExecutionStatus"],
        "previousPipelineExecutionStatus": previous,
        "executionStartTime": iso(body["StartTime"]),
        "executionEndTime": iso(body["_ended"]) if "_ended" in body else None,
        "pipelineExecutionDescription": body.get("PipelineExecutionDescription"),
        "pipelineArn": body["PipelineArn"],
        "pipelineExecutionArn": body["PipelineExecutionArn"],
    }
    _send(
        app,
        execution,
        "SageMaker Model Building Pipeline Execution Status Change",
        [body["PipelineArn"], body["PipelineExecutionArn"]],
        detail,
    )


def step_changed(app: Application, execution: Record, step: Record, previous: str | None) -> None:
    """A step has another status than `previous` (inside a transaction)."""
    body = step.body
    metadata = {name[:1].lower() + name[1:]: _lowered(value) for name, value in body.get("Metadata", {}).items()}
    detail = {
        "metadata": metadata or None,
        "stepStartTime": iso(body["StartTime"]),
        "stepEndTime": iso(body["EndTime"]) if "EndTime" in body else None,
        "stepName": body["StepName"],
        "stepType": body["_type"],
        "previousStepStatus": previous,
        "currentStepStatus": body["StepStatus"],
        "cacheHitResult": _lowered(body["CacheHitResult"]) if body.get("CacheHitResult") else None,
        "failureReason": body.get("FailureReason"),
        "pipelineArn": execution.body["PipelineArn"],
        "pipelineExecutionArn": execution.body["PipelineExecutionArn"],
    }
    _send(
        app,
        execution,
        "SageMaker Model Building Pipeline Execution Step Status Change",
        [execution.body["PipelineArn"], execution.body["PipelineExecutionArn"]],
        detail,
    )


def package_changed(app: Application, package: Record, updated: Sequence[str] = ()) -> None:
    """A model package was created, updated or deleted (inside a transaction); it tells its account's bus.

    `updated` are the members that an update gave.
    """
    detail = _described("DescribeModelPackageOutput", package.body, iso)
    detail["UpdatedModelPackageFields"] = list(updated) or None
    for member in ("CreatedBy", "LastModifiedBy", "SkipModelValidation"):
        detail.pop(member, None)
    _send(app, package, "SageMaker Model Package State Change", [package.body["ModelPackageArn"]], detail)


def model_changed(app: Application, model: Record) -> None:
    """A model was created or deleted (inside a transaction)."""
    detail = _described("DescribeModelOutput", model.body) | {"Tags": _tags(app, model.body["ModelArn"])}
    _send(app, model, "SageMaker Model State Change", [model.body["ModelArn"]], detail)


def job_changed(app: Application, job: Record) -> None:
    """A job has another status (inside a transaction)."""
    kind = job.key.kind
    detail, arn = _described(f"Describe{kind}Response", job.body), job.body[JOB_TYPES[kind].arn]
    if kind != PROCESSING.kind:
        detail["Tags"] = _tags(app, arn)
    _send(app, job, _JOB_TITLES[kind], [arn], detail)


def iso(seconds: float) -> str:
    """A time as EventBridge writes it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _send(app: Application, record: Record, title: str, resources: list[str], detail: dict[str, Any]) -> None:
    detail = {name: value for name, value in detail.items() if value is not None}
    outbox.put(app, record.key.account, record.key.region, "default", "aws.sagemaker", title, resources, detail)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _described(shape: str, body: dict[str, Any], time: Callable[[float], Any] = _milliseconds) -> dict[str, Any]:
    """What Describe… answers, with times in milliseconds as SageMaker's job events have them."""
    return {name: time(value) if name.endswith("Time") else value for name, value in wire.shaped(shape, body).items()}


def _tags(app: Application, arn: str) -> dict[str, str]:
    return dict(app.store.rows("SELECT key, value FROM tags WHERE arn=? ORDER BY key", arn))


def _lowered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _lowered(item) for name, item in value.items()}
    return [_lowered(item) for item in value] if isinstance(value, list) else value
