"""Which images a job pulls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from localaws.store import Key, Record, Store


def pulled(job: Record, store: Store) -> list[str]:
    """The URIs of a job's images; a transform job has its model's."""
    return list(dict.fromkeys(_images(job, store)))


def _images(job: Record, store: Store) -> Iterator[str]:
    body = job.body
    for place, member in (("AppSpecification", "ImageUri"), ("AlgorithmSpecification", "TrainingImage")):
        if image := body.get(place, {}).get(member):
            yield image
    model = store.get(replace(job.key, kind="Model", name=body["ModelName"])) if "ModelName" in body else None
    if model is None:
        return
    for container in model.body.get("Containers") or [model.body["PrimaryContainer"]]:
        if package := container.get("ModelPackageName"):
            found = store.get(_package(job.key, package))
            specification = found.body.get("InferenceSpecification", {}) if found else {}
            yield from (part["Image"] for part in specification.get("Containers", []) if "Image" in part)
        elif "Image" in container:
            yield container["Image"]


def _package(job: Key, name_or_arn: str) -> Key:
    if not name_or_arn.startswith("arn:"):
        return replace(job, kind="ModelPackage", name=name_or_arn)
    _, _, _, region, account, resource = name_or_arn.split(":", 5)
    return Key("ModelPackage", account, region, resource.removeprefix("model-package/"))
