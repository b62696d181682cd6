"""A call, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.access.resources import Resources


@dataclass(frozen=True)
class Need:
    """An action that must be allowed on a resource, with condition keys of its own."""

    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict)


class NoSuchKey(Exception):
    """A KMS key that isn't there; the text is KMS' sentence."""


@dataclass(frozen=True)
class Asked:
    """A call: its parameters by botocore's names, and where it is made."""

    service: str
    operation: str
    params: Mapping[str, Any]
    account: str
    region: str
    resources: Resources

    def arn(self, service: str, resource: str, account: str | None = None) -> str:
        """An ARN in the caller's region, and account unless another is given."""
        return f"arn:aws:{service}:{self.region}:{account or self.account}:{resource}"
