"""Operations that make, describe, change and delete resources: the member of the request that names the resource.

Source: the Service Authorization Reference, pages of IAM, S3, KMS, ECR, SQS, SNS, Lambda, Logs, EventBridge,
CloudWatch, EC2 and Budgets: each action's resource types, its condition keys, and which tags it may give when it
creates something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from localaws.access.needs import Asked, Need

Named = Callable[[Asked, Any], str]
"""From a call and a member's value to the ARN of what it names."""

TAGGING = {
    "iam": {"CreateRole": "iam:TagRole", "CreatePolicy": "iam:TagPolicy",
            "CreateOpenIDConnectProvider": "iam:TagOpenIDConnectProvider"},
    "kms": {"CreateKey": "kms:TagResource"},
    "ecr": {"CreateRepository": "ecr:TagResource"},
    "sqs": {"CreateQueue": "sqs:TagQueue"},
    "sns": {"CreateTopic": "sns:TagResource"},
    "lambda": {"CreateFunction": "lambda:TagResource"},
    "logs": {"CreateLogGroup": "logs:TagResource"},
    "events": {"PutRule": "events:TagResource", "CreateEventBus": "events:TagResource"},
    "monitoring": {"PutMetricAlarm": "cloudwatch:TagResource"},
    "budgets": {"CreateBudget": "budgets:TagResource"},
}  # fmt: skip
"""What an operation that creates something needs beside its own action, if it gives tags."""

BUCKET_ACTIONS = {
    **{name: name for name in (
        "GetBucketAcl", "GetBucketLogging", "GetBucketOwnershipControls", "GetBucketPolicyStatus",
        "GetBucketRequestPayment", "GetBucketWebsite", "PutBucketAcl", "PutBucketLogging", "PutBucketOwnershipControls",
        "PutBucketRequestPayment", "PutBucketTagging", "PutBucketVersioning", "PutBucketWebsite", "DeleteBucketWebsite",
    )},
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS", "PutBucketCors": "PutBucketCORS", "DeleteBucketCors": "PutBucketCORS",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration", "PutBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotification", "PutBucketNotification": "PutBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration", "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration", "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketTagging": "PutBucketTagging", "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock", "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    **{f"{verb}Bucket{kind}Configuration{plural}": f"{'Put' if verb == 'Delete' else 'Get' if verb == 'List' else verb}"
       f"{kind}Configuration"
       for kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
       for verb, plural in (("Get", ""), ("Put", ""), ("Delete", ""), ("List", "s"))},
}  # fmt: skip
"""Actions on buckets that aren't called as their operations."""

OBJECT_ACTIONS = {
    "GetObjectAcl": ("GetObjectAcl", "GetObjectVersionAcl"),
    "PutObjectAcl": ("PutObjectAcl", "PutObjectVersionAcl"),
    "DeleteObjectTagging": ("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    "GetObjectTorrent": ("GetObjectTorrent", "GetObjectVersionTorrent"),
    "GetObjectLegalHold": ("GetObjectLegalHold", None),
    "PutObjectLegalHold": ("PutObjectLegalHold", None),
    "GetObjectRetention": ("GetObjectRetention", None),
    "PutObjectRetention": ("PutObjectRetention", None),
    "RestoreObject": ("RestoreObject", None),
    "SelectObjectContent": ("GetObject", None),
}
"""Actions on objects, and on versions of them."""

ACTIONS = {
    "budgets": {
        "CreateBudget": "ModifyBudget", "UpdateBudget": "ModifyBudget", "DeleteBudget": "ModifyBudget",
        "CreateNotification": "ModifyBudget", "UpdateNotification": "ModifyBudget",
        "DeleteNotification": "ModifyBudget",
        "CreateSubscriber": "ModifyBudget", "UpdateSubscriber": "ModifyBudget", "DeleteSubscriber": "ModifyBudget",
        "DescribeBudget": "ViewBudget", "DescribeBudgets": "ViewBudget",
        "DescribeNotificationsForBudget": "ViewBudget", "DescribeSubscribersForNotification": "ViewBudget",
    },
}  # fmt: skip
"""Other actions that aren't called as their operations."""


def _role(asked: Asked, name: str) -> str:
    made = asked.resources.role(asked.account, name)
    path = asked.params.get("Path", "/") if asked.operation == "CreateRole" else "/"
    return made.arn if made else f"arn:aws:iam::{asked.account}:role{path}{name}"


def _of_iam(kind: str) -> Named:
    return lambda asked, name: f"arn:aws:iam::{asked.account}:{kind}{asked.params.get('Path', '/')}{name}"


def _arn(asked: Asked, given: str) -> str:
    return given.removesuffix(":*")


def _part(service: str, kind: str) -> Named:
    def arn(asked: Asked, name: str) -> str:
        return name if name.startswith("arn:") else asked.arn(service, f"{kind}{name}")

    return arn


def _repository(asked: Asked, name: str) -> str:
    return asked.arn("ecr", f"repository/{name}", asked.params.get("registryId"))


def _queue(asked: Asked, url: str) -> str:
    *_, account, name = url.rstrip("/").split("/")
    return asked.arn("sqs", name, account)


def _budget(asked: Asked, given: Any) -> str:
    name = given["BudgetName"] if isinstance(given, Mapping) else given
    return f"arn:aws:budgets::{asked.params.get('AccountId', asked.account)}:budget/{name}"


MEMBERS: dict[str, dict[str, Named]] = {
    "iam": {
        "InstanceProfileName": _of_iam("instance-profile"),
        "RoleName": _role,
        "GroupName": _of_iam("group"),
        "UserName": _of_iam("user"),
        "PolicyArn": _arn,
        "PolicyName": _of_iam("policy"),
        "OpenIDConnectProviderArn": _arn,
        "Url": lambda asked, url: f"arn:aws:iam::{asked.account}:oidc-provider/{url.split('://')[-1]}",
    },
    "ecr": {"repositoryNames": _repository, "repositoryName": _repository, "resourceArn": _arn},
    "sqs": {"QueueUrl": _queue, "QueueName": _part("sqs", "")},
    "sns": {"TopicArn": _arn, "ResourceArn": _arn, "SubscriptionArn": _arn, "Name": _part("sns", "")},
    "lambda": {"FunctionName": _part("lambda", "function:"), "Resource": _arn},
    "logs": {"logGroupName": _part("logs", "log-group:"), "logGroupIdentifier": _arn, "resourceArn": _arn},
    "events": {
        "ResourceARN": _arn,
        "EventBusName": _part("events", "event-bus/"),
        "Name": _part("events", "event-bus/"),
    },
    "monitoring": {"ResourceARN": _arn},
    "budgets": {"BudgetName": _budget, "Budget": _budget, "ResourceARN": _arn},
}
"""Which members name a resource, the first one that is there counts."""

NAMED_BY_NAME = {
    "events": {"CreateEventBus", "DeleteEventBus", "DescribeEventBus", "UpdateEventBus"},
    "sns": {"CreateTopic"},
}
"""Operations whose member `Name` is what it says there; others' names mean something else."""

UNNAMED = {("ecr", "DescribeRepositories"): "repository/*", ("events", "DescribeEventBus"): "event-bus/default"}
"""Resources of operations that need not name any."""

NO_RESOURCE = {("events", "ListRules"), ("events", "ListEventBuses"), ("iam", "ListPolicies"), ("iam", "ListRoles")}
"""Operations that IAM knows no resource for, whatever they name."""


def needs(asked: Asked, prefix: str) -> Iterator[Need]:
    """What a call of an operation without a row of its own needs."""
    if asked.service == "s3":
        yield from _storage(asked)
        return
    if asked.service == "ec2":
        yield from _network(asked)
        return
    operation = asked.operation
    action = f"{prefix}:{ACTIONS.get(asked.service, {}).get(operation, operation)}"
    keys = tag_keys(asked.params)
    tagging = TAGGING.get(asked.service, {}).get(operation) if keys else None
    for resource in _resources(asked):
        context = {**keys, **(_of_role(asked) if asked.service == "iam" else {})}
        yield Need(action, resource, context)
        if tagging:
            yield Need(tagging, resource, context)


def _resources(asked: Asked) -> list[str]:
    if (asked.service, asked.operation) in NO_RESOURCE:
        return ["*"]
    for member, named in MEMBERS.get(asked.service, {}).items():
        if member == "Name" and asked.operation not in NAMED_BY_NAME[asked.service]:
            continue
        if value := asked.params.get(member):
            values = value if isinstance(value, list) else [value]
            return [named(asked, item) for item in values]
    part = UNNAMED.get((asked.service, asked.operation))
    return [asked.arn(asked.service, part)] if part else ["*"]


def _of_role(asked: Asked) -> dict[str, Any]:
    """IAM's condition keys: the boundary that a role gets or has, its tags, the policy that it is given."""
    params, context = asked.params, {}
    role = asked.resources.role(asked.account, params["RoleName"]) if params.get("RoleName") else None
    boundary = params.get("PermissionsBoundary") or (role.boundary if role else None)
    if boundary:
        context["iam:PermissionsBoundary"] = boundary
    if params.get("PolicyArn"):
        context["iam:PolicyARN"] = params["PolicyArn"]
    return context | {f"aws:ResourceTag/{name}": value for name, value in (role.tags if role else {}).items()}


def tag_keys(params: Mapping[str, Any]) -> dict[str, Any]:
    """The condition keys of the tags that a request gives, whichever way its service writes them."""
    given = next((params[name] for name in ("Tags", "tags", "ResourceTags") if params.get(name)), None)
    if isinstance(given, Mapping):
        tags = dict(given)
    else:
        items = [
            {name.lower(): value for name, value in item.items()} for item in given or () if isinstance(item, Mapping)
        ]
        tags = {item.get("key", item.get("tagkey")): item.get("value", item.get("tagvalue", "")) for item in items}
    if not tags:
        return {}
    return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{name}": value for name, value in tags.items()}}


def _storage(asked: Asked) -> Iterator[Need]:
    params, operation = asked.params, asked.operation
    if operation in BUCKET_ACTIONS:
        yield Need(f"s3:{BUCKET_ACTIONS[operation]}", f"arn:aws:s3:::{params['Bucket']}")
    elif operation in OBJECT_ACTIONS:
        plain, versioned = OBJECT_ACTIONS[operation]
        action = versioned if params.get("VersionId") and versioned else plain
        yield Need(f"s3:{action}", f"arn:aws:s3:::{params['Bucket']}/{params['Key']}")
    else:
        yield Need(f"s3:{operation}", "*")


def _network(asked: Asked) -> Iterator[Need]:
    """VPC endpoints and tags; what only describes knows no resource."""
    params, operation = asked.params, asked.operation

    def of(member: str, kind: str) -> list[str]:
        """ARNs of what a request names as `member`, alone or in a list."""
        given = [value for name, value in params.items() if name.rstrip("0123456789.") == member and value]
        return [asked.arn("ec2", f"{kind}/{value}") for value in given if isinstance(value, str)]

    if operation == "CreateVpcEndpoint":
        parts = (("VpcId", "vpc"), ("SubnetId", "subnet"), ("RouteTableId", "route-table"))
        found = [arn for member, kind in (*parts, ("SecurityGroupId", "security-group")) for arn in of(member, kind)]
        found.append(asked.arn("ec2", "vpc-endpoint/*"))
    elif operation in ("ModifyVpcEndpoint", "DeleteVpcEndpoints"):
        found = of("VpcEndpointId", "vpc-endpoint")
    elif operation in ("CreateTags", "DeleteTags"):
        found = [
            asked.arn("ec2", f"{value.rpartition('-')[0]}/{value}")
            for name, value in params.items()
            if name.startswith("ResourceId.")
        ]
    else:
        found = ["*"]
    for resource in found or ["*"]:
        yield Need(f"ec2:{operation}", resource)


def passed(asked: Asked) -> Iterator[Need]:
    """iam:PassRole for the roles that a call hands on to another service."""
    roles = {
        ("lambda", "CreateFunction"): [asked.params.get("Role")],
        ("lambda", "UpdateFunctionConfiguration"): [asked.params.get("Role")],
        ("events", "PutTargets"): [target.get("RoleArn") for target in asked.params.get("Targets", [])],
    }.get((asked.service, asked.operation), [])
    for role in filter(None, roles):
        yield Need("iam:PassRole", role, {"iam:PassedToService": f"{asked.service}.amazonaws.com"})
