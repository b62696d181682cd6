"""Processing, training and transform jobs: create, describe, list, stop."""

from __future__ import annotations

from typing import Any

from localaws import events
from localaws.access import roles
from localaws.api import tags
from localaws.api.call import Call, answers
from localaws.api.listing import page
from localaws.engine.kinds import FINAL, PROCESSING, TRAINING, TRANSFORM, TUNING, JobType
from localaws.errors import InUse, Invalid, LimitExceeded
from localaws.store import Record

MOST_INSTANCES = 100
"""How many instances one job may ask for: SageMaker's limit of processing jobs."""


@answers("CreateProcessingJob")
def create_processing_job(call: Call) -> dict[str, Any]:
    """Queue a processing job."""
    cluster = call.request["ProcessingResources"].get("ClusterConfig", {})
    _require(cluster, "InstanceCount", "InstanceType")
    return create(call, PROCESSING)


@answers("CreateTrainingJob")
def create_training_job(call: Call) -> dict[str, Any]:
    """Queue a training job."""
    _require(call.request, "AlgorithmSpecification", "ResourceConfig")
    algorithm, resources = call.request["AlgorithmSpecification"], call.request["ResourceConfig"]
    if ("TrainingImage" in algorithm) == ("AlgorithmName" in algorithm):
        raise Invalid("AlgorithmSpecification needs either TrainingImage or AlgorithmName, one of them.")
    groups = resources.get("InstanceGroups") or [{"InstanceCount": resources.get("InstanceCount", 1)}]
    _limit(sum(group["InstanceCount"] for group in groups))
    return create(call, TRAINING)


@answers("CreateTransformJob")
def create_transform_job(call: Call) -> dict[str, Any]:
    """Queue a transform job of a model that exists."""
    name = call.request["ModelName"]
    if call.app.store.get(call.key("Model", name)) is None:
        raise Invalid(f'Could not find model "{call.arn(f"model/{name}")}".')
    _limit(call.request["TransformResources"]["InstanceCount"])
    return create(call, TRANSFORM)


@answers("DescribeProcessingJob")
def describe_processing_job(call: Call) -> dict[str, Any]:
    """A processing job by its name."""
    return find(call, PROCESSING).body


@answers("DescribeTrainingJob")
def describe_training_job(call: Call) -> dict[str, Any]:
    """A training job by its name."""
    return find(call, TRAINING).body


@answers("DescribeTransformJob")
def describe_transform_job(call: Call) -> dict[str, Any]:
    """A transform job by its name."""
    return find(call, TRANSFORM).body


@answers("ListProcessingJobs")
def list_processing_jobs(call: Call) -> dict[str, Any]:
    """The account's processing jobs."""
    return page(call, "ProcessingJobSummaries", PROCESSING.kind)


@answers("ListTrainingJobs")
def list_training_jobs(call: Call) -> dict[str, Any]:
    """The account's training jobs."""
    filters = {
        "TrainingPlanArnEquals": "json_extract(body, '$.ResourceConfig.TrainingPlanArn') = ?",
        "WarmPoolStatusEquals": "json_extract(body, '$.WarmPoolStatus.Status') = ?",
    }
    where = [(sql, call.request[name]) for name, sql in filters.items() if name in call.request]
    return page(call, "TrainingJobSummaries", TRAINING.kind, where=where)


@answers("ListTransformJobs")
def list_transform_jobs(call: Call) -> dict[str, Any]:
    """The account's transform jobs."""
    return page(call, "TransformJobSummaries", TRANSFORM.kind)


@answers("StopProcessingJob")
def stop_processing_job(call: Call) -> dict[str, Any]:
    """Stop a processing job."""
    return stop(call, PROCESSING)


@answers("StopTrainingJob")
def stop_training_job(call: Call) -> dict[str, Any]:
    """Stop a training job."""
    return stop(call, TRAINING)


@answers("StopTransformJob")
def stop_transform_job(call: Call) -> dict[str, Any]:
    """Stop a transform job."""
    return stop(call, TRANSFORM)


@answers("DeleteProcessingJob")
def delete_processing_job(call: Call) -> dict[str, Any]:
    """Delete a processing job that has ended."""
    return delete(call, PROCESSING)


@answers("DeleteTrainingJob")
def delete_training_job(call: Call) -> dict[str, Any]:
    """Delete a training job that has ended."""
    return delete(call, TRAINING)


def _require(given: dict[str, Any], *members: str) -> None:
    """Ask for members that the model doesn't require, because it knows jobs that have no instances of their own."""
    for member in members:
        if member not in given:
            raise Invalid(f"{member} is needed.")


def _limit(instances: int) -> None:
    if instances < 1:
        raise Invalid("A job needs at least one instance.")
    if instances > MOST_INSTANCES:
        raise LimitExceeded(f"A job can have at most {MOST_INSTANCES} instances; this one asks for {instances}.")


def create(call: Call, job: JobType) -> dict[str, Any]:
    """Record a job and queue it; its Describe… members begin with the request's."""
    request, now = call.request, call.app.clock.now()
    name = request[job.name]
    if "RoleArn" in request:
        roles.require_service_role(call, request["RoleArn"])
    key, arn = call.key(job.kind, name), call.arn(f"{job.resource}/{name}")
    with call.app.store.transaction() as store:
        if store.get(key):
            raise InUse(
                f"Job name must be unique within an AWS account and region, and a job with this name "
                f"already exists ({arn})"
            )
        body = {member: value for member, value in request.items() if member != "Tags"}
        body |= {job.arn: arn, job.status: "InProgress", "CreationTime": now, "LastModifiedTime": now}
        # SageMaker always tells this member of an output, and the SDK reads it.
        for output in {"OutputDataConfig", "TransformOutput"} & body.keys():
            body[output] = {"KmsKeyId": "", **body[output]}
        if job is TRAINING:
            body["SecondaryStatus"] = "Starting"
            body["SecondaryStatusTransitions"] = [
                {"Status": "Starting", "StartTime": now, "StatusMessage": "Waiting for a free slot"}
            ]
        record = Record(key, body, "InProgress", "", now, now)
        store.put(record)
        tags.put(store, arn, request.get("Tags"))
        events.job_changed(call.app, record)
        store.after_commit(lambda: call.app.jobs.enqueue(key))
    return {job.arn: arn}


def find(call: Call, job: JobType) -> Record:
    """A job of the caller's account by its name."""
    name = call.request[job.name]
    record = call.app.store.get(call.key(job.kind, name))
    if record is None:
        raise call.missing("Requested resource not found.")
    return record


def stop(call: Call, job: JobType) -> dict[str, Any]:
    """Ask a job to stop; its processes end within seconds."""
    with call.app.store.transaction() as store:
        record = find(call, job)
        if record.status in FINAL:
            raise Invalid(f"The job is {record.status} and can't be stopped.")
        call.app.jobs.stopping(record)
        store.after_commit(lambda: call.app.jobs.stop(record.key))
    return {}


def delete(call: Call, job: JobType) -> dict[str, Any]:
    """Forget a job that has ended."""
    with call.app.store.transaction() as store:
        record = find(call, job)
        if record.status not in FINAL:
            raise InUse("The job is in progress; stop it before deleting it.")
        store.delete(record.key)
        tags.forget(store, record.body[job.arn])
    return {job.arn: record.body[job.arn]} if job is not TUNING else {}
