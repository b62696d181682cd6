"""Deploys releases through Terraform: its own plan is what people approve, and that very file is applied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.difference import differences
from promotion.accounts import Account
from promotion.errors import DeployFailed
from promotion.manifest import Manifest, digest
from promotion.parts import short
from promotion.plans import ROOT, Plan
from terraform import checks
from terraform.errors import TerraformError
from terraform.root import Root
from terraform.run import Run

QUIET = ("no-op", "read")
UNKNOWN = "(known after it is applied)"


class Terraform:
    """Deploys to one account's release layer, which its bootstrap and foundation have to precede."""

    name = "Terraform"

    def __init__(self, account: Account) -> None:
        self._account = account

    def plan(self, manifest: Manifest, folder: Path) -> Plan:
        """Return what would change, with the file that Terraform applies; change nothing.

        Raises:
            DeployFailed: Terraform can't plan it.
        """
        root = self._root(manifest, folder)
        root.work.mkdir(parents=True, exist_ok=True)
        file = root.work / "release.tfplan"
        try:
            if not root.deployed():
                raise DeployFailed(f"{self._account.environment} has no foundation yet: make apply/ENV makes it.")
            with root.locked():
                root.init()
                root.plan(file)
                changes = tuple(_changes(root.show(file)))
        except (TerraformError, ClientError, BotoCoreError) as error:
            raise DeployFailed(f"{self._account.environment} can't be planned: {error}") from None
        location = str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file)
        of_file = digest(file.read_bytes())
        return Plan(
            self._account.environment, manifest.version, manifest.identity, self.name, changes, location, of_file
        )

    def apply(self, plan: Plan, manifest: Manifest, folder: Path) -> None:
        """Apply the plan's own file. Interrupted, and applied from a new plan, it ends in the same state.

        Raises:
            PlanStale: the file is gone, or another.
            DeployFailed: Terraform failed; a plan that something else has overtaken is stale to Terraform too.
        """
        plan.demand_file()
        try:
            Run(self._account, [self._root(manifest, folder)]).apply_planned({"release": ROOT / plan.file})
        except (TerraformError, ClientError, BotoCoreError) as error:
            raise DeployFailed(f"{plan.environment} doesn't take release {manifest.version}: {error}") from None

    def _root(self, manifest: Manifest, folder: Path) -> Root:
        root = Root("release", self._account)
        try:
            root.files.parent.mkdir(parents=True, exist_ok=True)
            checks.lay_out(self._account, manifest, folder, root.files)
        except TerraformError as error:
            raise DeployFailed(str(error)) from None
        root.take_release()
        return root


def _changes(plan: dict[str, Any]) -> Iterator[str]:
    """Give a line for each thing that a plan (Terraform's JSON) would change."""
    for change in plan.get("resource_changes", ()):
        actions = [action for action in change["change"]["actions"] if action not in QUIET]
        if not actions:
            continue
        what = f"{change['address']}: {' and '.join(actions)}"
        if actions != ["update"]:
            yield what
            continue
        before, after = change["change"]["before"], dict(change["change"]["after"])
        unknown = {name for name, value in change["change"]["after_unknown"].items() if value}
        after |= dict.fromkeys(unknown, UNKNOWN)
        for path, old, new in differences(_read(before), _read(after)):
            yield f"{what} {path} {short(old)} → {short(new)}"


def _read(values: dict[str, Any]) -> dict[str, Any]:
    """A resource's values, with JSON documents in them as what they say."""
    return {
        name: json.loads(value) if isinstance(value, str) and value.startswith("{") and _is_json(value) else value
        for name, value in values.items()
    }


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
