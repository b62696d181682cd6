"""Training jobs.

Source: Amazon SageMaker AI developer guide, "How Amazon SageMaker AI Provides Training Information".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localaws.contract import JobContext, Outcome
from localaws.jobs import archive, cluster, outputs, s3, source
from localaws.jobs.channels import Channel, read_channels
from localaws.jobs.continuous import Continuous
from localaws.jobs.failure import MAX_REASON, OUT_OF_MEMORY, JobFailed, JobStopped
from localaws.jobs.metrics import Metrics
from localaws.runtimes.base import Container

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL. AWS waits for 120; here a stopped job ends within seconds."""

DAY = 86_400
CHECKPOINTS = "/opt/ml/checkpoints"
FAILURE = "output/failure"
GROUP = "homogeneousCluster"
"""SageMaker's name of the instance group where the job names none."""


def run(body: dict[str, Any], context: JobContext) -> Outcome:
    """Run a training job: its model is in S3 when it has completed or was stopped, and not otherwise."""
    watch, too_late = _watch(body, context)
    if watch.limit is not None and watch.limit <= 0:
        return Outcome("Stopped", fields={"SecondaryStatus": too_late})
    algorithm = body["AlgorithmSpecification"]
    if "TrainingImage" not in algorithm:
        raise JobFailed("ClientError: AlgorithmName isn't supported here; name a TrainingImage.")
    metrics = Metrics(algorithm.get("MetricDefinitions", []), algorithm["TrainingImage"])
    groups = _groups(body["ResourceConfig"])
    hosts = tuple(host for group in groups for host in group["hosts"])
    roots = {host: context.folder / host for host in hosts}
    channels = read_channels(body)
    checkpoints = _checkpoints(body, context, list(roots.values()))
    context.progress("Downloading")
    for host, root in roots.items():
        _prepare(body, channels, groups, host, root)
    _download(channels, groups, context, roots)
    code = source.of_training(body.get("HyperParameters", {}))
    source.bring(context, algorithm["TrainingImage"], code, list(roots.values()))
    checkpoints.restore()
    containers = [_container(body, context, host, hosts, roots[host], groups, metrics) for host in hosts]
    context.progress("Training")
    with checkpoints.running():
        ended = cluster.run(context, containers, watch, GRACE)
    fields: dict[str, Any] = {"FinalMetricDataList": metrics.final()} if metrics.final() else {}
    if ended.failed:
        return Outcome("Failed", _reason(ended, roots[ended.failed]), fields=fields)
    context.progress("Uploading")
    fields |= _upload(body, context, list(roots.values()))
    if ended.cause == "exit":
        return Outcome("Completed", fields=fields)
    if ended.cause == "timeout":
        fields["SecondaryStatus"] = too_late
    return Outcome("Stopped", fields=fields)


def _watch(body: dict[str, Any], context: JobContext) -> tuple[cluster.Watch, str]:
    """The job's time limit, and the secondary status of a job that reaches it.

    A spot job's waiting counts; capacity is what this machine's slots give, and is never taken away again.
    """
    condition = body.get("StoppingCondition", {})
    limit = condition.get("MaxRuntimeInSeconds", DAY)
    if body.get("EnableManagedSpotTraining") and "MaxWaitTimeInSeconds" in condition:
        waited = body.get("TrainingStartTime", 0) - body.get("CreationTime", body.get("TrainingStartTime", 0))
        rest = condition["MaxWaitTimeInSeconds"] - waited
        if rest < limit:
            return cluster.Watch(context, rest), "MaxWaitTimeExceeded"
    return cluster.Watch(context, limit), "MaxRuntimeExceeded"


def _groups(resources: dict[str, Any]) -> list[dict[str, Any]]:
    """The instance groups as resourceconfig.json shows them."""
    given = resources.get("InstanceGroups") or [
        {
            "InstanceGroupName": GROUP,
            "InstanceType": resources.get("InstanceType", ""),
            "InstanceCount": resources.get("InstanceCount", 1),
        }
    ]
    left = iter(cluster.names(sum(group["InstanceCount"] for group in given)))
    return [
        {
            "instance_group_name": group["InstanceGroupName"],
            "instance_type": group["InstanceType"],
            "hosts": [next(left) for _ in range(group["InstanceCount"])],
        }
        for group in given
    ]


def _group(groups: list[dict[str, Any]], host: str) -> dict[str, Any]:
    return next(group for group in groups if host in group["hosts"])


def _prepare(
    body: dict[str, Any], channels: list[Channel], groups: list[dict[str, Any]], host: str, root: Path
) -> None:
    config, group = root / "input/config", _group(groups, host)
    cluster.write_json(config / "hyperparameters.json", body.get("HyperParameters", {}))
    cluster.write_json(config / "inputdataconfig.json", {item.name: item.configuration for item in channels})
    resources = {
        "current_host": host,
        "current_instance_type": group["instance_type"],
        "current_group_name": group["instance_group_name"],
        "hosts": [name for item in groups for name in item["hosts"]],
        "instance_groups": groups,
        "network_interface_name": "eth0",
    }
    cluster.write_json(config / "resourceconfig.json", resources)
    for folder in ("input/data", "model", "output/data"):
        (root / folder).mkdir(parents=True, exist_ok=True)


def _download(
    channels: list[Channel], groups: list[dict[str, Any]], context: JobContext, roots: dict[str, Path]
) -> None:
    client = context.client("s3") if channels else None
    for channel in channels:
        objects = s3.find(client, channel.uri, channel.data_type)
        members = [group for group in groups if not channel.groups or group["instance_group_name"] in channel.groups]
        hosts = [host for group in members for host in group["hosts"]]
        if not hosts:
            raise JobFailed(f"ClientError: channel {channel.name}: no instance group is named {channel.groups[0]}.")
        for number, host in enumerate(hosts):
            if context.stopped.is_set():
                raise JobStopped
            share = s3.shard(objects, number, len(hosts), channel.distribution)
            s3.download(client, share, roots[host] / "input/data" / channel.name, context.stopped)


def _checkpoints(body: dict[str, Any], context: JobContext, roots: list[Path]) -> Continuous:
    config = body.get("CheckpointConfig")
    if not config:
        return Continuous(None, [], context.folder)
    path = config.get("LocalPath") or CHECKPOINTS
    places = [(cluster.place(root, path, "CheckpointConfig"), config["S3Uri"]) for root in roots]
    return Continuous(context.client("s3"), places, context.folder)


def _container(
    body: dict[str, Any],
    context: JobContext,
    host: str,
    hosts: tuple[str, ...],
    root: Path,
    groups: list[dict[str, Any]],
    metrics: Metrics,
) -> Container:
    algorithm = body["AlgorithmSpecification"]
    entrypoint = tuple(algorithm.get("ContainerEntrypoint", ()))
    own = {"TRAINING_JOB_NAME": context.name, "TRAINING_JOB_ARN": body.get("TrainingJobArn", "")}
    return Container(
        account=context.account,
        job=context.name,
        host=host,
        hosts=hosts,
        image=algorithm["TrainingImage"],
        root=root,
        instance_type=_group(groups, host)["instance_type"],
        log=cluster.logger(context, host, metrics.read),
        entrypoint=entrypoint,
        arguments=tuple(algorithm.get("ContainerArguments", () if entrypoint else ("train",))),
        environment=cluster.environment(
            context, bool(body.get("EnableNetworkIsolation")), own, body.get("Environment")
        ),
    )


def _reason(ended: cluster.Ended, root: Path) -> str:
    if ended.killed_for_memory:
        return OUT_OF_MEMORY
    tail = f", exit code: {ended.code}"
    start = "AlgorithmError: "
    told = outputs.message(root, FAILURE, MAX_REASON - len(start) - len(tail))
    return f"{start}{told or ''}{tail}"


def _upload(body: dict[str, Any], context: JobContext, roots: list[Path]) -> dict[str, Any]:
    """Put the model and the output data; the fields that say where they are."""
    config = body["OutputDataConfig"]
    base = s3.join(config["S3OutputPath"], context.name, "output")
    # A stopped job's model is kept; only a stop that comes after the containers' end can mean the upload.
    told = context.closing if context.stopped.is_set() else context.stopped
    upload = s3.Upload(context.client("s3"), context.folder, config.get("KmsKeyId") or None, told.is_set)
    model, data = _merged(roots, "model"), _merged(roots, "output/data")
    if config.get("CompressionType") == "NONE":
        artifacts = s3.join(base, "model/")
        for name, file in model.items():
            upload.add(file, s3.join(base, "model", name))
    else:
        artifacts = s3.join(base, "model.tar.gz")
        archive.write(model, context.folder / "model.tar.gz", told.is_set)
        upload.add(context.folder / "model.tar.gz", artifacts)
    if data:
        archive.write(data, context.folder / "output.tar.gz", told.is_set)
        upload.add(context.folder / "output.tar.gz", s3.join(base, "output.tar.gz"))
    upload.send()
    return {"ModelArtifacts": {"S3ModelArtifacts": artifacts}}


def _merged(roots: list[Path], folder: str) -> dict[str, Path]:
    """All hosts' files in one folder; where two have the same name, the first host's."""
    files: dict[str, Path] = {}
    for root in reversed(roots):
        files |= outputs.files_below(root / folder, root.parent)
    return files
