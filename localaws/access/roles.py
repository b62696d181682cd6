"""The roles that jobs and pipelines run under."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.errors import Invalid

if TYPE_CHECKING:
    from localaws.api.call import Call


def require_service_role(call: Call, arn: str) -> None:
    """Raise Invalid unless the ARN is a role of the caller's account."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise Invalid(f"RoleArn {arn} is not the ARN of a role.")
    if parts[4] != call.account:
        raise Invalid(f"RoleArn {arn}: cross-account pass role is not allowed.")
