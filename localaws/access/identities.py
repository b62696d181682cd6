"""Roles with all their policies, as IAM's own operations tell them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from localaws.access import policies
from localaws.access.ttlcache import TTLCache

Lookup = Callable[[str, str], Any]
"""(service, account) → a client that acts as the account's root."""

SAGEMAKER = "sagemaker.amazonaws.com"
_SESSION = re.compile(r"arn:aws[a-z-]*:sts::(\d{12}):assumed-role/([^/]+)/(.+)")


class Unassumable(Exception):
    """A role that isn't there, or that doesn't trust who wants to assume it; the text is AWS's sentence."""

    def __init__(self, arn: str, service: str = SAGEMAKER) -> None:
        super().__init__(
            f"Could not assume role {arn}. Please ensure that the role exists and allows principal '{service}' "
            "to assume the role."
        )


@dataclass(frozen=True)
class Identity:
    """Who asks: the caller's ARN in messages, the ARN that policies see, and what identity policies say.

    A root has no policies and may do all in its account (`root`).
    """

    account: str
    arn: str
    principal_arn: str
    root: bool = False
    documents: tuple[Mapping[str, Any], ...] = ()
    boundary: tuple[Mapping[str, Any], ...] | None = None
    trust: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    user_id: str = ""

    def context(self) -> dict[str, Any]:
        """The condition keys that follow from who asks."""
        return {
            "aws:PrincipalArn": self.principal_arn,
            "aws:PrincipalAccount": self.account,
            "aws:PrincipalType": "Anonymous" if not self.account else "Account" if self.root else "AssumedRole",
            "aws:PrincipalIsAWSService": "false",
            **{f"aws:PrincipalTag/{name}": value for name, value in self.tags.items()},
        }


ANONYMOUS = Identity("", "anonymous", "anonymous", root=True)
"""Who doesn't sign: has nothing, and may do what a resource's own policy allows to everybody."""


def role_name(arn: str) -> str:
    """The name in a role's ARN, which may have a path before it."""
    return arn.rsplit("/", 1)[-1]


class Identities:
    """Finds identities, and keeps them for a moment."""

    def __init__(self, lookup: Lookup, region: str) -> None:
        self._lookup, self._region, self._kept = lookup, region, TTLCache()

    def forget(self) -> None:
        """Ask IAM anew."""
        self._kept.forget()

    def of(self, principal: str) -> Identity | None:
        """The identity behind a principal's ARN; None for a service and for what IAM doesn't know.

        Raises Unassumable for the session of a role that isn't there (any more).
        """
        if found := re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}):root", principal):
            return Identity(found[1], principal, principal, root=True, user_id=found[1])
        if found := _SESSION.fullmatch(principal):
            return self._session(found[1], found[2], principal)
        return None

    def assumed(self, role: str, session: str) -> Identity:
        """The session of a role that SageMaker assumes for a job. Raises Unassumable."""
        parts = role.split(":", 5)
        if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
            raise Unassumable(role)
        account, name = parts[4], role_name(role)
        found = self._session(account, name, f"arn:aws:sts::{account}:assumed-role/{name}/{session[:64]}")
        # Which of SageMaker's resources wants the role isn't told apart.
        source = f"arn:aws:sagemaker:{self._region}:{account}:*"
        context = {"aws:SourceAccount": account, "aws:SourceArn": source}
        if found.principal_arn != role or not _trusts(found.trust or {}, SAGEMAKER, context):
            raise Unassumable(role)
        return found

    def trust(self, account: str, resource: str) -> Mapping[str, Any] | None:
        """What a role's trust policy says, `resource` being its part of the ARN; None if there is no such role."""
        try:
            role = self._kept.get((account, role_name(resource)), lambda: self._role(account, role_name(resource)))
        except Unassumable:
            return None
        return role["trust"] if role["arn"].endswith(f":{resource}") else None

    def _session(self, account: str, name: str, arn: str) -> Identity:
        role = self._kept.get((account, name), lambda: self._role(account, name))
        return Identity(
            account, arn, role["arn"], False, role["documents"], role["boundary"], role["trust"], role["tags"],
            f"{role['id']}:{arn.rsplit('/', 1)[-1]}",
        )  # fmt: skip

    def _role(self, account: str, name: str) -> dict[str, Any]:
        iam = self._lookup("iam", account)
        try:
            role = iam.get_role(RoleName=name)["Role"]
        except ClientError as error:
            if _missing(error):
                raise Unassumable(f"arn:aws:iam::{account}:role/{name}") from None
            raise
        documents = [
            iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in _all(iam, "list_role_policies", "PolicyNames", RoleName=name)
        ]
        documents += self._attached(iam, "list_attached_role_policies", RoleName=name)
        boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return {
            "arn": role["Arn"],
            "id": role["RoleId"],
            "documents": tuple(documents),
            "boundary": (self._managed(iam, boundary),) if boundary else None,
            "trust": _document(role.get("AssumeRolePolicyDocument")),
            "tags": {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
        }

    def _attached(self, iam: Any, call: str, **of: str) -> list[Mapping[str, Any]]:
        return [self._managed(iam, item["PolicyArn"]) for item in _all(iam, call, "AttachedPolicies", **of)]

    def _managed(self, iam: Any, arn: str) -> Mapping[str, Any]:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
        return _document(found["Document"])


def _trusts(trust: Mapping[str, Any], service: str, context: Mapping[str, Any]) -> bool:
    return policies.decide_resource(trust, service, "sts:AssumeRole", "", context) == "Allow"


def _document(given: Any) -> Mapping[str, Any]:
    # botocore decodes IAM's documents where it knows them; what isn't one, gives nothing.
    return given if isinstance(given, Mapping) else {}


def _missing(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in ("NoSuchEntity", "NoSuchEntityException")


def _all(client: Any, call: str, member: str, **arguments: str) -> list[Any]:
    """A list of IAM's, all of its pages."""
    found: list[Any] = []
    marker: dict[str, str] = {}
    while True:
        page = getattr(client, call)(**arguments, **marker)
        found += page[member]
        if not page.get("IsTruncated"):
            return found
        marker = {"Marker": page["Marker"]}
