"""What SageMaker's own operations need: one row per operation that localaws answers.

Source: "Actions, resources, and condition keys for Amazon SageMaker AI", Service Authorization Reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from localaws.access.identities import SAGEMAKER
from localaws.access.needs import Need
from localaws.store import Key

if TYPE_CHECKING:
    from localaws.api.call import Call

Wanted = tuple[Need, str, Mapping[str, Any] | None]
"""A need, the account that owns the resource, and the resource's policy."""

NAMED = {
    "Pipeline": ("pipeline", "PipelineName"),
    "ProcessingJob": ("processing-job", "ProcessingJobName"),
    "TrainingJob": ("training-job", "TrainingJobName"),
    "TransformJob": ("transform-job", "TransformJobName"),
    "HyperParameterTuningJob": ("hyper-parameter-tuning-job", "HyperParameterTuningJobName"),
    "Model": ("model", "ModelName"),
    "ModelPackageGroup": ("model-package-group", "ModelPackageGroupName"),
    "ModelPackage": ("model-package", "ModelPackageName"),
}

ROWS: dict[str, str] = {
    **{f"{verb}Pipeline": "Pipeline" for verb in ("Create", "Update", "Describe", "Delete")},
    "StartPipelineExecution": "Pipeline",
    "ListPipelineExecutions": "Pipeline",
    "ListPipelineVersions": "Pipeline",
    "UpdatePipelineVersion": "@PipelineArn",
    **{
        name: "@PipelineExecutionArn"
        for name in (
            "DescribePipelineExecution", "UpdatePipelineExecution", "StopPipelineExecution", "RetryPipelineExecution",
            "ListPipelineExecutionSteps", "ListPipelineParametersForExecution",
            "DescribePipelineDefinitionForExecution",
        )
    },
    "SendPipelineExecutionStepSuccess": "callback",
    "SendPipelineExecutionStepFailure": "callback",
    **{
        f"{verb}{kind}": kind
        for kind in ("ProcessingJob", "TrainingJob", "TransformJob", "HyperParameterTuningJob")
        for verb in ("Create", "Describe", "Stop", "Delete")
        if (verb, kind) != ("Delete", "TransformJob")
    },
    "ListTrainingJobsForHyperParameterTuningJob": "HyperParameterTuningJob",
    **{f"{verb}Model": "Model" for verb in ("Create", "Describe", "Delete")},
    **{f"{verb}ModelPackageGroup": "ModelPackageGroup" for verb in ("Create", "Describe", "Delete")},
    **{f"{verb}ModelPackageGroupPolicy": "ModelPackageGroup" for verb in ("Put", "Get", "Delete")},
    "ListModelPackages": "ModelPackageGroup",
    "CreateModelPackage": "package",
    "DescribeModelPackage": "ModelPackage",
    "DeleteModelPackage": "ModelPackage",
    "UpdateModelPackage": "@ModelPackageArn",
    "BatchDescribeModelPackage": "packages",
    **{f"{verb}Tags": "@ResourceArn" for verb in ("Add", "List", "Delete")},
}  # fmt: skip
"""Operation → the kind of resource it names, or @ and the member that holds an ARN; all others name none."""

_CONDITIONS = {
    "EnableNetworkIsolation": "sagemaker:NetworkIsolation",
    "EnableInterContainerTrafficEncryption": "sagemaker:InterContainerTrafficEncryption",
    "VolumeKmsKeyId": "sagemaker:VolumeKmsKey",
    "KmsKeyId": "sagemaker:OutputKmsKey",
    "InstanceType": "sagemaker:InstanceTypes",
    "Subnets": "sagemaker:VpcSubnets",
    "SecurityGroupIds": "sagemaker:VpcSecurityGroupIds",
}
_DECIDING = ("CreateModelPackage", "UpdateModelPackage")
"""The operations whose request can say what becomes of a version; a list's filter of the same name gives no key."""
_ROLES = {"RoleArn", "ExecutionRoleArn"}


def needs(call: Call) -> list[Wanted]:
    """What a call needs of its caller."""
    action, request = f"sagemaker:{call.model.name}", call.request
    context = _context(request) | (_decision(request) if call.model.name in _DECIDING else {})
    resources = list(_resources(call, action))
    found = [(Need(action, arn, context | _tags(call, arn)), *_owner(call, arn)) for arn in resources]
    if request.get("Tags") and call.model.name != "AddTags":
        found += [(Need("sagemaker:AddTags", arn, context), *_owner(call, arn)) for arn in resources]
    passed = {"iam:PassedToService": SAGEMAKER}
    found += [(Need("iam:PassRole", role, passed), call.account, None) for role in sorted(_roles(request))]
    return found


def assumed_at_once(call: Call) -> list[str]:
    """The roles that SageMaker assumes already while it answers; a pipeline's only when it is executed."""
    if not call.model.name.startswith("Create") or call.model.name == "CreatePipeline":
        return []
    return sorted(_roles(call.request))


def _resources(call: Call, action: str) -> Iterator[str]:
    row, request = ROWS.get(call.model.name, ""), call.request
    if row.startswith("@"):
        yield request.get(row[1:], "*")
    elif row == "package":
        yield from _registered(call)
    elif row == "packages":
        yield from request["ModelPackageArnList"]
    elif row == "callback":
        yield _waiting(call)
    elif row:
        kind, member = NAMED[row]
        name = request.get(member)
        yield "*" if name is None else name if name.startswith("arn:") else call.arn(f"{kind}/{name}")
    else:
        yield "*"


def _registered(call: Call) -> Iterator[str]:
    """A version needs the action on its group and on itself, whose number is still to come."""
    group = call.request.get("ModelPackageGroupName")
    if group is None:
        yield call.arn(f"model-package/{call.request.get('ModelPackageName', '*')}")
        return
    arn = group if group.startswith("arn:") else call.arn(f"model-package-group/{group}")
    yield arn
    record = call.app.store.get(_key("ModelPackageGroup", arn))
    number = (record.body["_versions"] if record else 0) + 1
    yield f"{arn.replace(':model-package-group/', ':model-package/')}/{number}"


def _waiting(call: Call) -> str:
    """The execution that waits for a callback's token."""
    found = call.app.store.rows(
        "SELECT e.body FROM records s JOIN records e ON e.kind='PipelineExecution' AND e.account=s.account "
        "AND e.region=s.region AND e.name=s.parent WHERE s.kind='PipelineExecutionStep' AND s.account=? "
        "AND s.region=? AND json_extract(s.body, '$._token')=?",
        call.account,
        call.region,
        call.request["CallbackToken"],
    )
    return json.loads(found[0][0])["PipelineExecutionArn"] if found else "*"


def _owner(call: Call, arn: str) -> tuple[str, Mapping[str, Any] | None]:
    """The account of a resource, and the policy of the model package group that it is or belongs to."""
    if arn == "*":
        return call.account, None
    parts = arn.split(":", 5)
    if len(parts) != 6:
        return call.account, None
    kind, _, name = parts[5].partition("/")
    if kind not in ("model-package-group", "model-package"):
        return parts[4], None
    group = call.app.store.get(Key("ModelPackageGroup", parts[4], parts[3], name.split("/", 1)[0]))
    text = group.body.get("_policy") if group else None
    return parts[4], json.loads(text) if text else None


def _tags(call: Call, arn: str) -> dict[str, str]:
    rows = call.app.store.rows("SELECT key, value FROM tags WHERE arn=?", arn)
    return {f"{prefix}:ResourceTag/{key}": value for key, value in rows for prefix in ("aws", "sagemaker")}


def _key(kind: str, arn: str) -> Key:
    _, _, _, region, account, resource = arn.split(":", 5)
    return Key(kind, account, region, resource.split("/", 1)[1])


def _context(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request's condition keys; what stands in several places has several values."""
    found: dict[str, list[Any]] = {}
    for member, value in _members(request):
        if member in _CONDITIONS:
            found.setdefault(_CONDITIONS[member], []).extend(value if isinstance(value, list) else [value])
    context: dict[str, Any] = {key: values[0] if len(values) == 1 else values for key, values in found.items()}
    if tags := request.get("Tags"):
        context |= {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
        context["aws:TagKeys"] = [tag["Key"] for tag in tags]
    return context


def _decision(request: Mapping[str, Any]) -> dict[str, Any]:
    """The condition keys of what a request says of a version: its status, its stage and its metadata."""
    stage = request.get("ModelLifeCycle", {})
    found = {
        "sagemaker:ModelApprovalStatus": request.get("ModelApprovalStatus"),
        "sagemaker:ModelLifeCycle:Stage": stage.get("Stage"),
        "sagemaker:ModelLifeCycle:StageStatus": stage.get("StageStatus"),
        "sagemaker:CustomerMetadataPropertiesToRemove": request.get("CustomerMetadataPropertiesToRemove"),
        **{
            f"sagemaker:CustomerMetadataProperties/{name}": value
            for name, value in request.get("CustomerMetadataProperties", {}).items()
        },
    }
    return {key: value for key, value in found.items() if value is not None}


def _roles(request: Mapping[str, Any]) -> set[str]:
    return {value for member, value in _members(request) if member in _ROLES and isinstance(value, str)}


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for member, item in value.items():
            yield member, item
            yield from _members(item)
    elif isinstance(value, list):
        for item in value:
            yield from _members(item)
