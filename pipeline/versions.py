"""What people look at before they approve: the versions of the group, and the report of each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich.table import Table

from functions.common import registry, seals
from functions.common.context import GONE, client, read_json, split
from functions.common.failures import FunctionError, ModelNotSealed
from pipeline import account, tables
from pipeline.commands import NotPossible
from pipeline.names import Names
from pipeline.settings import Settings

REPORT = "report.html"
"""Name of the report, beside the measurements that a version names."""


def described(settings: Settings, version: int) -> dict[str, Any]:
    """Return a version of the registry account's group as DescribeModelPackage tells it.

    Raises:
        NotPossible: there is no such version.
    """
    account.enter(settings)
    arn = f"{Names(settings).group.replace(':model-package-group/', ':model-package/')}/{version}"
    try:
        return registry.describe(arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        raise NotPossible(f"version {version}: {settings.project} has no such version.") from None


@contextlib.contextmanager
def refusing(version: int) -> Iterator[None]:
    """Say by name, and of which version, what a function's helper refuses."""
    try:
        yield
    except FunctionError as refused:
        raise NotPossible(f"version {version}: {type(refused).__name__}: {refused}") from None


def trusted(settings: Settings, package: dict[str, Any]) -> seals.Record:
    """Return what a version consists of, held against its record, and an approved one against its signature.

    Raises:
        NotPossible: it isn't sealed, or isn't what was sealed or signed.
    """
    version = package["ModelPackageVersion"]
    context = account.context_of(settings)
    with refusing(version):
        if package["ModelApprovalStatus"] == "Approved":
            return seals.opened(context, package)
        record = seals.recorded(context, package)
        if record is None:
            raise ModelNotSealed(f"`make seal MODEL={version} REASON=…` seals a version from before.")
        seals.check(package, record)
        return record


def report_url(package: dict[str, Any]) -> str | None:
    """Return where a version's report lies, or None when the version names no measurements."""
    measured = registry.evaluation(package)
    return f"{measured.rsplit('/', 1)[0]}/{REPORT}" if measured else None


def against_champion(quality: dict[str, Any]) -> str:
    """Return what the measurements say of the champion on the same rows; nothing where there was none."""
    comparison = quality.get("champion_comparison", {})
    if not comparison.get("compared"):
        return ""
    difference = comparison["auc_difference"]
    return f"{difference['value']:+.3f} (95 % interval {difference['lower']:+.3f} to {difference['upper']:+.3f})"


def print_versions(settings: Settings) -> None:
    """Print each version, the newest first: its AUC on its own test rows, and beside the champion's on the same."""
    context = account.enter(settings)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("version", "status", "registered", "AUC", "minus the champion's", "trained by", "report"):
        table.add_column(heading, overflow="fold")
    for item in registry.packages(context):
        package = registry.describe(item["ModelPackageArn"])
        url = registry.evaluation(package)
        found = read_json(*split(url)) if url else None
        quality = found[0] if found else {}
        auc = quality.get("binary_classification_metrics", {}).get("auc", {}).get("value")
        table.add_row(
            str(package["ModelPackageVersion"]), package["ModelApprovalStatus"],
            package["CreationTime"].isoformat(timespec="seconds"), "" if auc is None else f"{auc:.3f}",
            against_champion(quality),
            package.get("CustomerMetadataProperties", {}).get("PipelineExecutionArn", ""), report_url(package) or "",
        )  # fmt: skip
    tables.show(table)


def fetch_report(settings: Settings, version: int, file: Path) -> None:
    """Write a version's report to a file.

    Raises:
        NotPossible: there is no such version, it has no report or isn't what was sealed, or the file can't be
            written.
    """
    package = described(settings, version)
    if report_url(package) is None:
        raise NotPossible(f"version {version}: it was registered without a report.")
    measured = trusted(settings, package).url(seals.EVALUATION) or ""
    url = f"{measured.rsplit('/', 1)[0]}/{REPORT}"
    bucket, key = split(url)
    try:
        content = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
        raise NotPossible(f"version {version}: its report isn't there any more ({url}).") from None
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_bytes(content)
        part.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise NotPossible(f"{file}: can't be written ({error.strerror}).") from None
