"""Model packages, their groups, and the groups' policies that open them to other accounts."""

from __future__ import annotations

import json
from typing import Any

from localaws import events
from localaws.access import enforce, policies
from localaws.api import tags
from localaws.api.call import Call, answers, existing, located, split_arn
from localaws.api.listing import page
from localaws.errors import Conflict, Invalid
from localaws.store import Key, Record

_GROUP, _PACKAGE = "ModelPackageGroup", "ModelPackage"
_UPDATED = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)


@answers("CreateModelPackageGroup")
def create_model_package_group(call: Call) -> dict[str, Any]:
    """Create a group, in which models are versioned."""
    request, now = call.request, call.app.clock.now()
    name = request["ModelPackageGroupName"]
    if split_arn(name):
        raise Invalid("A group is created by its name, not by an ARN.")
    key, arn = call.key(_GROUP, name), call.arn(f"model-package-group/{name}")
    with call.app.store.transaction() as store:
        if store.get(key):
            raise Invalid(f"Model Package Group already exists: {arn}")
        body = {
            "ModelPackageGroupName": name,
            "ModelPackageGroupArn": arn,
            "ModelPackageGroupDescription": request.get("ModelPackageGroupDescription"),
            "ManagedConfiguration": request.get("ManagedConfiguration"),
            "CreationTime": now,
            "CreatedBy": enforce.user_context(call),
            "ModelPackageGroupStatus": "Completed",
            "_versions": 0,
        }
        store.put(Record(key, body, "Completed", "", now, now))
        tags.put(store, arn, request.get("Tags"))
    return {"ModelPackageGroupArn": arn}


@answers("DescribeModelPackageGroup")
def describe_model_package_group(call: Call) -> dict[str, Any]:
    """A group by name or ARN."""
    return group(call, call.request["ModelPackageGroupName"], "sagemaker:DescribeModelPackageGroup").body


@answers("ListModelPackageGroups")
def list_model_package_groups(call: Call) -> dict[str, Any]:
    """The account's groups; other accounts' too where their policy allows the describing."""
    if call.request.get("CrossAccountFilterOption") == "CrossAccount":
        others = call.app.store.select("kind=? AND account<>? AND region=?", (_GROUP, call.account, call.region))
        shared = [group for group in others if _allowed(call, group, "sagemaker:DescribeModelPackageGroup")]
        return page(call, "ModelPackageGroupSummaryList", _GROUP, among=shared)
    return page(call, "ModelPackageGroupSummaryList", _GROUP)


@answers("DeleteModelPackageGroup")
def delete_model_package_group(call: Call) -> dict[str, Any]:
    """Delete a group that has no versions left."""
    with call.app.store.transaction() as store:
        record = group(call, call.request["ModelPackageGroupName"], "sagemaker:DeleteModelPackageGroup")
        key = record.key
        left = "kind=? AND account=? AND region=? AND parent=?"
        if store.select(left, (_PACKAGE, key.account, key.region, key.name), "LIMIT 1"):
            arn = record.body["ModelPackageGroupArn"]
            raise Conflict(f"Model Package Group {arn} cannot be deleted because it still has Model Packages.")
        store.delete(key)
        tags.forget(store, record.body["ModelPackageGroupArn"])
    return {}


@answers("PutModelPackageGroupPolicy")
def put_model_package_group_policy(call: Call) -> dict[str, Any]:
    """Give a group the policy that opens it to other accounts."""
    text = call.request["ResourcePolicy"]
    try:
        policies.parse(text)
    except policies.InvalidPolicy as error:
        raise Invalid(f"Invalid resource policy: {error}") from error
    with call.app.store.transaction() as store:
        record = group(call, call.request["ModelPackageGroupName"], "sagemaker:PutModelPackageGroupPolicy")
        record.body["_policy"] = text
        store.put(record)
    return {"ModelPackageGroupArn": record.body["ModelPackageGroupArn"]}


@answers("GetModelPackageGroupPolicy")
def get_model_package_group_policy(call: Call) -> dict[str, Any]:
    """A group's policy."""
    record = group(call, call.request["ModelPackageGroupName"], "sagemaker:GetModelPackageGroupPolicy")
    if "_policy" not in record.body:
        arn = record.body["ModelPackageGroupArn"]
        raise Invalid(f"Cannot find resource policy for: {arn}")
    return {"ResourcePolicy": record.body["_policy"]}


@answers("DeleteModelPackageGroupPolicy")
def delete_model_package_group_policy(call: Call) -> dict[str, Any]:
    """Take a group's policy away."""
    with call.app.store.transaction() as store:
        record = group(call, call.request["ModelPackageGroupName"], "sagemaker:DeleteModelPackageGroupPolicy")
        record.body.pop("_policy", None)
        store.put(record)
    return {}


@answers("CreateModelPackage")
def create_model_package(call: Call) -> dict[str, Any]:
    """Register a version in a group (possibly another account's), or a package without versions."""
    return call.once(call.request.get("ClientToken"), "model-package", lambda: _create(call))


def _create(call: Call) -> dict[str, Any]:
    request, now = call.request, call.app.clock.now()
    if ("ModelPackageGroupName" in request) == ("ModelPackageName" in request):
        raise Invalid("Give either ModelPackageGroupName (a versioned model) or ModelPackageName, one of them.")
    versioned = "ModelPackageGroupName" in request
    if not versioned and "ModelApprovalStatus" in request:
        raise Invalid("ModelApprovalStatus is for versioned model packages only.")
    with call.app.store.transaction() as store:
        body = {k: v for k, v in request.items() if k not in ("Tags", "ClientToken", "ModelPackageGroupName")}
        if versioned:
            owner = group(call, request["ModelPackageGroupName"], "sagemaker:CreateModelPackage")
            owner.body["_versions"] += 1
            number = owner.body["_versions"]
            store.put(owner)
            key = Key(_PACKAGE, owner.key.account, owner.key.region, f"{owner.key.name}/{number}")
            body |= {"ModelPackageGroupName": owner.key.name, "ModelPackageVersion": number}
            body.setdefault("ModelApprovalStatus", "PendingManualApproval")
        else:
            key = call.key(_PACKAGE, request["ModelPackageName"])
            if store.get(key):
                raise Conflict(f"Model Package already exists: {call.arn('model-package/' + key.name)}")
        arn = f"arn:aws:sagemaker:{key.region}:{key.account}:model-package/{key.name}"
        body |= {
            "ModelPackageName": key.name if not versioned else None,
            "ModelPackageArn": arn,
            "CreationTime": now,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {
                "ValidationStatuses": [],
                "ImageScanStatuses": [],
            },
            "CertifyForMarketplace": request.get("CertifyForMarketplace", False),
            "CreatedBy": enforce.user_context(call),
            "SkipModelValidation": request.get("SkipModelValidation", "None"),
        }
        parent = owner.key.name if versioned else ""
        record = Record(key, body, body.get("ModelApprovalStatus", ""), parent, now, now)
        store.put(record)
        tags.put(store, arn, request.get("Tags"))
        events.package_changed(call.app, record)
    return {"ModelPackageArn": arn}


@answers("DescribeModelPackage")
def describe_model_package(call: Call) -> dict[str, Any]:
    """A model package by ARN or name."""
    return describe(call, call.request["ModelPackageName"], "sagemaker:DescribeModelPackage").body


@answers("BatchDescribeModelPackage")
def batch_describe_model_package(call: Call) -> dict[str, Any]:
    """Several versions at once; those that can't be shown come back as errors."""
    found: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for arn in call.request["ModelPackageArnList"]:
        try:
            body = describe(call, arn, "sagemaker:BatchDescribeModelPackage").body
            approval = {"ModelApprovalStatus": body["ModelApprovalStatus"]} if "ModelApprovalStatus" in body else {}
            found[arn] = body | approval
        except Exception as error:
            code = getattr(error, "code", "InternalFailure")
            errors[arn] = {"ErrorCode": code, "ErrorResponse": str(error)}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}


@answers("ListModelPackages")
def list_model_packages(call: Call) -> dict[str, Any]:
    """The versions in a group, or (by ModelPackageType) the packages without versions."""
    request = call.request
    where = [("status=?", request["ModelApprovalStatus"])] if "ModelApprovalStatus" in request else []
    if "ModelPackageGroupName" in request:
        key = group(call, request["ModelPackageGroupName"], "sagemaker:ListModelPackages").key
        return page(
            call,
            "ModelPackageSummaryList",
            _PACKAGE,
            parent=key.name,
            account=key.account,
            region=key.region,
            where=where,
        )
    kind = request.get("ModelPackageType", "Unversioned")
    if kind != "Both":
        where.append(("(parent <> '') = ?", kind == "Versioned"))
    return page(call, "ModelPackageSummaryList", _PACKAGE, where=where)


@answers("UpdateModelPackage")
def update_model_package(call: Call) -> dict[str, Any]:
    """Approve or reject a version, or change what is known about it."""
    return call.once(call.request.get("ClientToken"), "model-package", lambda: _update(call))


def _update(call: Call) -> dict[str, Any]:
    request, now = call.request, call.app.clock.now()
    with call.app.store.transaction() as store:
        record = describe(call, request["ModelPackageArn"], "sagemaker:UpdateModelPackage")
        body = record.body
        if "ModelApprovalStatus" in request and not record.parent:
            raise Invalid("ModelApprovalStatus is for versioned model packages only.")
        body |= {member: request[member] for member in _UPDATED if member in request}
        body["_before"] = record.status
        properties = dict(body.get("CustomerMetadataProperties", {}))
        properties |= request.get("CustomerMetadataProperties", {})
        for name in request.get("CustomerMetadataPropertiesToRemove", []):
            properties.pop(name, None)
        if properties or "CustomerMetadataProperties" in body:
            body["CustomerMetadataProperties"] = properties
        if "AdditionalInferenceSpecificationsToAdd" in request:
            added = request["AdditionalInferenceSpecificationsToAdd"]
            body["AdditionalInferenceSpecifications"] = [
                *body.get("AdditionalInferenceSpecifications", []),
                *added,
            ]
        body |= {"LastModifiedTime": now, "LastModifiedBy": enforce.user_context(call)}
        record.status, record.modified = body.get("ModelApprovalStatus", ""), now
        store.put(record)
        changed = sorted(request.keys() - {"ModelPackageArn", "ClientToken"})
        events.package_changed(call.app, record, changed)
    return {"ModelPackageArn": body["ModelPackageArn"]}


@answers("DeleteModelPackage")
def delete_model_package(call: Call) -> dict[str, Any]:
    """Delete a model package; its version number isn't given again."""
    with call.app.store.transaction() as store:
        record = describe(call, call.request["ModelPackageName"], "sagemaker:DeleteModelPackage")
        store.delete(record.key)
        tags.forget(store, record.body["ModelPackageArn"])
        record.body["ModelPackageStatus"] = "Deleting"
        events.package_changed(call.app, record)
    return {}


def group(call: Call, name_or_arn: str, action: str) -> Record:
    """A group that the caller may do `action` with."""
    key = located(call, _GROUP, "model-package-group", name_or_arn)
    arn = f"arn:aws:sagemaker:{key.region}:{key.account}:model-package-group/{key.name}"
    record = call.app.store.get(key)
    if record is None and key.account == call.account:
        raise call.missing(f"ModelPackageGroup {arn} does not exist.")
    if record is None or not _allowed(call, record, action):
        raise policies.denied(call.principal, action, arn)
    return record


def describe(call: Call, name_or_arn: str, action: str) -> Record:
    """A model package that the caller may do `action` with."""
    key = located(call, _PACKAGE, "model-package", name_or_arn)
    arn = f"arn:aws:sagemaker:{key.region}:{key.account}:model-package/{key.name}"
    if key.account == call.account:
        return existing(call, key, f"ModelPackage {arn} does not exist.")
    record = call.app.store.get(key)
    owner = call.app.store.get(Key(_GROUP, key.account, key.region, record.parent)) if record else None
    if record is None or owner is None or not _allowed(call, owner, action, arn):
        raise policies.denied(call.principal, action, arn)
    return record


def _allowed(call: Call, owner: Record, action: str, arn: str | None = None) -> bool:
    """Whether the group's policy lets a caller of another account do the action on the group or a version."""
    if owner.key.account == call.account or not call.app.settings.enforce:
        return True
    if "_policy" not in owner.body:
        return False
    resource = arn or owner.body["ModelPackageGroupArn"]
    policy = json.loads(owner.body["_policy"])
    return policies.resource_policy_allows(policy, call.principal, action, resource)
