"""Which steps of an execution can begin: a pure function of the definition and of the steps so far."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from localaws.definition import Definition

RUNNING = {"Starting", "Executing", "Stopping"}


@dataclass(frozen=True)
class Plan:
    """The state of an execution as far as its order is concerned.

    `statuses` has the steps that have begun, `outcomes` the results of Condition steps that have ended,
    and `selected` the steps of a selective execution (None for all), for which the others' results are taken
    from an earlier execution.
    """

    definition: Definition
    statuses: Mapping[str, str]
    outcomes: Mapping[str, bool]
    selected: Set[str] | None = None

    def running(self) -> list[str]:
        """The steps under way."""
        return [name for name, status in self.statuses.items() if status in RUNNING]

    def failed(self) -> bool:
        """Whether a step has failed or was stopped, after which no other begins."""
        return any(status in ("Failed", "Stopped") for status in self.statuses.values())

    def ready(self) -> list[str]:
        """The steps that can begin now, in the definition's order."""
        if self.failed():
            return []
        dependencies, skipped = self.definition.dependencies(), self.skipped()
        return [
            name
            for name in self.definition.steps
            if name not in self.statuses
            and name not in skipped
            and (self.selected is None or name in self.selected)
            and all(self._over(dependency, name, skipped) for dependency in dependencies[name])
        ]

    def skipped(self) -> set[str]:
        """The steps of branches not taken, and those that wait for them."""
        dependencies = self.definition.dependencies()
        skipped: set[str] = set()
        while True:
            more = {
                name
                for name in self.definition.steps
                if name not in skipped and (self._untaken(name) or dependencies[name] & skipped)
            }
            if not more:
                return skipped
            skipped |= more

    def _untaken(self, name: str) -> bool:
        branch = self.definition.steps[name].branch
        return branch is not None and self.outcomes.get(branch[0], branch[1] == "IfSteps") != (branch[1] == "IfSteps")

    def _over(self, dependency: str, waiting: str, skipped: Set[str]) -> bool:
        """Whether `waiting` need wait for a step no longer; a Condition is over when its taken branch is."""
        if self._elsewhere(dependency):
            return True
        if self.statuses.get(dependency) != "Succeeded":
            return False
        steps = self.definition.steps
        branch = steps[waiting].branch
        if steps[dependency].type != "Condition" or (branch and branch[0] == dependency):
            return True
        inside = [name for name, step in steps.items() if step.branch and step.branch[0] == dependency]
        return all(
            name in skipped or self._elsewhere(name) or self.statuses.get(name) == "Succeeded" for name in inside
        )

    def _elsewhere(self, name: str) -> bool:
        return self.selected is not None and name not in self.selected
