"""Pipelines and their versions."""

from __future__ import annotations

import contextlib
from typing import Any

from localaws.access import roles
from localaws.api import tags
from localaws.api.call import Call, answers, existing, located
from localaws.api.listing import page
from localaws.definition import InvalidDefinition, parse
from localaws.errors import Conflict, Invalid
from localaws.store import Key, Record

_FIXED = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")


@answers("CreatePipeline")
def create_pipeline(call: Call) -> dict[str, Any]:
    """Create a pipeline; its definition is checked here, as AWS does."""
    token = call.request["ClientRequestToken"]
    if (answer := call.repeated(token, "pipeline")) is not None:
        return answer
    roles.require_service_role(call, call.request["RoleArn"])
    definition = _definition(call, required=True)
    return call.once(token, "pipeline", lambda: _create(call, definition))


def _create(call: Call, definition: str | None) -> dict[str, Any]:
    request, now = call.request, call.app.clock.now()
    name = request["PipelineName"]
    key = call.key("Pipeline", name)
    with call.app.store.transaction() as store:
        if store.get(key):
            raise Invalid(
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists."
            )
        arn = call.arn(f"pipeline/{name}")
        body = {member: request[member] for member in _FIXED if member in request}
        body.setdefault("PipelineDisplayName", name)
        body |= {
            "PipelineArn": arn,
            "PipelineName": name,
            "PipelineDefinition": definition,
            "PipelineStatus": "Active",
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": {},
            "LastModifiedBy": {},
        }
        _add_version(call, key, body, now)
        store.put(Record(key, body, "Active", "", now, now))
        tags.put(store, arn, request.get("Tags"))
    return {"PipelineArn": arn}


@answers("UpdatePipeline")
def update_pipeline(call: Call) -> dict[str, Any]:
    """Change a pipeline; executions that run keep the version they were started with."""
    request, now = call.request, call.app.clock.now()
    if "RoleArn" in request:
        roles.require_service_role(call, request["RoleArn"])
    definition = _definition(call, required=False)
    with call.app.store.transaction() as store:
        record = find(call, request["PipelineName"])
        record.body |= {member: request[member] for member in _FIXED if member in request}
        record.body["LastModifiedTime"] = record.modified = now
        if definition is not None:
            record.body["PipelineDefinition"] = definition
            _add_version(call, record.key, record.body, now)
        store.put(record)
    return {"PipelineArn": record.body["PipelineArn"], "PipelineVersionId": record.body["_version"]}


@answers("DescribePipeline")
def describe_pipeline(call: Call) -> dict[str, Any]:
    """A pipeline by its name or ARN, with an older version's definition if one is asked for."""
    record = find(call, call.request["PipelineName"])
    wanted = call.request.get("PipelineVersionId")
    if wanted is None:
        return record.body
    return record.body | version(call, record.key, wanted).body


@answers("ListPipelines")
def list_pipelines(call: Call) -> dict[str, Any]:
    """The account's pipelines."""
    prefix = call.request.get("PipelineNamePrefix")
    where = [("substr(name, 1, ?) = ?", (len(prefix), prefix))] if prefix else []
    return page(call, "PipelineSummaries", "Pipeline", where=where)


@answers("DeletePipeline")
def delete_pipeline(call: Call) -> dict[str, Any]:
    """Delete a pipeline, unless an execution of it runs."""
    return call.once(call.request["ClientRequestToken"], "pipeline", lambda: _delete(call))


def _delete(call: Call) -> dict[str, Any]:
    with call.app.store.transaction() as store:
        record = find(call, call.request["PipelineName"])
        key = record.key
        place = (key.account, key.region, key.name)
        running = store.select(
            "kind='PipelineExecution' AND account=? AND region=? AND parent=? AND status IN ('Executing', 'Stopping')",
            place,
        )
        if running:
            raise Conflict(f"Pipeline {key.name} has executions in progress; stop them before deleting it.")
        store.delete(key)
        for kind in ("PipelineVersion", "PipelineExecution"):
            store.write(f"DELETE FROM records WHERE kind='{kind}' AND account=? AND region=? AND parent=?", *place)
        tags.forget(store, record.body["PipelineArn"])
    return {"PipelineArn": record.body["PipelineArn"]}


@answers("ListPipelineVersions")
def list_pipeline_versions(call: Call) -> dict[str, Any]:
    """The versions of a pipeline, the newest first."""
    key = find(call, call.request["PipelineName"]).key
    return page(
        call,
        "PipelineVersionSummaries",
        "PipelineVersion",
        parent=key.name,
        account=key.account,
        region=key.region,
    )


@answers("UpdatePipelineVersion")
def update_pipeline_version(call: Call) -> dict[str, Any]:
    """Change a version's name or description."""
    request = call.request
    parts = located(call, "Pipeline", "pipeline", request["PipelineArn"])
    with call.app.store.transaction() as store:
        record = version(call, parts, request["PipelineVersionId"])
        for member in ("PipelineVersionDisplayName", "PipelineVersionDescription"):
            if member in request:
                record.body[member] = request[member]
        store.put(record)
    return {"PipelineArn": request["PipelineArn"], "PipelineVersionId": request["PipelineVersionId"]}


def find(call: Call, name_or_arn: str) -> Record:
    """A pipeline of the caller's account by name or ARN."""
    key = located(call, "Pipeline", "pipeline", name_or_arn)
    arn = f"arn:aws:sagemaker:{key.region}:{key.account}:pipeline/{key.name}"
    missing = f"Pipeline '{arn}' does not exist."
    if key.account != call.account:
        raise call.missing(missing)
    return existing(call, key, missing)


def version(call: Call, pipeline: Key, number: int) -> Record:
    """One version of a pipeline."""
    key = Key("PipelineVersion", pipeline.account, pipeline.region, f"{pipeline.name}/{number}")
    return existing(call, key, f"Pipeline {pipeline.name} has no version {number}.")


def _add_version(call: Call, pipeline: Key, body: dict[str, Any], now: float) -> None:
    number = body.get("_version", 0) + 1
    body["_version"] = number
    key = Key("PipelineVersion", pipeline.account, pipeline.region, f"{pipeline.name}/{number}")
    content = {
        "PipelineArn": body["PipelineArn"],
        "PipelineVersionId": number,
        "PipelineDefinition": body["PipelineDefinition"],
        "CreationTime": now,
    }
    call.app.store.put(Record(key, content, "", pipeline.name, now, now))


def _definition(call: Call, *, required: bool) -> str | None:
    request = call.request
    text = request.get("PipelineDefinition")
    place = request.get("PipelineDefinitionS3Location")
    if text is not None and place is not None:
        raise Invalid("Give either PipelineDefinition or PipelineDefinitionS3Location, not both.")
    if place is not None:
        text = _from_s3(call, place)
    if text is None:
        if required:
            raise Invalid("PipelineDefinition or PipelineDefinitionS3Location is needed.")
        return None
    try:
        parse(text)
    except InvalidDefinition as error:
        raise Invalid(f"Unable to parse pipeline definition. {error}") from error
    return text


def _from_s3(call: Call, place: dict[str, str]) -> str:
    bucket, key = place["Bucket"], place["ObjectKey"]
    version_id = {"VersionId": place["VersionId"]} if "VersionId" in place else {}
    try:
        client = call.app.client("s3", call.account, call.region)
        with contextlib.closing(client.get_object(Bucket=bucket, Key=key, **version_id)["Body"]) as body:
            return body.read().decode()
    except Exception as error:
        raise Invalid(f"Unable to read the pipeline definition at s3://{bucket}/{key}: {error}") from error
