"""Whether somebody may do something: identity policies, boundary and the resource's own policy, taken together.

The order is IAM's ("Policy evaluation logic"): an explicit deny anywhere wins; within an account an allow of
either side is enough (a KMS key's policy must have its say); across accounts both sides have to allow.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from localaws.access import policies
from localaws.access.identities import Identity
from localaws.access.needs import Need


def refusal(
    identity: Identity,
    need: Need,
    owner: str,
    policy: Mapping[str, Any] | None,
    context: Mapping[str, Any],
) -> str | None:
    """AWS's sentence for what isn't allowed, or None if it is.

    Args:
        identity: who asks.
        need: what for.
        owner: the account that the resource belongs to.
        policy: the resource's own policy, if it has one.
        context: condition keys of the request.
    """
    action, resource = need.action, need.resource
    known = {**context, **need.context, **identity.context(), "aws:ResourceAccount": owner}

    def sentence(reason: str) -> str:
        return f"User: {identity.arn} is not authorized to perform: {action} on resource: {shown(resource)} {reason}"

    said = policies.decide_resource(policy or {}, identity.arn, action, resource, known)
    direct = said == "Allow" and policies.names_directly(policy or {}, identity.arn, action, resource, known)
    if said == "Deny":
        return sentence("with an explicit deny in a resource-based policy")
    if identity.root:
        allowed = (owner == identity.account and owner != "") or said == "Allow"
        return None if allowed else sentence(f"because no resource-based policy allows the {action} action")
    own = policies.decide(identity.documents, action, resource, known)
    if own == "Deny":
        return sentence("with an explicit deny in an identity-based policy")
    if identity.boundary is not None:
        limit = policies.decide(identity.boundary, action, resource, known)
        if limit == "Deny":
            return sentence("with an explicit deny in a permissions boundary")
        if limit != "Allow":
            return sentence(f"because no permissions boundary allows the {action} action")
    no_identity = f"because no identity-based policy allows the {action} action"
    no_resource = f"because no resource-based policy allows the {action} action"
    if owner != identity.account:
        return sentence(no_identity) if own != "Allow" else None if said == "Allow" else sentence(no_resource)
    if direct:
        return None
    if own != "Allow":
        return sentence(no_identity)
    # A key and a role have to be opened to their own account's IAM, which other resources needn't.
    closed = (action.startswith("kms:") and ":key/" in resource) or action == "sts:AssumeRole"
    return sentence(no_resource) if closed and said != "Allow" else None


def shown(resource: str) -> str:
    """A resource as AWS prints it in its sentences."""
    return resource if resource == "*" else f'"{resource}"' if resource.startswith("arn:aws:s3:::") else resource


def request_context(region: str, now: float) -> dict[str, Any]:
    """The condition keys of every request.

    The port is plain HTTP on the machine itself, which stands for AWS's TLS endpoints.
    """
    return {
        "aws:SecureTransport": "true",
        "aws:RequestedRegion": region,
        "aws:CurrentTime": datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(now)),
        "aws:ViaAWSService": "false",
    }
