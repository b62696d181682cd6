"""Buckets, keys, repositories, queues, topics, functions and buses: whose they are and what their policies say.

All of it is read as the owner's root, through the services' own operations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from localaws.access.identities import Lookup
from localaws.access.ttlcache import TTLCache

_ALIASED = re.compile(r"(?:arn:aws[a-z-]*:kms:[a-z0-9-]+:(\d{12}):)?(alias/.+|key/.+|[0-9a-zA-Z-]+)")


@dataclass(frozen=True)
class Bucket:
    """A bucket: `default_key` encrypts what is put without a key of its own."""

    name: str
    owner: str
    policy: Mapping[str, Any] | None
    default_key: str | None


class NoSuchBucket(Exception):
    """A bucket that no known account has."""


@dataclass(frozen=True)
class FunctionUrl:
    """A function's URL: `arn` is the function's, with the alias that it is for, `kind` AWS_IAM or NONE."""

    arn: str
    owner: str
    kind: str
    policy: Mapping[str, Any]


@dataclass(frozen=True)
class EncryptionKey:
    """A KMS key with its aliases; AWS-managed keys let everyone of the account in through their service."""

    arn: str
    owner: str
    policy: Mapping[str, Any]
    aliases: tuple[str, ...]
    managed: bool
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Role:
    """A role, as far as it is something that others manage."""

    arn: str
    boundary: str | None
    tags: Mapping[str, str]


class Resources:
    """Finds resources, and keeps them for a moment."""

    def __init__(self, lookup: Lookup, accounts: Callable[[], Iterable[str]]) -> None:
        self._lookup, self._accounts = lookup, accounts
        self._kept = TTLCache()

    def forget(self) -> None:
        """Ask the services anew."""
        self._kept.forget()

    def bucket(self, name: str, caller: str) -> Bucket | None:
        """A bucket of the caller's or of any other known account."""
        return self._kept.get(("bucket", name), lambda: self._bucket(name, caller))

    def bucket_owner(self, name: str, caller: str) -> str:
        """The account that has a bucket. Raises NoSuchBucket."""
        return self._kept.get(("owner", name), lambda: self._bucket_owner(name, caller))

    def function_url(self, number: str) -> FunctionUrl | None:
        """The function of a URL, whose host begins with the number."""
        return self._kept.get(("url", number), lambda: self._function_url(number))

    def key(self, given: str, caller: str) -> EncryptionKey | None:
        """The key of a key id, alias or ARN of either, as the caller may name it."""
        return self._kept.get(("key", given, caller), lambda: self._key(given, caller))

    def role(self, account: str, name: str) -> Role | None:
        """A role by its name."""
        return self._kept.get(("role", account, name), lambda: self._role(account, name))

    def repository_policy(self, account: str, name: str) -> Mapping[str, Any] | None:
        """A repository's policy: None if there is no such repository, {} if it has no policy."""
        return self._kept.get(("repository", account, name), lambda: self._repository(account, name))

    def queue_policy(self, account: str, url: str) -> Mapping[str, Any]:
        """A queue's policy, {} if it has none."""
        return self._kept.get(("queue", account, url), lambda: self._queue(account, url))

    def topic_policy(self, account: str, arn: str) -> Mapping[str, Any]:
        """A topic's policy, {} if it has none."""

        def ask() -> Mapping[str, Any]:
            found = _unless_missing(lambda: self._lookup("sns", account).get_topic_attributes(TopicArn=arn))
            return json.loads((found or {}).get("Attributes", {}).get("Policy") or "{}")

        return self._kept.get(("topic", arn), ask)

    def function_policy(self, account: str, arn: str) -> Mapping[str, Any]:
        """A function's policy, {} if it has none."""

        def ask() -> Mapping[str, Any]:
            found = _unless_missing(lambda: self._lookup("lambda", account).get_policy(FunctionName=arn))
            return json.loads((found or {}).get("Policy") or "{}")

        return self._kept.get(("function", arn), ask)

    def bus_policy(self, account: str, name: str) -> Mapping[str, Any]:
        """An event bus' policy, {} if it has none."""

        def ask() -> Mapping[str, Any]:
            found = _unless_missing(lambda: self._lookup("events", account).describe_event_bus(Name=name))
            return json.loads((found or {}).get("Policy") or "{}")

        return self._kept.get(("bus", account, name), ask)

    def object_key(self, bucket: Bucket, key: str, version: str | None) -> str | None:
        """The ARN of the KMS key that an object is encrypted with."""
        more = {"VersionId": version} if version else {}
        head = _unless_missing(
            lambda: self._lookup("s3", bucket.owner).head_object(Bucket=bucket.name, Key=key, **more)
        )
        return (head or {}).get("SSEKMSKeyId")

    def _bucket_owner(self, name: str, caller: str) -> str:
        # An account's name in the bucket's is only a hint where to look first.
        candidates = dict.fromkeys([caller, *re.findall(r"(?<!\d)\d{12}(?!\d)", name), *self._accounts()])
        for account in filter(None, candidates):
            if name in {item["Name"] for item in self._lookup("s3", account).list_buckets()["Buckets"]}:
                return account
        raise NoSuchBucket(name)

    def _bucket(self, name: str, caller: str) -> Bucket | None:
        try:
            account = self.bucket_owner(name, caller)
        except NoSuchBucket:
            return None
        s3 = self._lookup("s3", account)
        found = _unless_missing(lambda: s3.get_bucket_policy(Bucket=name))
        policy = json.loads(found["Policy"]) if found else None
        return Bucket(name, account, policy, _default_key(s3, name))

    def _function_url(self, number: str) -> FunctionUrl | None:
        for account in self._accounts():
            client = self._lookup("lambda", account)
            for page in client.get_paginator("list_functions").paginate():
                for function in page["Functions"]:
                    found = client.list_function_url_configs(FunctionName=function["FunctionName"])
                    for url in found["FunctionUrlConfigs"]:
                        if url["FunctionUrl"].split("//")[-1].startswith(f"{number}."):
                            arn = url["FunctionArn"]
                            return FunctionUrl(arn, account, url["AuthType"], self.function_policy(account, arn))
        return None

    def _key(self, given: str, caller: str) -> EncryptionKey | None:
        match = _ALIASED.fullmatch(given)
        if match is None:
            return None
        kms = self._lookup("kms", match[1] or caller)
        named = given if match[1] else match[2].removeprefix("key/")
        found = _unless_missing(lambda: kms.describe_key(KeyId=named))
        if found is None:
            return None
        key = found["KeyMetadata"]
        policy = _unless_missing(lambda: kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default"))
        aliases = kms.list_aliases(KeyId=key["KeyId"])["Aliases"]
        tags = _unless_missing(lambda: kms.list_resource_tags(KeyId=key["KeyId"])) or {}
        return EncryptionKey(
            key["Arn"],
            key["Arn"].split(":")[4],
            json.loads((policy or {}).get("Policy") or "{}"),
            tuple(alias["AliasName"] for alias in aliases),
            key.get("KeyManager") == "AWS",
            {tag["TagKey"]: tag["TagValue"] for tag in tags.get("Tags", [])},
        )

    def _role(self, account: str, name: str) -> Role | None:
        found = _unless_missing(lambda: self._lookup("iam", account).get_role(RoleName=name))
        if found is None:
            return None
        role = found["Role"]
        boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return Role(role["Arn"], boundary, {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])})

    def _repository(self, account: str, name: str) -> Mapping[str, Any] | None:
        ecr = self._lookup("ecr", account)
        if not _unless_missing(lambda: ecr.describe_repositories(repositoryNames=[name])):
            return None
        found = _unless_missing(lambda: ecr.get_repository_policy(repositoryName=name))
        return json.loads((found or {}).get("policyText") or "{}")

    def _queue(self, account: str, url: str) -> Mapping[str, Any]:
        sqs = self._lookup("sqs", account)
        found = _unless_missing(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]))
        return json.loads((found or {}).get("Attributes", {}).get("Policy") or "{}")


def _default_key(s3: Any, name: str) -> str | None:
    found = _unless_missing(lambda: s3.get_bucket_encryption(Bucket=name))
    rules = (found or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    for rule in rules:
        applied = rule.get("ApplyServerSideEncryptionByDefault", {})
        if applied.get("SSEAlgorithm", "").startswith("aws:kms"):
            return applied.get("KMSMasterKeyID")
    return None


def _unless_missing(ask: Callable[[], Any]) -> Any:
    """The answer, or None where the service says that there is no such thing, or that there can't be."""
    try:
        return ask()
    except ParamValidationError:
        return None
    except ClientError as error:
        code, status = error.response["Error"].get("Code", ""), error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404 or code.startswith(("NoSuch", "NotFound")) or code.endswith(("NotFound", "NotFoundException")):
            return None
        if "NonExistent" in code:
            return None
        raise
