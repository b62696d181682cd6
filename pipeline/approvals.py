"""What only a person in the registry account does to a version: approve it, seal one from before, revoke it.

An approval signs what the version consists of, byte for byte; see `functions.common.seals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from functions.common import dsse, registry, seals
from functions.common.context import AccountContext, client
from functions.common.failures import ModelNotSealed, ModelTampered
from functions.common.objects import list_objects
from functions.common.seals import Record
from functions.seal import copies
from pipeline import account
from pipeline.commands import NotPossible
from pipeline.decisions import reason_of
from pipeline.settings import Settings
from pipeline.versions import described, refusing


def approve(settings: Settings, version: int, reason: str) -> str:
    """Approve a version by signing what it consists of; return its ARN.

    Said again of an approved version, it does nothing, unless the approval isn't signed with the present key: then
    it signs again.

    Raises:
        NotPossible: no reason is given, there is no such version, it isn't sealed, isn't what was sealed, or is
            approved already; or the caller may not sign.
    """
    reason = reason_of(reason)
    package = described(settings, version)
    context = account.context_of(settings)
    approved = package["ModelApprovalStatus"] == "Approved"
    with refusing(version):
        if approved and _holds(context, package):
            said = package.get("ApprovalDescription", "no reason")
            raise NotPossible(f"version {version}: approved already ({said}).")
        record = seals.recorded(context, package)
        if record is None:
            raise ModelNotSealed(
                f"it was registered before versions were sealed; `make seal MODEL={version} REASON=…` seals it."
            )
        _sign(context, package, record, reason)
    if not approved:
        client("sagemaker").update_model_package(
            ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Approved", ApprovalDescription=reason
        )
    return package["ModelPackageArn"]


def seal(settings: Settings, version: int, reason: str) -> str:
    """Seal a version that was registered before versions were sealed; return its ARN. One that is approved is signed.

    Raises:
        NotPossible: as `approve`; or it is sealed already, or an object was written after it was registered.
    """
    reason = reason_of(reason)
    package = described(settings, version)
    context = account.context_of(settings)
    with refusing(version):
        if seals.recorded(context, package):
            raise NotPossible(f"version {version}: sealed already; `make approve` signs it.")
        parts = _parts(package)
        _require_older(parts, package["CreationTime"])
        record = copies.seal(context, parts, package["InferenceSpecification"])
        copies.keep(context, seals.by_hand(version), record)
        if package["ModelApprovalStatus"] == "Approved":
            _sign(context, package, record, reason)
    return package["ModelPackageArn"]


def revoke(settings: Settings, version: int, reason: str) -> str:
    """Take a version's approval away, everywhere from the next batch on; return its ARN.

    The signed approval goes first: without it nothing uses the version, whatever its status says.

    Raises:
        NotPossible: no reason is given, there is no such version, or it is rejected already.
    """
    reason = reason_of(reason)
    package = described(settings, version)
    if package["ModelApprovalStatus"] == "Rejected":
        raise NotPossible(f"version {version}: rejected already.")
    context = account.context_of(settings)
    client("s3").delete_object(Bucket=context.models_bucket, Key=seals.approval(version))
    client("sagemaker").update_model_package(
        ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Rejected", ApprovalDescription=reason
    )
    return package["ModelPackageArn"]


def _holds(context: AccountContext, package: Mapping[str, Any]) -> bool:
    """Whether a version's approval is signed with the present key."""
    try:
        seals.signed_record(context, package)
    except (ModelNotSealed, ModelTampered):
        return False
    return True


def _sign(context: AccountContext, package: Mapping[str, Any], record: Record, reason: str) -> None:
    """Sign what a version consists of, once more held against its record, and keep that."""
    seals.check(package, record)
    who = client("sts").get_caller_identity()["Arn"]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    content = seals.statement(context, package, record, by=who, at=now, reason=reason)
    try:
        bundle = dsse.envelop(client("kms"), seals.key(context), content)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        version = package["ModelPackageVersion"]
        raise NotPossible(f"version {version}: {seals.key(context)} did not sign for {who} ({code}).") from None
    key = seals.approval(package["ModelPackageVersion"])
    client("s3").put_object(Bucket=context.models_bucket, Key=key, Body=bundle, ContentType="application/json")


def _parts(package: Mapping[str, Any]) -> dict[str, str]:
    """Return part → URL of what a version from before was registered with."""
    baseline = registry.baseline(dict(package)) or (None, None)
    found = {
        seals.ARCHIVE: registry.archive(dict(package)),
        seals.EVALUATION: registry.evaluation(dict(package)),
        seals.STATISTICS: baseline[0],
        seals.CONSTRAINTS: baseline[1],
        seals.TRAINING_SET: package.get("CustomerMetadataProperties", {}).get("TrainingSetUrl"),
    }
    return {part: url for part, url in found.items() if url}


def _require_older(parts: Mapping[str, str], registered: datetime) -> None:
    """What was written after a version was registered isn't what it was registered with."""
    for part, url in parts.items():
        within = f"{url.rsplit('/', 1)[0]}/" if part in copies.FOLDERS else url
        late = [item for item in list_objects(within) if item.modified > registered]
        if late:
            when = f"{late[0].modified:%Y-%m-%d %H:%M:%S}"
            raise ModelTampered(f"{late[0].key} was written on {when}, after the version was registered.")
