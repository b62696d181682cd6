"""Everything that an account holds, read back through its API and freed of ids, times and tags."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

Client = Callable[[str], Any]


def of(client: Client) -> dict[str, Any]:
    """Return what there is, by kind and name. Keys are called by their aliases, because their ids are chance."""
    keys = _keys(client("kms"))
    parts = {
        "keys": {key["name"]: key["about"] for key in keys.values()},
        "buckets": _buckets(client("s3")),
        "roles": _roles(client("iam")),
        "policies": _policies(client("iam")),
        "topics": _topics(client("sns")),
        "queues": _queues(client("sqs")),
        "repositories": _repositories(client("ecr")),
        "log groups": _log_groups(client("logs")),
        "buses": _buses(client("events")),
        "rules": _rules(client("events")),
        "alarms": _alarms(client("cloudwatch")),
        "functions": _functions(client("lambda")),
        "pipelines": _pipelines(client("sagemaker")),
        "groups": _groups(client("sagemaker")),
    }
    text = json.dumps(parts, sort_keys=True, default=str)
    for key_id, key in keys.items():
        text = text.replace(key_id, key["name"])
    return json.loads(text)


def _pages(client: Any, operation: str, member: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(member, ())


def _without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in (*names, "ResponseMetadata")}


def _keys(kms: Any) -> dict[str, dict[str, Any]]:
    found = {}
    for alias in _pages(kms, "list_aliases", "Aliases"):
        if "TargetKeyId" not in alias or alias["AliasName"].startswith("alias/aws/"):
            continue
        key = kms.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]
        if key["KeyState"] != "Enabled":
            continue
        about = {
            name: key.get(name) for name in ("Description", "KeyUsage", "KeySpec", "Origin", "MultiRegion", "KeyState")
        }
        about["policy"] = json.loads(kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
        if key["KeyUsage"] == "ENCRYPT_DECRYPT":
            about["rotated"] = kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
        found[key["KeyId"]] = {"name": alias["AliasName"], "about": about}
    return found


def _buckets(s3: Any) -> dict[str, Any]:
    return {bucket["Name"]: _bucket(s3, bucket["Name"]) for bucket in s3.list_buckets()["Buckets"]}


def _bucket(s3: Any, name: str) -> dict[str, Any]:
    said = {
        part: _without(getattr(s3, f"get_{part}")(Bucket=name), "TransitionDefaultMinimumObjectSize")
        for part in (
            "bucket_versioning",
            "bucket_encryption",
            "bucket_ownership_controls",
            "public_access_block",
            "bucket_lifecycle_configuration",
            "bucket_notification_configuration",
        )
        if part != "bucket_lifecycle_configuration" or _has_lifecycle(s3, name)
    }
    said["policy"] = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    objects = s3.list_objects_v2(Bucket=name, Prefix="placeholders/").get("Contents", ())
    said["placeholders"] = {
        item["Key"]: s3.get_object(Bucket=name, Key=item["Key"])["Body"].read().decode() for item in objects
    }
    return said


def _has_lifecycle(s3: Any, name: str) -> bool:
    try:
        return bool(s3.get_bucket_lifecycle_configuration(Bucket=name))
    except ClientError:
        return False


def _roles(iam: Any) -> dict[str, Any]:
    found = {}
    for role in _pages(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        role = iam.get_role(RoleName=name)["Role"]
        found[name] = {
            "description": role.get("Description"),
            "path": role["Path"],
            "session": role.get("MaxSessionDuration"),
            "boundary": role.get("PermissionsBoundary"),
            "trust": role["AssumeRolePolicyDocument"],
            "attached": iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"],
            "policies": {
                part: iam.get_role_policy(RoleName=name, PolicyName=part)["PolicyDocument"]
                for part in iam.list_role_policies(RoleName=name)["PolicyNames"]
            },
        }
    return found


def _policies(iam: Any) -> dict[str, Any]:
    return {
        policy["PolicyName"]: iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])[
            "PolicyVersion"
        ]["Document"]
        for policy in _pages(iam, "list_policies", "Policies", Scope="Local")
    }


def _topics(sns: Any) -> dict[str, Any]:
    found = {}
    for topic in _pages(sns, "list_topics", "Topics"):
        attributes = sns.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]
        subscriptions = sns.list_subscriptions_by_topic(TopicArn=topic["TopicArn"])["Subscriptions"]
        found[topic["TopicArn"]] = {
            "key": attributes.get("KmsMasterKeyId"),
            "policy": json.loads(attributes["Policy"]),
            "subscriptions": sorted(f"{one['Protocol']}:{one['Endpoint']}" for one in subscriptions),
        }
    return found


def _queues(sqs: Any) -> dict[str, Any]:
    found = {}
    for url in sqs.list_queues().get("QueueUrls", ()):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        attributes = _without(attributes, "CreatedTimestamp", "LastModifiedTimestamp")
        attributes["Policy"] = json.loads(attributes.get("Policy") or "null")
        found[attributes["QueueArn"]] = {
            name: value for name, value in attributes.items() if not name.startswith("ApproximateNumber")
        }
    return found


def _repositories(ecr: Any) -> dict[str, Any]:
    return {
        one["repositoryName"]: {
            "about": _without(one, "createdAt"),
            "policy": json.loads(ecr.get_repository_policy(repositoryName=one["repositoryName"])["policyText"]),
            "lifecycle": json.loads(
                ecr.get_lifecycle_policy(repositoryName=one["repositoryName"])["lifecyclePolicyText"]
            ),
        }
        for one in _pages(ecr, "describe_repositories", "repositories")
    }


def _log_groups(logs: Any) -> dict[str, Any]:
    return {
        group["logGroupName"]: group.get("retentionInDays")
        for group in _pages(logs, "describe_log_groups", "logGroups")
    }


def _buses(events: Any) -> dict[str, Any]:
    return {
        bus["Name"]: json.loads(events.describe_event_bus(Name=bus["Name"]).get("Policy") or "null")
        for bus in events.list_event_buses()["EventBuses"]
    }


def _rules(events: Any) -> dict[str, Any]:
    found = {}
    for bus in events.list_event_buses()["EventBuses"]:
        for rule in _pages(events, "list_rules", "Rules", EventBusName=bus["Name"]):
            rule = _without(rule, "CreatedBy")
            rule["EventPattern"] = json.loads(rule.get("EventPattern") or "null")
            targets = _pages(events, "list_targets_by_rule", "Targets", Rule=rule["Name"], EventBusName=bus["Name"])
            found[f"{bus['Name']}/{rule['Name']}"] = {
                "rule": rule,
                "targets": sorted(targets, key=lambda target: target["Id"]),
            }
    return found


def _alarms(cloudwatch: Any) -> dict[str, Any]:
    times = ("AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp", "StateTransitionedTimestamp")
    state = ("StateValue", "StateReason", "StateReasonData")
    return {
        alarm["AlarmName"]: _without(alarm, *times, *state)
        for alarm in _pages(cloudwatch, "describe_alarms", "MetricAlarms")
    }


def _functions(client: Any) -> dict[str, Any]:
    found = {}
    for function in _pages(client, "list_functions", "Functions"):
        name = function["FunctionName"]
        versions = [
            _without(version, "LastModified", "RevisionId", "FunctionArn")
            for version in _pages(client, "list_versions_by_function", "Versions", FunctionName=name)
        ]
        aliases = {
            alias["Name"]: alias["FunctionVersion"]
            for alias in _pages(client, "list_aliases", "Aliases", FunctionName=name)
        }
        found[name] = {
            "versions": {version["Version"]: version for version in versions},
            "aliases": aliases,
            "permissions": {alias: _permissions(client, name, alias) for alias in aliases},
        }
    return found


def _permissions(client: Any, name: str, qualifier: str) -> Any:
    try:
        return json.loads(client.get_policy(FunctionName=name, Qualifier=qualifier)["Policy"])
    except ClientError:
        return None


def _pipelines(sagemaker: Any) -> dict[str, Any]:
    found = {}
    for summary in _pages(sagemaker, "list_pipelines", "PipelineSummaries"):
        pipeline = sagemaker.describe_pipeline(PipelineName=summary["PipelineName"])
        found[summary["PipelineName"]] = {
            "definition": json.loads(pipeline["PipelineDefinition"]),
            "role": pipeline["RoleArn"],
            "description": pipeline.get("PipelineDescription"),
            "display name": pipeline.get("PipelineDisplayName"),
        }
    return found


def _groups(sagemaker: Any) -> dict[str, Any]:
    found = {}
    for summary in _pages(sagemaker, "list_model_package_groups", "ModelPackageGroupSummaryList"):
        name = summary["ModelPackageGroupName"]
        policy = sagemaker.get_model_package_group_policy(ModelPackageGroupName=name)["ResourcePolicy"]
        found[name] = {
            "description": summary.get("ModelPackageGroupDescription"),
            "policy": json.loads(policy),
        }
    return found
