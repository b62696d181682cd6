"""Which actions on which resources a call needs: one row per operation, in one table per service.

Sources: "Required permissions for Amazon S3 API operations" and the Service Authorization Reference. Operations
without a row that only name a resource are in `managing`. One that isn't there either needs the action of its own name
on Resource "*": a role that isn't allowed everything of the service is refused, rather than let through unchecked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from localaws.access import managing
from localaws.access.needs import Asked, Need, NoSuchKey
from localaws.access.resources import EncryptionKey

Row = Callable[[Asked], Iterator[Need]]


def needs(asked: Asked) -> list[Need]:
    """What a call needs. Raises NoSuchKey."""
    row = TABLE.get(asked.service, {}).get(asked.operation)
    found = row(asked) if row else managing.needs(asked, PREFIXES.get(asked.service, asked.service))
    return [*_with_tags(asked, list(found), row is not None), *managing.passed(asked)]


def _with_tags(asked: Asked, found: list[Need], has_row: bool) -> list[Need]:
    """Add what tags need that a call with a row of its own gives to what it creates."""
    tagging = managing.TAGGING.get(asked.service, {}).get(asked.operation)
    keys = managing.tag_keys(asked.params) if has_row and tagging else {}
    if not keys or not tagging:
        return found
    found = [Need(need.action, need.resource, {**need.context, **keys}) for need in found]
    return [*found, *(Need(tagging, need.resource, need.context) for need in found)]


def _bucket(action: str, *members: str) -> Row:
    """An action on a bucket; `members` become the condition keys s3:prefix and the like."""

    def row(asked: Asked) -> Iterator[Need]:
        keys = {"Prefix": "s3:prefix", "Delimiter": "s3:delimiter", "MaxKeys": "s3:max-keys"}
        context = {keys[member]: str(asked.params[member]) for member in members if member in asked.params}
        yield Need(action, f"arn:aws:s3:::{asked.params['Bucket']}", context)

    return row


def _object(action: str, versioned: str | None = None, encrypts: bool = False) -> Row:
    """An action on an object, under another name if a version is asked for."""

    def row(asked: Asked) -> Iterator[Need]:
        params = asked.params
        resource = f"arn:aws:s3:::{params['Bucket']}/{params['Key']}"
        version = params.get("VersionId")
        context = {"s3:VersionId": version} if version else {}
        context |= _conditional(asked)
        if encrypts:
            context |= _encryption(params)
        yield Need(versioned if version and versioned else action, resource, context)
        if encrypts:
            yield from _encrypting(asked, resource)

    return row


_CREATES = {"PutObject", "CopyObject", "CompleteMultipartUpload"}
_CONDITIONAL = _CREATES | {"CreateMultipartUpload", "UploadPart", "UploadPartCopy", "DeleteObject"}


def _conditional(asked: Asked) -> dict[str, Any]:
    """The keys by which a policy can demand conditional writes: only what creates an object can carry a condition."""
    if asked.operation not in _CONDITIONAL:
        return {}
    names = {"IfNoneMatch": "s3:if-none-match", "IfMatch": "s3:if-match"}
    found = {key: asked.params[member] for member, key in names.items() if member in asked.params}
    if asked.operation == "DeleteObject":
        return found
    return {**found, "s3:ObjectCreationOperation": asked.operation in _CREATES}


def _encryption(params: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "ServerSideEncryption": "s3:x-amz-server-side-encryption",
        "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "ACL": "s3:x-amz-acl",
        "StorageClass": "s3:x-amz-storage-class",
    }
    return {key: params[member] for member, key in names.items() if member in params}


def _encrypting(asked: Asked, resource: str) -> Iterator[Need]:
    """What SSE-KMS needs of the key that the request names, or the bucket takes."""
    params, key = asked.params, asked.params.get("SSEKMSKeyId")
    if key is None and "ServerSideEncryption" not in params:
        bucket = asked.resources.bucket(params["Bucket"], asked.account)
        key = bucket.default_key if bucket else None
    if key is None:
        return
    yield through_s3(asked, key, "kms:GenerateDataKey", resource)
    if asked.operation == "CreateMultipartUpload":
        yield through_s3(asked, key, "kms:Decrypt", resource)


def through_s3(asked: Asked, key: str, action: str, resource: str) -> Need:
    """An action on a KMS key that S3 does for whoever puts or gets an object. Raises NoSuchKey."""
    context = {
        "kms:ViaService": f"s3.{asked.region}.amazonaws.com",
        "kms:EncryptionContext:aws:s3:arn": resource,
        "kms:EncryptionContextKeys": ["aws:s3:arn"],
    }
    return _key_need(asked, key, action, context)


def _key_need(asked: Asked, given: str, action: str, context: Mapping[str, Any]) -> Need:
    key = asked.resources.key(given, asked.account)
    if key is None:
        kind, verb = ("Alias", "is not found.") if "alias/" in given else ("Key", "does not exist")
        shown = given if given.startswith("arn:") else asked.arn("kms", given if "/" in given else f"key/{given}")
        raise NoSuchKey(f"{kind} {shown} {verb}" if kind == "Alias" else f"{kind} '{shown}' {verb}")
    return Need(action, key.arn, {**_of_key(asked, key), **context})


def _of_key(asked: Asked, key: EncryptionKey) -> dict[str, Any]:
    tags = {f"aws:ResourceTag/{name}": value for name, value in key.tags.items()}
    return {"kms:ResourceAliases": list(key.aliases), "kms:CallerAccount": asked.account, **tags}


def _copy(asked: Asked) -> Iterator[Need]:
    source = asked.params["CopySource"]
    if isinstance(source, str):
        path, _, query = source.partition("?versionId=")
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        source = {"Bucket": bucket, "Key": key, **({"VersionId": query} if query else {})}
    version = source.get("VersionId")
    resource = f"arn:aws:s3:::{source['Bucket']}/{source['Key']}"
    yield Need("s3:GetObjectVersion" if version else "s3:GetObject", resource)
    found = asked.resources.bucket(source["Bucket"], asked.account)
    if found and (encrypted := asked.resources.object_key(found, source["Key"], version)):
        yield through_s3(asked, encrypted, "kms:Decrypt", resource)
    yield from _object("s3:PutObject", encrypts=asked.operation == "CopyObject")(asked)


def _deletions(asked: Asked) -> Iterator[Need]:
    for item in asked.params.get("Delete", {}).get("Objects", []):
        action = "s3:DeleteObjectVersion" if item.get("VersionId") else "s3:DeleteObject"
        yield Need(action, f"arn:aws:s3:::{asked.params['Bucket']}/{item['Key']}")


def _attributes(asked: Asked) -> Iterator[Need]:
    for row in (_object("s3:GetObject", "s3:GetObjectVersion"), _object("s3:GetObjectAttributes")):
        yield from row(asked)


def _key(action: str, *context: tuple[str, str]) -> Row:
    """An action on a KMS key; a ciphertext that doesn't say its key counts as any key's."""

    def row(asked: Asked) -> Iterator[Need]:
        given = asked.params.get("KeyId")
        if given is None:
            yield Need(action, "*")
            return
        encryption = asked.params.get("EncryptionContext") or {}
        keys = {f"kms:EncryptionContext:{name}": value for name, value in encryption.items()}
        yield _key_need(asked, given, action, keys)

    return row


def _alias(action: str) -> Row:
    """An action on an alias and on the key behind it, now and afterwards."""

    def row(asked: Asked) -> Iterator[Need]:
        name = asked.params["AliasName"]
        yield Need(action, asked.arn("kms", name))
        keys = {asked.params.get("TargetKeyId"), name if action != "kms:CreateAlias" else None} - {None}
        for given in sorted(keys):
            if asked.resources.key(given, asked.account):
                yield _key_need(asked, given, action, {})

    return row


def _new_key(asked: Asked) -> Iterator[Need]:
    yield Need("kms:CreateKey", "*", managing.tag_keys(asked.params))


def _tagged_key(asked: Asked) -> Iterator[Need]:
    for need in _key("kms:TagResource")(asked):
        yield Need(need.action, need.resource, {**need.context, **managing.tag_keys(asked.params)})


def _repository(action: str) -> Row:
    def row(asked: Asked) -> Iterator[Need]:
        params = asked.params
        yield Need(action, asked.arn("ecr", f"repository/{params['repositoryName']}", params.get("registryId")))

    return row


def _queue(action: str) -> Row:
    def row(asked: Asked) -> Iterator[Need]:
        params = asked.params
        if "QueueUrl" in params:
            *_, account, name = params["QueueUrl"].rstrip("/").split("/")
        else:
            account, name = params.get("QueueOwnerAWSAccountId"), params["QueueName"]
        yield Need(action, asked.arn("sqs", name, account))

    return row


def _topic(asked: Asked) -> Iterator[Need]:
    params = asked.params
    yield Need("sns:Publish", params.get("TopicArn") or params.get("TargetArn") or "*")


def _function(action: str) -> Row:
    def row(asked: Asked) -> Iterator[Need]:
        given, qualifier = asked.params["FunctionName"], asked.params.get("Qualifier")
        if given.startswith("arn:"):
            arn = given
        elif ":function:" in given:
            account, _, name = given.split(":", 2)
            arn = asked.arn("lambda", f"function:{name}", account)
        else:
            arn = asked.arn("lambda", f"function:{given}")
        yield Need(action, f"{arn}:{qualifier}" if qualifier and arn.count(":") == 6 else arn)

    return row


def _logs(action: str) -> Row:
    """Logs names a stream even where a group is meant, and leaves it empty then."""

    def row(asked: Asked) -> Iterator[Need]:
        group = asked.params.get("logGroupName")
        if group is None:
            group = asked.params.get("logGroupIdentifier", "*").removesuffix(":*").rpartition(":log-group:")[2]
        stream = asked.params.get("logStreamName", "") if action in _STREAMS else ""
        yield Need(action, asked.arn("logs", f"log-group:{group}:log-stream:{stream}"))

    return row


def _bus(asked: Asked) -> Iterator[Need]:
    for entry in asked.params.get("Entries", []):
        bus = entry.get("EventBusName", "default")
        arn = bus if bus.startswith("arn:") else asked.arn("events", f"event-bus/{bus}")
        yield Need(
            "events:PutEvents",
            arn,
            {"events:source": entry.get("Source"), "events:detail-type": entry.get("DetailType")},
        )


def _rule(action: str) -> Row:
    def row(asked: Asked) -> Iterator[Need]:
        name, bus = asked.params.get("Rule") or asked.params["Name"], asked.params.get("EventBusName", "default")
        bus = bus.rpartition("/")[2]
        yield Need(action, asked.arn("events", f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}"))

    return row


def _alarms(action: str) -> Row:
    def row(asked: Asked) -> Iterator[Need]:
        names = asked.params.get("AlarmNames") or [asked.params.get("AlarmName", "*")]
        for name in names:
            yield Need(action, asked.arn("cloudwatch", f"alarm:{name}"))

    return row


def _assume(asked: Asked) -> Iterator[Need]:
    names = {"ExternalId": "sts:ExternalId", "RoleSessionName": "sts:RoleSessionName"}
    context = {key: asked.params[member] for member, key in names.items() if member in asked.params}
    yield Need("sts:AssumeRole", asked.params["RoleArn"], context)


def _free(asked: Asked) -> Iterator[Need]:
    yield from ()


def _on_all(action: str) -> Row:
    def row(asked: Asked) -> Iterator[Need]:
        yield Need(action, "*")

    return row


_STREAMS = {"logs:PutLogEvents", "logs:GetLogEvents", "logs:DeleteLogStream"}
_READ = ("s3:GetObject", "s3:GetObjectVersion")

PREFIXES = {"monitoring": "cloudwatch"}
"""Where IAM's name of a service isn't the one that requests are signed for."""

TABLE: dict[str, dict[str, Row]] = {
    "s3": {
        "GetObject": _object(*_READ),
        "HeadObject": _object(*_READ),
        "PutObject": _object("s3:PutObject", encrypts=True),
        "CopyObject": _copy,
        "DeleteObject": _object("s3:DeleteObject", "s3:DeleteObjectVersion"),
        "DeleteObjects": _deletions,
        "GetObjectAttributes": _attributes,
        "GetObjectTagging": _object("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
        "PutObjectTagging": _object("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
        "CreateMultipartUpload": _object("s3:PutObject", encrypts=True),
        "UploadPart": _object("s3:PutObject"),
        "UploadPartCopy": _copy,
        "CompleteMultipartUpload": _object("s3:PutObject"),
        "AbortMultipartUpload": _object("s3:AbortMultipartUpload"),
        "ListParts": _object("s3:ListMultipartUploadParts"),
        "ListObjects": _bucket("s3:ListBucket", "Prefix", "Delimiter", "MaxKeys"),
        "ListObjectsV2": _bucket("s3:ListBucket", "Prefix", "Delimiter", "MaxKeys"),
        "ListObjectVersions": _bucket("s3:ListBucketVersions", "Prefix", "Delimiter", "MaxKeys"),
        "ListMultipartUploads": _bucket("s3:ListBucketMultipartUploads", "Prefix"),
        "HeadBucket": _bucket("s3:ListBucket"),
        "GetBucketLocation": _bucket("s3:GetBucketLocation"),
        "GetBucketVersioning": _bucket("s3:GetBucketVersioning"),
        "GetBucketPolicy": _bucket("s3:GetBucketPolicy"),
        "PutBucketPolicy": _bucket("s3:PutBucketPolicy"),
        "DeleteBucketPolicy": _bucket("s3:DeleteBucketPolicy"),
        "GetBucketEncryption": _bucket("s3:GetEncryptionConfiguration"),
        "GetBucketLifecycleConfiguration": _bucket("s3:GetLifecycleConfiguration"),
        "GetBucketNotificationConfiguration": _bucket("s3:GetBucketNotification"),
        "GetBucketTagging": _bucket("s3:GetBucketTagging"),
        "CreateBucket": _bucket("s3:CreateBucket"),
        "DeleteBucket": _bucket("s3:DeleteBucket"),
        "ListBuckets": _on_all("s3:ListAllMyBuckets"),
    },
    "kms": {
        name: _key(f"kms:{name}")
        for name in (
            "CancelKeyDeletion", "CreateGrant", "Decrypt", "DescribeKey", "DisableKey", "DisableKeyRotation",
            "EnableKey", "EnableKeyRotation", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GetKeyPolicy",
            "GetKeyRotationStatus", "GetPublicKey", "ListGrants", "ListKeyPolicies", "ListKeyRotations",
            "ListResourceTags", "PutKeyPolicy", "RevokeGrant", "RotateKeyOnDemand", "ScheduleKeyDeletion", "Sign",
            "UntagResource", "UpdateKeyDescription", "Verify", "VerifyMac",
        )
    } | {
        "CreateKey": _new_key,
        "TagResource": _tagged_key,
        **{name: _alias(f"kms:{name}") for name in ("CreateAlias", "DeleteAlias", "UpdateAlias")},
    },
    "ecr": {
        "GetAuthorizationToken": _on_all("ecr:GetAuthorizationToken"),
        **{
            name: _repository(f"ecr:{name}")
            for name in (
                "BatchCheckLayerAvailability", "BatchDeleteImage", "BatchGetImage", "CompleteLayerUpload",
                "DescribeImages", "GetDownloadUrlForLayer", "GetRepositoryPolicy", "InitiateLayerUpload", "ListImages",
                "PutImage", "UploadLayerPart",
            )
        },
    },
    "sqs": {
        **{
            name: _queue(f"sqs:{name}")
            for name in (
                "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "PurgeQueue",
                "ReceiveMessage", "SendMessage",
            )
        },
        "SendMessageBatch": _queue("sqs:SendMessage"),
        "DeleteMessageBatch": _queue("sqs:DeleteMessage"),
        "ChangeMessageVisibilityBatch": _queue("sqs:ChangeMessageVisibility"),
    },
    "sns": {"Publish": _topic, "PublishBatch": _topic},
    "lambda": {
        "Invoke": _function("lambda:InvokeFunction"),
        "GetFunction": _function("lambda:GetFunction"),
        "GetFunctionConfiguration": _function("lambda:GetFunctionConfiguration"),
        **{
            name: _function(f"lambda:{name}")
            for name in (
                "AddPermission", "CreateAlias", "CreateFunction", "GetAlias", "GetPolicy", "ListVersionsByFunction",
                "PublishVersion", "UpdateAlias", "UpdateFunctionCode", "UpdateFunctionConfiguration",
            )
        },
    },
    "logs": {
        name: _logs(f"logs:{name}")
        for name in (
            "CreateLogGroup", "CreateLogStream", "DeleteLogStream", "DescribeLogStreams", "FilterLogEvents",
            "GetLogEvents", "PutLogEvents", "PutRetentionPolicy",
        )
    },
    "events": {
        "PutEvents": _bus,
        **{
            name: _rule(f"events:{name}")
            for name in (
                "DeleteRule", "DescribeRule", "DisableRule", "EnableRule", "ListTargetsByRule", "PutRule", "PutTargets",
                "RemoveTargets",
            )
        },
    },
    "monitoring": {
        name: _alarms(f"cloudwatch:{name}") for name in ("DeleteAlarms", "DescribeAlarms", "PutMetricAlarm")
    },
    "sts": {"AssumeRole": _assume, "GetCallerIdentity": _free},
}  # fmt: skip
