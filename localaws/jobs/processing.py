"""Processing jobs.

Source: Amazon SageMaker AI developer guide, "How Amazon SageMaker Processing Configures Your Processing Container".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localaws.contract import JobContext, Outcome
from localaws.jobs import cluster, s3
from localaws.jobs import outputs as left
from localaws.jobs.continuous import Continuous
from localaws.jobs.failure import ALGORITHM_FAILED, MAX_REASON, OUT_OF_MEMORY, JobFailed, JobStopped
from localaws.runtimes.base import Container

INPUTS = "/opt/ml/processing/"
MESSAGE = "output/message"
GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL; AWS documents none for processing jobs."""

DAY = 86_400
CONFIGURATION = (
    "ProcessingJobArn", "ProcessingJobName", "AppSpecification", "Environment", "ProcessingInputs",
    "ProcessingOutputConfig", "ProcessingResources", "NetworkConfig", "RoleArn", "StoppingCondition",
)  # fmt: skip


def run(body: dict[str, Any], context: JobContext) -> Outcome:
    """Run a processing job.

    Its outputs are in S3 when it has completed, and none of them otherwise, except those that are uploaded
    continuously.
    """
    limit = body.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DAY)
    watch = cluster.Watch(context, limit)
    resources = body["ProcessingResources"]["ClusterConfig"]
    hosts = cluster.names(resources["InstanceCount"])
    roots = {host: context.folder / host for host in hosts}
    outputs = _outputs(body)
    for host, root in roots.items():
        cluster.write_json(root / "config/processingjobconfig.json", _configuration(body))
        cluster.write_json(root / "config/resourceconfig.json", {"current_host": host, "hosts": list(hosts)})
        for output in outputs:
            _place(root, output).mkdir(parents=True, exist_ok=True)
        (root / "output").mkdir(exist_ok=True)
    _download(body, context, list(roots.values()))
    containers = [_container(body, context, host, hosts, roots[host], resources["InstanceType"]) for host in hosts]
    with _continuous(body, context, outputs, list(roots.values())).running():
        ended = cluster.run(context, containers, watch, GRACE)
    first = [ended.failed] if ended.failed else list(hosts)
    told = (left.message(roots[host], MESSAGE, MAX_REASON) for host in first)
    exit_message = next((text for text in told if text), None)
    if ended.cause != "exit" or context.stopped.is_set():
        return Outcome("Stopped", exit_message=exit_message)
    if ended.failed:
        reason = OUT_OF_MEMORY if ended.killed_for_memory else ALGORITHM_FAILED
        return Outcome("Failed", failure_reason=reason, exit_message=exit_message)
    _upload(body, context, outputs, list(roots.values()))
    return Outcome("Completed", exit_message=exit_message)


def _configuration(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in CONFIGURATION if name in body}


def _container(
    body: dict[str, Any], context: JobContext, host: str, hosts: tuple[str, ...], root: Path, instance_type: str
) -> Container:
    application = body["AppSpecification"]
    return Container(
        account=context.account,
        job=context.name,
        host=host,
        hosts=hosts,
        image=application["ImageUri"],
        root=root,
        instance_type=instance_type,
        log=cluster.logger(context, host),
        entrypoint=tuple(application.get("ContainerEntrypoint", ())),
        arguments=tuple(application.get("ContainerArguments", ())),
        environment=cluster.environment(context, _isolated(body), body.get("Environment")),
    )


def _isolated(body: dict[str, Any]) -> bool:
    return bool(body.get("NetworkConfig", {}).get("EnableNetworkIsolation"))


def _download(body: dict[str, Any], context: JobContext, roots: list[Path]) -> None:
    inputs = [item for item in body.get("ProcessingInputs", []) if not item.get("AppManaged")]
    sources = [(item["InputName"], _source(item)) for item in inputs]
    client = context.client("s3") if sources else None
    for name, source in sources:
        objects = s3.find(client, source["S3Uri"], source.get("S3DataType", "S3Prefix"))
        distribution = source.get("S3DataDistributionType", "FullyReplicated")
        for number, root in enumerate(roots):
            if context.stopped.is_set():
                raise JobStopped
            share = s3.shard(objects, number, len(roots), distribution)
            s3.download(client, share, cluster.place(root, source["LocalPath"], f"input {name}"), context.stopped)


def _source(item: dict[str, Any]) -> dict[str, Any]:
    what = f"ClientError: input {item['InputName']}"
    source = item.get("S3Input")
    if source is None:
        raise JobFailed(f"{what}: only S3Input is supported here, not DatasetDefinition.")
    if source.get("S3InputMode", "File") != "File":
        raise JobFailed(f"{what}: S3InputMode {source['S3InputMode']} isn't supported here; use File.")
    if source.get("S3CompressionType", "None") != "None":
        raise JobFailed(f"{what}: S3CompressionType Gzip can only be used with S3InputMode Pipe.")
    if not source.get("LocalPath", "").startswith(INPUTS):
        raise JobFailed(f"{what}: LocalPath must begin with {INPUTS}.")
    return source


def _outputs(body: dict[str, Any]) -> list[dict[str, Any]]:
    outputs = body.get("ProcessingOutputConfig", {}).get("Outputs", [])
    outputs = [output for output in outputs if not output.get("AppManaged")]
    for output in outputs:
        if "S3Output" not in output:
            raise JobFailed(f"ClientError: output {output['OutputName']}: only S3Output is supported here.")
    return outputs


def _place(root: Path, output: dict[str, Any]) -> Path:
    return cluster.place(root, output["S3Output"].get("LocalPath", ""), f"output {output['OutputName']}")


def _is_continuous(output: dict[str, Any]) -> bool:
    return output["S3Output"].get("S3UploadMode") == "Continuous"


def _continuous(
    body: dict[str, Any], context: JobContext, outputs: list[dict[str, Any]], roots: list[Path]
) -> Continuous:
    """What puts the outputs that have to be in S3 before the job ends."""
    chosen = [output for output in outputs if _is_continuous(output)]
    places = [(_place(root, output), output["S3Output"]["S3Uri"]) for output in chosen for root in roots]
    return Continuous(context.client("s3") if places else None, places, context.folder, _key(body))


def _upload(body: dict[str, Any], context: JobContext, outputs: list[dict[str, Any]], roots: list[Path]) -> None:
    outputs = [output for output in outputs if not _is_continuous(output)]
    if not outputs:
        return
    upload = s3.Upload(context.client("s3"), context.folder, _key(body), context.stopped.is_set)
    for output in outputs:
        for root in roots:
            upload.add_folder(_place(root, output), output["S3Output"]["S3Uri"])
    upload.send()


def _key(body: dict[str, Any]) -> str | None:
    return body.get("ProcessingOutputConfig", {}).get("KmsKeyId") or None
