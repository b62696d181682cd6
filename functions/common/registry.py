"""Versions in the model package group of the registry account."""

from __future__ import annotations

from collections.abc import Iterator

from functions.common.context import AccountContext, client, read_json, split
from functions.common.failures import NoApprovedModel


def version_of(package_arn: str) -> int:
    """Return the version number at the end of a model package's ARN."""
    return int(package_arn.rsplit("/", 1)[-1])


def packages(context: AccountContext, status: str | None = None) -> Iterator[dict]:
    """Give the group's versions as ListModelPackages tells them, the newest first."""
    wanted = {"ModelApprovalStatus": status} if status else {}
    pages = (
        client("sagemaker")
        .get_paginator("list_model_packages")
        .paginate(ModelPackageGroupName=context.group, SortBy="CreationTime", SortOrder="Descending", **wanted)
    )
    found = [item for page in pages for item in page["ModelPackageSummaryList"]]
    yield from sorted(found, key=lambda item: item["ModelPackageVersion"], reverse=True)


def champion(context: AccountContext) -> dict | None:
    """Return the approved version with the highest number, as DescribeModelPackage tells it, or None."""
    newest = next(packages(context, "Approved"), None)
    return describe(newest["ModelPackageArn"]) if newest else None


def approved(context: AccountContext) -> dict:
    """Return the champion. Raises NoApprovedModel: there is none."""
    package = champion(context)
    if package is None:
        raise NoApprovedModel(f"No version of {context.project} is approved.")
    return package


def describe(package_arn: str) -> dict:
    """Return DescribeModelPackage's answer."""
    return client("sagemaker").describe_model_package(ModelPackageName=package_arn)


def archive(package: dict) -> str:
    """Return the S3 URL of a version's archive."""
    return package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]


def baseline(package: dict) -> tuple[str, str] | None:
    """Return the S3 URLs of a version's statistics and constraints, or None."""
    found = _registered(package, "ModelDataQuality", "Statistics", "Constraints")
    return (found[0], found[1]) if found else None


def evaluation(package: dict) -> str | None:
    """Return the S3 URL of the figures that a version was registered with, or None."""
    found = _registered(package, "ModelQuality", "Statistics")
    return found[0] if found else None


def _registered(package: dict, kind: str, *files: str) -> list[str] | None:
    """Return the S3 URLs of files that a version was registered with, or None unless all are there."""
    for holder in ("DriftCheckBaselines", "ModelMetrics"):
        found = package.get(holder, {}).get(kind, {})
        if all(file in found for file in files):
            return [found[file]["S3Uri"] for file in files]
    return None


def seen_contents(package: dict) -> set[str] | None:
    """Return the contents that a version was trained on, or None when the version doesn't say."""
    url = package.get("CustomerMetadataProperties", {}).get("TrainingSetUrl")
    found = read_json(*split(url)) if url else None
    return {item["content"] for item in found[0]["objects"]} if found else None
