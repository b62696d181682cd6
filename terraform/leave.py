"""Leaving an account: what Terraform can't take away itself, and what stays for a while because AWS keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from promotion.accounts import Account
from terraform.errors import NotDestroyed

JOBS = ("processing", "training", "transform")


def check_idle(account: Account) -> None:
    """Demand that no job runs.

    Raises:
        NotDestroyed: one does.
    """
    if running := next(_running(account.client("sagemaker")), None):
        raise NotDestroyed(f"{account.environment}: {running} is still running; stop it, or wait for its end.")


def empty(account: Account, layer: str, say: Callable[[str], None]) -> None:
    """Remove what a layer's things hold, which Terraform knows nothing of: objects, images, versions and models."""
    names = account.names
    if layer == "bootstrap":
        _empty_bucket(account, names.state_bucket)
    elif account.environment == "registry":
        _empty_bucket(account, names.models_bucket)
        say(f"  {_delete_versions(account)} model versions deleted")
    else:
        _empty_bucket(account, names.data_bucket)
        _empty_repositories(account)
        say(f"  {_delete_models(account)} models deleted")


def _empty_bucket(account: Account, bucket: str) -> None:
    s3 = account.client("s3")
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            items = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            if items:
                named = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in items]
                s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
    except s3.exceptions.NoSuchBucket:
        return


def _empty_repositories(account: Account) -> None:
    ecr = account.client("ecr")
    for repository in _all(ecr, "describe_repositories", "repositories"):
        name = repository["repositoryName"]
        if name.startswith(f"{account.settings.project}/"):
            images = _all(ecr, "list_images", "imageIds", repositoryName=name)
            for start in range(0, len(images), 100):
                ecr.batch_delete_image(repositoryName=name, imageIds=images[start : start + 100])


def _delete_versions(account: Account) -> int:
    sagemaker = account.client("sagemaker")
    group = account.settings.project
    try:
        versions = _all(sagemaker, "list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName=group)
    except ClientError:
        return 0  # the group is gone already
    for version in versions:
        sagemaker.delete_model_package(ModelPackageName=version["ModelPackageArn"])
    return len(versions)


def _delete_models(account: Account) -> int:
    sagemaker = account.client("sagemaker")
    models = [model for model in _all(sagemaker, "list_models", "Models") if _ours(account, sagemaker, model)]
    for model in models:
        sagemaker.delete_model(ModelName=model["ModelName"])
    return len(models)


def _ours(account: Account, sagemaker: Any, model: dict[str, Any]) -> bool:
    about = sagemaker.describe_model(ModelName=model["ModelName"])
    return about.get("ExecutionRoleArn") == account.names.role("infer")


def _running(sagemaker: Any) -> Iterator[str]:
    """Give the names of jobs that still run; pipelines' executions end with their jobs."""
    for kind in JOBS:
        for status in ("InProgress", "Stopping"):
            answer = getattr(sagemaker, f"list_{kind}_jobs")(StatusEquals=status)
            for job in answer[f"{kind.capitalize()}JobSummaries"]:
                yield f"{kind} job {job[f'{kind.capitalize()}JobName']}"


def remaining(account: Account) -> Iterator[str]:
    """Give one line for each kind of thing that AWS keeps for a while; none of them costs anything."""
    for key, until in _waiting_keys(account):
        yield f"left: key {key}, deleted by itself on {until}"
    sagemaker = account.client("sagemaker")
    for kind in JOBS:
        if count := len(_all(sagemaker, f"list_{kind}_jobs", f"{kind.capitalize()}JobSummaries")):
            yield f"left: the records of {count} {kind} jobs, which SageMaker keeps"


def _waiting_keys(account: Account) -> Iterator[tuple[str, str]]:
    kms = account.client("kms")
    for page in kms.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            about = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
            if about["KeyState"] == "PendingDeletion" and about["Description"].startswith(
                f"{account.settings.project}: "
            ):
                yield about["Description"], f"{about['DeletionDate']:%Y-%m-%d}"


def _all(client: Any, operation: str, member: str, **arguments: Any) -> list[dict[str, Any]]:
    pages = client.get_paginator(operation).paginate(**arguments)
    return [item for page in pages for item in page.get(member, ())]
