"""The evaluation of IAM policy documents, as far as localaws enforces them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from localaws.access import conditions
from localaws.errors import AccessDenied

_EFFECTS = {"Allow", "Deny"}
_ACCOUNT = re.compile(r"(?:arn:aws[a-z-]*:(?:iam|sts)::)?(\d{12})(?::.*)?")


class InvalidPolicy(Exception):
    """A text that isn't a policy document."""


def parse(text: str) -> dict[str, Any]:
    """Read a policy document; raises InvalidPolicy."""
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidPolicy("the policy is not JSON") from error
    if not isinstance(policy, dict) or not statements(policy):
        raise InvalidPolicy("the policy has no Statement")
    for number, statement in enumerate(statements(policy), 1):
        if not isinstance(statement, dict) or statement.get("Effect") not in _EFFECTS:
            raise InvalidPolicy(f"statement {number} needs the Effect Allow or Deny")
        if not {"Action", "NotAction"} & set(statement):
            raise InvalidPolicy(f"statement {number} has no Action")
    return policy


def statements(policy: Mapping[str, Any]) -> list[Any]:
    """The statements of a policy, which may be one or a list."""
    return _list(policy.get("Statement"))


def decide(
    documents: Iterable[Mapping[str, Any]],
    action: str,
    resource: str,
    context: Mapping[str, Any] | None = None,
) -> str:
    """What identity policies say of an action on a resource: `Deny`, `Allow` or `None` (nothing)."""
    verdict = "None"
    for document in documents:
        for statement in statements(document):
            if not _applies(statement, action, resource, context or {}):
                continue
            if statement["Effect"] == "Deny":
                return "Deny"
            verdict = "Allow"
    return verdict


def decide_resource(
    policy: Mapping[str, Any],
    principal: str,
    action: str,
    resource: str,
    context: Mapping[str, Any] | None = None,
) -> str:
    """What a resource's policy says to a principal: an ARN, an account's root, a service or an identity provider."""
    known = principal_context(principal) | dict(context or {})
    named = [s for s in statements(policy) if _names(s, principal, known["aws:PrincipalArn"])]
    return decide([{"Statement": named}], action, resource, known)


def names_directly(
    policy: Mapping[str, Any],
    principal: str,
    action: str,
    resource: str,
    context: Mapping[str, Any] | None = None,
) -> bool:
    """Whether a resource's policy allows the action to the principal itself, not just to its whole account.

    Within an account only such an allow is enough; one to the account leaves the decision to its IAM.
    """
    known = principal_context(principal) | dict(context or {})
    named = [s for s in statements(policy) if _names(s, principal, known["aws:PrincipalArn"], accounts=False)]
    return decide([{"Statement": named}], action, resource, known) == "Allow"


def resource_policy_allows(policy: Mapping[str, Any], principal: str, action: str, resource: str) -> bool:
    """Whether a resource's policy allows a principal the action."""
    return decide_resource(policy, principal, action, resource) == "Allow"


def principal_context(principal: str) -> dict[str, Any]:
    """The condition keys that follow from who is asking: a session's principal is its role."""
    match = re.fullmatch(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.*", principal)
    arn = f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}" if match else principal
    account = _ACCOUNT.fullmatch(principal)
    return {
        "aws:PrincipalArn": arn,
        **({"aws:PrincipalAccount": account.group(1), "aws:SourceAccount": account.group(1)} if account else {}),
    }


def denied(principal: str, action: str, resource: str) -> AccessDenied:
    """AWS's sentence for a missing permission, with the action's name."""
    return AccessDenied(f"User: {principal} is not authorized to perform: {action} on resource: {resource}")


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, Any]) -> bool:
    if "NotAction" in statement:
        if _any(statement["NotAction"], action, fold=True):
            return False
    elif not _any(statement.get("Action"), action, fold=True):
        return False
    if "NotResource" in statement:
        if _any(statement["NotResource"], resource, context=context):
            return False
    elif "Resource" in statement and not _any(statement["Resource"], resource, context=context):
        return False
    return conditions.hold(statement.get("Condition", {}), context)


def _names(statement: Mapping[str, Any], principal: str, role: str, *, accounts: bool = True) -> bool:
    if "NotPrincipal" in statement:
        return not _named(statement["NotPrincipal"], principal, role, accounts)
    return _named(statement.get("Principal"), principal, role, accounts)


def _named(wanted: Any, principal: str, role: str, accounts: bool) -> bool:
    if wanted == "*":
        return True
    if not isinstance(wanted, dict):
        return False
    if principal in (*_list(wanted.get("Service")), *_list(wanted.get("Federated"))):
        return True
    account = _ACCOUNT.fullmatch(principal)
    for item in _list(wanted.get("AWS")):
        if item in ("*", principal, role):
            return True
        if accounts and account and item in (account.group(1), f"arn:aws:iam::{account.group(1)}:root"):
            return True
    return False


def _any(patterns: Any, value: str, *, fold: bool = False, context: Mapping[str, Any] | None = None) -> bool:
    for pattern in _list(patterns):
        text = conditions.filled(pattern, context) if context is not None else pattern
        if conditions.like(text.lower() if fold else text, value.lower() if fold else value):
            return True
    return False


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
