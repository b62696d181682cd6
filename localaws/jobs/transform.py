"""Transform jobs.

Source: Amazon SageMaker AI developer guide, "Batch transform for inference with Amazon SageMaker AI".
"""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.contract import JobContext, Outcome
from localaws.errors import ApiError
from localaws.jobs import cluster, models, outputs, s3, source
from localaws.jobs.failure import MAX_REASON, OUT_OF_MEMORY, JobFailed, JobStopped
from localaws.jobs.invocations import Server
from localaws.jobs.sending import NoAnswer, Sender, Settings
from localaws.runtimes.base import Container, Handle

DYING = 2.0
"""Seconds within which it is known of a container that broke off a connection whether it has ended."""

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL for a container that served."""


def run(body: dict[str, Any], context: JobContext) -> Outcome:
    """Run a transform job.

    An object whose records the container rejects has no output; the other objects' outputs are kept, as AWS does.
    A container that ends, or a job that is stopped, leaves no output at all.
    """
    settings = Settings.of(body)
    where = body["TransformInput"]["DataSource"]["S3DataSource"]
    resources = body["TransformResources"]
    hosts = cluster.names(resources["InstanceCount"])
    try:
        model = context.describe_model(body["ModelName"])
    except ApiError as error:
        raise JobFailed(f"ClientError: {error.message}") from None
    parts = models.containers(model, context)
    client = context.client("s3")
    objects = s3.find(client, where["S3Uri"], where["S3DataType"])
    for host in hosts:
        for number, part in enumerate(parts, 1):
            root = _root(context, host, number)
            models.bring(client, part, root / "model", context.folder)
            source.bring(context, part.image, source.of_model(part.environment), [root])
    containers = [
        _container(body, context, host, part, number, resources["InstanceType"])
        for host in hosts
        for number, part in enumerate(parts, 1)
    ]
    with cluster.started(context, containers) as handles:
        instances = [
            Instance(context, host, [handles[_host(host, number)] for number in range(1, len(parts) + 1)], settings)
            for host in hosts
        ]
        shares = [s3.shard(objects, number, len(hosts), "ShardedByS3Key") for number in range(len(hosts))]
        failures = _all(instances, shares, client, handles)
    if context.stopped.is_set():
        raise JobStopped
    upload = s3.Upload(client, context.folder, body["TransformOutput"].get("KmsKeyId") or None, context.stopped.is_set)
    for item in objects:
        if item not in failures:
            upload.add(_output(context, item), s3.join(body["TransformOutput"]["S3OutputPath"], f"{item.place}.out"))
    upload.send()
    if failures:
        return Outcome("Failed", failure_reason=failures[min(failures, key=lambda item: item.key)])
    return Outcome("Completed")


def _host(host: str, number: int) -> str:
    return host if number == 1 else f"{host}-container-{number}"


def _root(context: JobContext, host: str, number: int) -> Path:
    return context.folder / _host(host, number)


def _output(context: JobContext, item: s3.S3Object) -> Path:
    return context.folder / "output" / hashlib.sha256(item.uri.encode()).hexdigest()


def _container(
    body: dict[str, Any], context: JobContext, host: str, part: models.ModelContainer, number: int, instance_type: str
) -> Container:
    told = {"SAGEMAKER_BATCH": "true"}
    if "MaxPayloadInMB" in body:
        told["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(body["MaxPayloadInMB"])
    if "BatchStrategy" in body:
        told["SAGEMAKER_BATCH_STRATEGY"] = {"SingleRecord": "SINGLE_RECORD"}.get(body["BatchStrategy"], "MULTI_RECORD")
    if body.get("MaxConcurrentTransforms"):
        told["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(body["MaxConcurrentTransforms"])
    name = _host(host, number)
    return Container(
        account=context.account,
        job=context.name,
        host=name,
        hosts=(name,),
        image=part.image,
        root=_root(context, host, number),
        instance_type=instance_type,
        log=cluster.logger(context, name),
        arguments=("serve",),
        environment=cluster.environment(context, part.isolated, part.environment, body.get("Environment"), told),
        serving=True,
    )


@dataclass
class Instance:
    """One instance's containers, through which its objects go."""

    context: JobContext
    host: str
    handles: list[Handle]
    settings: Settings

    def work(self, objects: list[s3.S3Object], client: Any, given_up: threading.Event) -> dict[s3.S3Object, str]:
        """Transform objects into files; why, for those that couldn't be. Raises JobFailed when a container ended."""
        servers = [self._server(handle, given_up) for handle in self.handles]
        if given_up.is_set():
            return {}
        settings = self.settings.completed(servers[0].parameters())
        stream = f"{self.host}-{int(time.time())}/data-log"
        self._log(stream, settings.described())
        failures = {}
        with Sender(servers, settings, given_up) as sender:
            for item in objects:
                source = self.context.folder / "input" / self.host
                s3.download(client, [s3.S3Object(item.bucket, item.key, "object")], source, self.context.stopped)
                try:
                    sender.transform(source / "object", _output(self.context, item), item.uri)
                except JobFailed as error:
                    if given_up.is_set():
                        return {}
                    self.require_alive(DYING if isinstance(error, NoAnswer) else 0)
                    failures[item] = str(error)
                    self._log(stream, f"{item.bucket}/{item.key}: {error}")
        return failures

    def require_alive(self, seconds: float = 0) -> None:
        """Raise JobFailed when one of the containers has ended, or does within these seconds."""
        for number, handle in enumerate(self.handles, 1):
            if (code := handle.wait(seconds)) is not None:
                if handle.killed_for_memory:
                    raise JobFailed(OUT_OF_MEMORY)
                told = outputs.message(_root(self.context, self.host, number), "output/failure", MAX_REASON - 200)
                told = told or "The model's container ended; see job logs for more information"
                raise JobFailed(f"AlgorithmError: {told}, exit code: {code}")

    def _server(self, handle: Handle, given_up: threading.Event) -> Server:
        assert handle.address is not None
        server = Server(handle.address, self.settings.timeout, self.settings.retries)
        if not server.wait(lambda: given_up.is_set() or handle.wait(0) is not None) and not given_up.is_set():
            self.require_alive()
        return server

    def _log(self, stream: str, text: str) -> None:
        self.context.log(stream, f"[sagemaker logs]: {text}")


def _all(
    instances: list[Instance], shares: list[Any], client: Any, handles: dict[str, Handle]
) -> dict[s3.S3Object, str]:
    """Let all instances work until they are done, one of them breaks, or the job is stopped."""
    context, given_up = instances[0].context, threading.Event()
    (context.folder / "output").mkdir()
    watch = cluster.Watch(context, None)
    with ThreadPoolExecutor(len(instances)) as pool:
        left: set[Future[dict[s3.S3Object, str]]] = {
            pool.submit(instance.work, share, client, given_up)
            for instance, share in zip(instances, shares, strict=True)
        }
        failures: dict[s3.S3Object, str] = {}
        try:
            while left:
                done, left = wait(left, cluster.LOOK, FIRST_COMPLETED)
                for future in done:
                    failures |= future.result()
                if watch.cause():
                    raise JobStopped
        except BaseException:
            # Requests that wait for an answer end when their container does.
            given_up.set()
            cluster.stop(handles.values(), GRACE)
            raise
    return failures
