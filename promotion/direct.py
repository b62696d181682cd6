"""Deploys through AWS's own API, for local accounts that Terraform didn't make."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import templates
from pipeline.names import FUNCTIONS, PIPELINES
from promotion import running
from promotion.accounts import Account
from promotion.errors import DeployFailed, PlanStale
from promotion.manifest import Manifest
from promotion.parts import Alarm, Function, NoPipeline, NoRule, Pipeline, Rule, leftovers, put_functions
from promotion.plans import Plan

Pipelines = Pipeline | NoPipeline
Events = Rule | NoRule | Alarm


class Direct:
    """Deploys releases in one account; what Terraform's release layer does, from the same files."""

    name = "AWS's API"

    def __init__(self, account: Account) -> None:
        self._account = account

    def plan(self, manifest: Manifest, folder: Path) -> Plan:
        """Return what would change; change nothing.

        Raises:
            DeployFailed: the account can't be read.
        """
        try:
            changes = tuple(self._changes(manifest, folder))
        except (ClientError, BotoCoreError) as error:
            raise DeployFailed(f"{self._account.environment} can't be planned: {error}") from None
        return Plan(self._account.environment, manifest.version, manifest.identity, self.name, changes)

    def _changes(self, manifest: Manifest, folder: Path) -> Iterator[str]:
        functions, pipelines, rules = self._parts(manifest, folder)
        for function in functions:
            yield from function.changes()
        versions = {function.name: function.version() for function in functions}
        for pipeline in pipelines:
            yield from pipeline.changes(versions)
        for rule in rules:
            yield from rule.changes()

    def apply(self, plan: Plan, manifest: Manifest, folder: Path) -> None:
        """Apply a plan. Interrupted, and applied from a new plan, it ends in the same state.

        Functions come first, because the definitions name their versions; each definition is replaced by one call.

        Raises:
            PlanStale: more would change than the plan says.
            DeployFailed: AWS refused a change.
        """
        if not plan.covers(self.plan(manifest, folder)):
            raise PlanStale(f"{plan.environment} has changed since the plan was made; plan again.")
        functions, pipelines, rules = self._parts(manifest, folder)
        try:
            versions = put_functions(functions)
            for pipeline in pipelines:
                pipeline.put(versions)
            for rule in rules:
                rule.put()
        except (ClientError, BotoCoreError) as error:
            raise DeployFailed(f"{plan.environment} doesn't take release {manifest.version}: {error}") from None

    def _parts(self, manifest: Manifest, folder: Path) -> tuple[list[Function], list[Pipelines], list[Events]]:
        settings = self._account.settings
        code = (folder / "functions.zip").read_bytes()
        description = f"Release {manifest.version}, commit {manifest.git_commit}"
        define = partial(running.definition, folder, self._account.environment)
        own = manifest.pipelines(self._account.environment)
        pipelines: list[Pipelines] = [Pipeline(self._account, name, partial(define, name), description) for name in own]
        pipelines += [NoPipeline(self._account, name) for name in PIPELINES if name not in own]
        wanted = list(templates.rules(settings))
        rules: list[Events] = [Rule(self._account, rule) for rule in wanted]
        rules += leftovers(self._account, [rule["rule"]["Name"] for rule in wanted])
        rules += [Alarm(self._account, alarm) for alarm in templates.alarms(settings)]
        return (
            [Function(self._account, name, code) for name in FUNCTIONS],
            pipelines,
            rules,
        )
