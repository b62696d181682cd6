"""Executions of pipelines: start, follow, stop, retry, and answers to callbacks."""

from __future__ import annotations

import re
import secrets
import string
from typing import Any

from localaws import events
from localaws.api import pipelines
from localaws.api.call import Call, answers, existing, split_arn
from localaws.api.listing import page
from localaws.definition import Definition, InvalidParameter, parse
from localaws.errors import Conflict, Invalid
from localaws.store import Key, Record

_ALPHABET = string.ascii_lowercase + string.digits


@answers("StartPipelineExecution")
def start_pipeline_execution(call: Call) -> dict[str, Any]:
    """Start an execution; the same token and request start one only."""
    pipeline = pipelines.find(call, call.request["PipelineName"])
    return call.once(call.request["ClientRequestToken"], pipeline.key.name, lambda: _start(call, pipeline))


def _start(call: Call, pipeline: Record) -> dict[str, Any]:
    request, now = call.request, call.app.clock.now()
    number = request.get("PipelineVersionId", pipeline.body["_version"])
    definition = pipelines.version(call, pipeline.key, number).body["PipelineDefinition"]
    overrides = {item["Name"]: item["Value"] for item in request.get("PipelineParameters", [])}
    try:
        parsed = parse(definition)
        parsed.bind(overrides)
    except InvalidParameter as error:
        raise Invalid(str(error)) from error
    selective = _selective(call, pipeline, request.get("SelectiveExecutionConfig"), parsed)
    name = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    key = Key("PipelineExecution", pipeline.key.account, pipeline.key.region, name)
    arn = f"{pipeline.body['PipelineArn']}/execution/{name}"
    body = {
        "PipelineArn": pipeline.body["PipelineArn"],
        "PipelineExecutionArn": arn,
        "PipelineExecutionDisplayName": request.get("PipelineExecutionDisplayName", f"execution-{int(now * 1000)}"),
        "PipelineExecutionDescription": request.get("PipelineExecutionDescription"),
        "PipelineExecutionStatus": "Executing",
        "PipelineVersionId": number,
        "CreationTime": now,
        "StartTime": now,
        "LastModifiedTime": now,
        "CreatedBy": {},
        "LastModifiedBy": {},
        "ParallelismConfiguration": request.get("ParallelismConfiguration")
        or pipeline.body.get("ParallelismConfiguration"),
        "SelectiveExecutionConfig": selective,
        "_definition": definition,
        "_overrides": overrides,
        "_role": pipeline.body["RoleArn"],
    }
    with call.app.store.transaction() as store:
        record = Record(key, body, "Executing", pipeline.key.name, now, now)
        store.put(record)
        pipeline.body |= {"LastExecutionTime": now, "LastRunTime": now}
        store.put(pipeline)
        events.execution_changed(call.app, record, None)
        store.after_commit(lambda: call.app.engine.advance(key))
    return {"PipelineExecutionArn": arn}


def _selective(
    call: Call, pipeline: Record, config: dict[str, Any] | None, definition: Definition
) -> dict[str, Any] | None:
    """The checked SelectiveExecutionConfig: what the selected steps take from others, the source must have."""
    if config is None:
        return None
    selected = {chosen["StepName"] for chosen in config["SelectedSteps"]}
    if unknown := sorted(selected - set(definition.steps)):
        raise Invalid(f"SelectedSteps names {unknown[0]}, which the pipeline doesn't have.")
    if between := definition.between(selected) - selected:
        raise Invalid(f"SelectedSteps must have all steps between two of them: {min(between)} is missing.")
    taken = {name: step for step in sorted(selected) for name in definition.references(step) - selected}
    source = config.get("SourcePipelineExecutionArn")
    if source is None:
        if taken:
            name, step = next(iter(taken.items()))
            raise Invalid(
                f"SourcePipelineExecutionArn is needed: {step} takes results of {name}, which isn't selected."
            )
        return config
    record = find(call, source)
    if record.parent != pipeline.key.name:
        raise Invalid(f"{source} is not an execution of pipeline {pipeline.key.name}.")
    if record.status not in ("Succeeded", "Failed"):
        raise Invalid(f"{source} is {record.status}; it must have succeeded or failed.")
    if missing := sorted(set(taken) - call.app.engine.succeeded(record)):
        raise Invalid(f"{taken[missing[0]]} takes results of {missing[0]}, which didn't succeed in {source}.")
    return config


@answers("DescribePipelineExecution")
def describe_pipeline_execution(call: Call) -> dict[str, Any]:
    """An execution's status."""
    return find(call, call.request["PipelineExecutionArn"]).body


@answers("ListPipelineExecutions")
def list_pipeline_executions(call: Call) -> dict[str, Any]:
    """The executions of a pipeline."""
    key = pipelines.find(call, call.request["PipelineName"]).key
    found = page(call, "PipelineExecutionSummaries", "PipelineExecution", parent=key.name)
    for body in found["PipelineExecutionSummaries"]:
        body["PipelineExecutionFailureReason"] = body.get("FailureReason")
    return found


@answers("UpdatePipelineExecution")
def update_pipeline_execution(call: Call) -> dict[str, Any]:
    """Change an execution's display name, description or parallelism."""
    with call.app.store.transaction() as store:
        record = find(call, call.request["PipelineExecutionArn"])
        for member in (
            "PipelineExecutionDescription",
            "PipelineExecutionDisplayName",
            "ParallelismConfiguration",
        ):
            if member in call.request:
                record.body[member] = call.request[member]
        record.body["LastModifiedTime"] = record.modified = call.app.clock.now()
        store.put(record)
        store.after_commit(lambda: call.app.engine.advance(record.key))
    return {"PipelineExecutionArn": record.body["PipelineExecutionArn"]}


@answers("DescribePipelineDefinitionForExecution")
def describe_pipeline_definition_for_execution(call: Call) -> dict[str, Any]:
    """The definition that an execution runs, whatever became of the pipeline since."""
    record = find(call, call.request["PipelineExecutionArn"])
    return {"PipelineDefinition": record.body["_definition"], "CreationTime": record.created}


@answers("ListPipelineParametersForExecution")
def list_pipeline_parameters_for_execution(call: Call) -> dict[str, Any]:
    """The values of all parameters, defaults included."""
    body = find(call, call.request["PipelineExecutionArn"]).body
    values = parse(body["_definition"]).bind(body["_overrides"])
    named = [{"Name": name, "Value": _text(value)} for name, value in sorted(values.items())]
    token = call.request.get("NextToken") or "0"
    if not re.fullmatch("[0-9]{1,9}", token):
        raise Invalid("The NextToken is not one that this operation gave")
    start = int(token)
    end = start + call.request.get("MaxResults", 100)
    more = {"NextToken": str(end)} if end < len(named) else {}
    return {"PipelineParameters": named[start:end], **more}


@answers("ListPipelineExecutionSteps")
def list_pipeline_execution_steps(call: Call) -> dict[str, Any]:
    """The steps that have begun, the newest first unless asked otherwise."""
    if "PipelineExecutionArn" not in call.request:
        raise Invalid("PipelineExecutionArn is needed.")
    record = find(call, call.request["PipelineExecutionArn"])
    return page(call, "PipelineExecutionSteps", "PipelineExecutionStep", parent=record.key.name)


@answers("StopPipelineExecution")
def stop_pipeline_execution(call: Call) -> dict[str, Any]:
    """Stop an execution and the jobs that it runs."""
    record = find(call, call.request["PipelineExecutionArn"])
    return call.once(call.request["ClientRequestToken"], record.key.name, lambda: _stop(call))


def _stop(call: Call) -> dict[str, Any]:
    with call.app.store.transaction() as store:
        record = find(call, call.request["PipelineExecutionArn"])
        if record.status == "Executing":
            call.app.engine.stopping(record)
            store.after_commit(lambda: call.app.engine.advance(record.key))
        elif record.status != "Stopping":
            raise Conflict(f"Pipeline execution is {record.status} and can't be stopped.")
    return {"PipelineExecutionArn": record.body["PipelineExecutionArn"]}


@answers("RetryPipelineExecution")
def retry_pipeline_execution(call: Call) -> dict[str, Any]:
    """Carry a failed or stopped execution on from its finished steps."""
    record = find(call, call.request["PipelineExecutionArn"])
    return call.once(call.request["ClientRequestToken"], record.key.name, lambda: _retry(call, record.key))


def _retry(call: Call, key: Key) -> dict[str, Any]:
    with call.app.store.transaction() as store:
        record = store.get(key)
        if record is None or record.status not in ("Failed", "Stopped"):
            state = record.status if record else "deleted"
            raise Conflict(f"Only a failed or stopped pipeline execution can be retried; this one is {state}.")
        if "ParallelismConfiguration" in call.request:
            record.body["ParallelismConfiguration"] = call.request["ParallelismConfiguration"]
        call.app.engine.retrying(record)
        store.after_commit(lambda: call.app.engine.advance(key))
    return {"PipelineExecutionArn": record.body["PipelineExecutionArn"]}


@answers("SendPipelineExecutionStepSuccess")
def send_pipeline_execution_step_success(call: Call) -> dict[str, Any]:
    """A callback step's answer."""
    return call.once(call.request.get("ClientRequestToken"), "callback", lambda: _called_back(call, None))


@answers("SendPipelineExecutionStepFailure")
def send_pipeline_execution_step_failure(call: Call) -> dict[str, Any]:
    """A callback step's failure."""
    reason = call.request.get("FailureReason", "The callback reported a failure.")
    return call.once(call.request.get("ClientRequestToken"), "callback", lambda: _called_back(call, reason))


def _called_back(call: Call, failure: str | None) -> dict[str, Any]:
    outputs = {item["Name"]: item["Value"] for item in call.request.get("OutputParameters", [])}
    return {"PipelineExecutionArn": call.app.engine.called_back(call, outputs, failure)}


def find(call: Call, arn: str) -> Record:
    """An execution of the caller's account by its ARN."""
    parts = split_arn(arn)
    missing = f"Pipeline execution with arn {arn} does not exist."
    if parts is None or "/execution/" not in parts[3] or parts[1] != call.account:
        raise call.missing(missing)
    pipeline, name = parts[3].split("/execution/", 1)
    record = existing(call, Key("PipelineExecution", parts[1], parts[0], name), missing)
    if record.parent != pipeline:
        raise call.missing(missing)
    return record


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
