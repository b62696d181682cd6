"""AWS's own managed policies, as IAM had them on the data's date, for ministack, which knows a few dozen of them.

`managed-policies.json.gz` holds path and name, default version, dates and document of each. It is made from moto
5.2.5's `moto/iam/aws_managed_policies.py` (https://github.com/getmoto/moto, Apache-2.0), which moto takes from IAM's
ListPolicies and GetPolicyVersion; the newest policy in it is of 30 September 2026.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

PREFIX = "arn:aws:iam::aws:policy/"
_DATA = Path(__file__).parent / "managed-policies.json.gz"


def read() -> dict[str, list[Any]]:
    """Return default version, creation, update and document of each policy, by its path and name."""
    return dict(json.loads(gzip.decompress(_DATA.read_bytes()))["policies"])


def own_policies(ministack: Any) -> None:
    """Let IAM know every managed policy, and refuse to attach one that there isn't."""
    iam = ministack._get_module("iam")
    for name, (version, created, updated, document) in read().items():
        record = iam._make_aws_managed_record(name, json.dumps(document))
        record |= {"DefaultVersionId": version, "CreateDate": _date(created), "UpdateDate": _date(updated)}
        (kept,) = record["Versions"].values()
        record["Versions"] = {version: {**kept, "VersionId": version, "CreateDate": _date(updated)}}
        iam._aws_managed_policies[PREFIX + name] = record
    for kind in ("role", "user", "group"):
        _guard(iam, f"_attach_{kind}_policy")


def _date(text: str) -> str:
    return text.replace("+00:00", "Z")


def _guard(iam: Any, name: str) -> None:
    attach: Callable[[Any], Any] = getattr(iam, name)

    def attach_known(parameters: Any) -> Any:
        arn = iam._p(parameters, "PolicyArn")
        if not iam._policy_exists(arn):
            return iam._error(404, "NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", ns="iam")
        return attach(parameters)

    setattr(iam, name, attach_known)
    (action,) = (action for action, handler in iam._IAM_HANDLERS.items() if handler is attach)
    iam._IAM_HANDLERS[action] = attach_known
