"""A model's containers, and its artifacts on their way to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localaws.contract import JobContext
from localaws.jobs import archive, s3
from localaws.jobs.failure import JobFailed


@dataclass(frozen=True)
class ModelContainer:
    """One of a model's containers: its image, its variables, and where its artifacts come from, if it has any.

    `compressed` artifacts are one gzip-compressed tar; others are the objects below a prefix. `isolated` containers
    have no network.
    """

    image: str
    environment: dict[str, str] = field(default_factory=dict)
    artifacts: str | None = None
    compressed: bool = True
    isolated: bool = False


def containers(model: dict[str, Any], context: JobContext) -> list[ModelContainer]:
    """Return the containers of a described model in the order in which a request goes through them.

    Raises JobFailed for what can't be hosted here.
    """
    given = model.get("Containers") or [model["PrimaryContainer"]]
    if len(given) > 1 and model.get("InferenceExecutionConfig", {}).get("Mode", "Serial") != "Serial":
        raise JobFailed("ClientError: A model whose containers are invoked directly can't be used by a transform job.")
    isolated = bool(model.get("EnableNetworkIsolation"))
    return [replace(container, isolated=isolated) for definition in given for container in _of(definition, context)]


def _of(definition: dict[str, Any], context: JobContext) -> list[ModelContainer]:
    if definition.get("Mode", "SingleModel") != "SingleModel":
        raise JobFailed("ClientError: A multi-model container can't be used by a transform job.")
    if package := definition.get("ModelPackageName"):
        described = context.client("sagemaker").describe_model_package(ModelPackageName=package)
        parts = described.get("InferenceSpecification", {}).get("Containers", [])
        if not parts:
            raise JobFailed(f"ClientError: The model package {package} has no InferenceSpecification.")
    else:
        parts = [definition]
    return [_container(part, definition.get("Environment", {})) for part in parts]


def _container(part: dict[str, Any], environment: dict[str, str]) -> ModelContainer:
    if "Image" not in part:
        raise JobFailed("ClientError: A container of the model names no image.")
    variables = part.get("Environment", {}) | environment
    source = part.get("ModelDataSource", {}).get("S3DataSource")
    if source is None:
        return ModelContainer(part["Image"], variables, part.get("ModelDataUrl"))
    return ModelContainer(part["Image"], variables, source["S3Uri"], source.get("CompressionType") == "Gzip")


def bring(client: Any, container: ModelContainer, folder: Path, scratch: Path) -> None:
    """Fill a container's model folder. Raises JobFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    uri = container.artifacts
    if uri is None:
        return
    if not container.compressed:
        s3.download(client, s3.find(client, uri), folder)
        return
    bucket, key = s3.split(uri)
    s3.download(client, [s3.S3Object(bucket, key, "model.tar.gz")], scratch)
    archive.extract(scratch / "model.tar.gz", folder, uri)
    (scratch / "model.tar.gz").unlink()
