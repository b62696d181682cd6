"""Deploying a pipeline, starting it, and following an execution to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from functions.common.context import RUNNING, AccountContext, client
from functions.on_failure import execution as executions
from pipeline import inference, quality, train, validation
from pipeline.language import Definition
from pipeline.names import Names
from pipeline.release import Release
from pipeline.settings import Settings

DEFINITIONS: dict[str, Callable[[Settings, Release], Definition]] = {
    "train": train.definition,
    "inference": inference.definition,
    "quality": quality.definition,
}
LOCAL_INTERVAL, INTERVAL = 0.2, 5.0
"""Seconds between two looks at an execution, on this machine and in AWS."""


class CannotStart(Exception):
    """The pipeline can't be deployed or started; the message says why."""


def render(settings: Settings, pipeline: str, release: Release) -> Definition:
    """Return a pipeline's definition after checking it; only without images may a release leave variables open.

    Raises:
        CannotStart: SageMaker would refuse it, or it names what the release hasn't.
    """
    definition = DEFINITIONS[pipeline](settings, release)
    problems = validation.problems(definition.render())
    if release.images:
        problems += validation.unresolved(definition.render(), release.images.values())
    if problems:
        raise CannotStart(f"{pipeline} definition: {'; '.join(problems)}.")
    return definition


def upsert(settings: Settings, pipeline: str, release: Release | None = None) -> str:
    """Create a pipeline, or update it when its definition has changed; return its ARN.

    Args:
        settings: the environment's.
        pipeline: train, inference or quality.
        release: what it runs; None keeps the images of the deployed pipeline. A release that names no versions
            of the functions keeps those that are deployed: each account counts its own.

    Raises:
        CannotStart: the pipeline isn't deployed and the release doesn't say everything it needs, or the
            definition is wrong.
    """
    names = Names(settings)
    name = names.name(pipeline)
    sagemaker = client("sagemaker")
    present = _describe(name)
    request = {"PipelineName": name, "RoleArn": names.role("pipeline")}
    if release:
        request["PipelineDescription"] = f"Release {release.version}, commit {release.git_commit}"
    elif present is None:
        raise CannotStart(f"{name} isn't in account {settings.account} yet: give a release (--release).")
    deployed = Release.of_definition(json.loads(present["PipelineDefinition"])) if present else Release()
    release = release or deployed
    release = replace(release, functions={**deployed.functions, **release.functions})
    text = render(settings, pipeline, release).text()
    if unknown := validation.VARIABLE.search(text):
        raise CannotStart(f"{name}: neither the release nor a deployed pipeline says what {unknown[0]} is.")
    request["PipelineDefinition"] = text
    if present is None:
        return sagemaker.create_pipeline(**request)["PipelineArn"]
    if json.loads(present["PipelineDefinition"]) != json.loads(text) or present["RoleArn"] != request["RoleArn"]:
        sagemaker.update_pipeline(**request)
    return present["PipelineArn"]


def _describe(name: str) -> dict[str, Any] | None:
    try:
        return client("sagemaker").describe_pipeline(PipelineName=name)
    except ClientError as error:
        if "ResourceNotFound" in error.response["Error"]["Code"]:
            return None
        raise


def checked_parameters(definition: dict[str, Any], given: Mapping[str, str]) -> list[dict[str, str]]:
    """Return parameters as StartPipelineExecution takes them.

    Raises:
        CannotStart: the definition doesn't know one, or it isn't of its type.
    """
    kinds = {parameter["Name"]: parameter["Type"] for parameter in definition["Parameters"]}
    for name, value in given.items():
        if name not in kinds:
            raise CannotStart(f"parameter {name}: the pipeline only knows {', '.join(kinds)}.")
        try:
            {"Integer": int, "Float": float}.get(kinds[name], str)(value)
        except ValueError:
            raise CannotStart(f"parameter {name}: not of type {kinds[name]}.") from None
    return [{"Name": name, "Value": value} for name, value in given.items()]


def start(settings: Settings, pipeline: str, parameters: Mapping[str, str], reason: str = "") -> str:
    """Start the deployed pipeline; return the execution's ARN.

    Raises:
        CannotStart: there is no such pipeline, or a parameter is wrong.
    """
    name = Names(settings).name(pipeline)
    present = _describe(name)
    if present is None:
        raise CannotStart(f"{name} isn't in account {settings.account}.")
    request: dict[str, Any] = {"PipelineName": name}
    if checked := checked_parameters(json.loads(present["PipelineDefinition"]), parameters):
        request["PipelineParameters"] = checked
    if reason := " ".join(reason.split()):
        request["PipelineExecutionDescription"] = reason
    return client("sagemaker").start_pipeline_execution(**request)["PipelineExecutionArn"]


def follow(execution: str, interval: float) -> Iterator[dict[str, Any]]:
    """Give each step of an execution when it starts and when it ends, until the execution has ended."""
    sagemaker = client("sagemaker")
    shown: dict[str, str] = {}
    while True:
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"]
        pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=execution, SortOrder="Ascending"
        )
        for step in (step for page in pages for step in page["PipelineExecutionSteps"]):
            if shown.get(step["StepName"]) != step["StepStatus"]:
                shown[step["StepName"]] = step["StepStatus"]
                yield step
        if status not in RUNNING:
            return
        time.sleep(interval)


def outcome(context: AccountContext, execution: str) -> tuple[str, str]:
    """Return an ended execution's status and, unless it succeeded, why: the failed job's own sentence."""
    described = client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution)
    status = described["PipelineExecutionStatus"]
    failure = executions.read(context, execution) if status == "Failed" else None
    if failure is None:
        return status, described.get("FailureReason", "")
    return status, f"{failure.where}: {failure.sentence}"
