"""After a run that was killed: what it made and had no time to write into the state is taken over.

Terraform writes its state every few seconds. Everything but a key has a name of ours, so making it again fails,
and the failure says what is there; a key that has no alias yet is found by its tags.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from promotion.accounts import Account

THERE = re.compile(
    r"already ?exists|AlreadyOwnedByYou|ResourceConflict|DuplicateRecord|must be unique|ResourceInUse", re.IGNORECASE
)
"""Words with which services refuse to make what is there."""

IDS: dict[str, Callable[[dict[str, Any], Account], str]] = {
    "aws_budgets_budget": lambda value, account: f"{account.id}:{value['name']}",
    "aws_cloudwatch_event_bus": lambda value, _: value["name"],
    "aws_cloudwatch_log_group": lambda value, _: value["name"],
    "aws_ecr_repository": lambda value, _: value["name"],
    "aws_iam_openid_connect_provider": lambda value, account: (
        f"arn:aws:iam::{account.id}:oidc-provider/{value['url'].removeprefix('https://')}"
    ),
    "aws_iam_policy": lambda value, account: f"arn:aws:iam::{account.id}:policy/{value['name']}",
    "aws_iam_role": lambda value, _: value["name"],
    "aws_kms_alias": lambda value, _: value["name"],
    "aws_lambda_alias": lambda value, _: f"{value['function_name']}/{value['name']}",
    "aws_lambda_function": lambda value, _: value["function_name"],
    "aws_lambda_permission": lambda value, _: f"{value['function_name']}:{value['qualifier']}/{value['statement_id']}",
    "aws_s3_bucket": lambda value, _: value["bucket"],
    "aws_sagemaker_model_package_group": lambda value, _: value["model_package_group_name"],
    "aws_sagemaker_pipeline": lambda value, _: value["pipeline_name"],
    "aws_sns_topic": lambda value, account: f"arn:aws:sns:{account.settings.region}:{account.id}:{value['name']}",
    "aws_sqs_queue": lambda value, account: account.client("sqs").get_queue_url(QueueName=value["name"])["QueueUrl"],
}
"""Type → what Terraform imports it by, from its planned values. The other types' calls may be repeated."""


def planned(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return address → change of what a plan (Terraform's JSON) would make."""
    return {
        change["address"]: change
        for change in plan.get("resource_changes", ())
        if change["change"]["actions"] == ["create"] and change["mode"] == "managed"
    }


def there(plan: dict[str, Any], diagnostics: list[dict[str, Any]], account: Account) -> dict[str, str]:
    """Return address → import id of what an apply could not make because it is there."""
    found = {}
    changes = planned(plan)
    for said in diagnostics:
        text = f"{said.get('summary', '')} {said.get('detail', '')}"
        change = changes.get(said.get("address", ""))
        if change and THERE.search(text) and change["type"] in IDS:
            found[change["address"]] = IDS[change["type"]](change["change"]["after"], account)
    return found


def nameless_keys(plan: dict[str, Any], account: Account) -> dict[str, str]:
    """Return address → id of keys that are there by their tags, of those that a plan would make."""
    wanted = {
        change["change"]["after"]["description"]: address
        for address, change in planned(plan).items()
        if change["type"] == "aws_kms_key"
    }
    return {wanted[text]: key for text, key in _keys(account) if text in wanted} if wanted else {}


def _keys(account: Account) -> Iterator[tuple[str, str]]:
    """Give description and id of the project's keys that work; those that have an alias come last, and count."""
    kms = account.client("kms")
    named = {
        alias.get("TargetKeyId") for page in kms.get_paginator("list_aliases").paginate() for alias in page["Aliases"]
    }
    found = list(_tagged(account))
    yield from sorted(found, key=lambda key: key[1] in named)


def _tagged(account: Account) -> Iterator[tuple[str, str]]:
    kms = account.client("kms")
    for page in kms.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            about = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
            if about["KeyManager"] != "CUSTOMER" or about["KeyState"] != "Enabled":
                continue
            tags = {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]}
            if tags.get("project") == account.settings.project:
                yield about["Description"], key["KeyId"]


def imports(found: dict[str, str]) -> str:
    """Return Terraform's import blocks for address → id."""
    return "\n".join(f'import {{\n  to = {address}\n  id = "{name}"\n}}\n' for address, name in found.items())
