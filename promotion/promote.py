"""Deploying a release in an environment, and taking it back: the order of things, and their record.

Each part can be done twice without harm, and the record tells how far the last run came, so that a run that
was interrupted anywhere is finished by running it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from promotion import images, lock, notify, running
from promotion import registry as registries
from promotion.accounts import account, who
from promotion.build import repositories
from promotion.errors import ApprovalMissing, NothingToRollBackTo, PlanStale, SmokeFailed
from promotion.manifest import Manifest
from promotion.plans import Deployer, Plan
from promotion.releases import AUTOMATIC_ROLLBACK, DEPLOY, PROMOTE, ROLLBACK, Event, Releases

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".baton" / "releases"
ENDS = ("serving", "failed", "refused")
BEGUN = ("approved", "applied")


@dataclass(frozen=True)
class Approval:
    """Who decided, and why."""

    who: str
    why: str


Ask = Callable[[Plan], Approval | None]
"""Shows a plan to a person and returns the decision; None is a refusal."""

Smoke = Callable[[Manifest], str]
"""Runs the smoke-test batch and returns what came of it in a sentence, or raises SmokeFailed."""


@dataclass
class Environment:
    """One environment, how releases are deployed there, and how they are tried there.

    Attributes:
        name: dev or prod.
        deployer: what plans and applies.
        smoke: the smoke-test batch.
        source: the environment whose registry the images come from.
        say: takes what happens, line by line.
    """

    name: str
    deployer: Deployer
    smoke: Smoke
    source: str = "dev"
    say: Callable[[str], None] = print

    @cached_property
    def releases(self) -> Releases:
        """The record in the registry account."""
        return Releases(account("registry"))

    def plan(self, version: str) -> Plan:
        """Return what deploying a release would change. Nothing is changed.

        Raises:
            Refused: the release can't be trusted, or can't be planned.
        """
        manifest = self._trusted(version)
        return self.deployer.plan(manifest, self.releases.fetch(manifest, FOLDER))

    def promote(self, version: str, ask: Ask, approved: Plan | None = None) -> str:
        """Deploy a release: verify, plan, have it approved, copy, apply, try, record.

        Args:
            version: the release.
            ask: asked for a decision on the plan.
            approved: a plan made earlier, which is the one that `ask` decides on and the one applied.

        Returns:
            What came of it, in a sentence.

        Raises:
            Refused: by name; the environment runs what it ran before, or the same command finishes it.
        """
        action = DEPLOY if self.name == self.source else PROMOTE
        with lock.held(self.releases.objects, self.name, f"{action} {version}") as held:
            self._finish_rollback(held)
            manifest = self._trusted(version)
            return self._deploy(held, manifest, action, ask, approved)

    def rollback(self, ask: Ask, to: str = "") -> str:
        """Deploy the release that served before again, with today's infrastructure.

        Raises:
            NothingToRollBackTo: none served before.
            Refused: as `promote`.
        """
        with lock.held(self.releases.objects, self.name, f"{ROLLBACK} {to}".strip()) as held:
            self._finish_rollback(held)
            before = self._before()
            if not before or (to and to not in before):
                what = f"Release {to} hasn't served" if to else "No other release has served"
                raise NothingToRollBackTo(f"{what} in {self.name} before the present one.")
            manifest = self.releases.verified(to or before[-1])
            return self._deploy(held, manifest, ROLLBACK, ask, None)

    def _before(self) -> list[str]:
        """The releases that served before what the environment was last changed to, the last one at the end."""
        line = self.releases.line(self.name)
        newest = next((event for event in self.releases.history(self.name) if event.what in (*BEGUN, *ENDS)), None)
        unfinished = newest is not None and newest.what in BEGUN and newest.release not in line[-1:]
        return line if unfinished else line[:-1]

    def _trusted(self, version: str) -> Manifest:
        """A release that is signed, not marked, and whose images the source's registry holds by its tag."""
        manifest = self.releases.verified(version)
        self.releases.unmarked(manifest, self.name)
        images.check(registries.of(account(self.source)), repositories(manifest), version)
        self.say(f"release {version} ({manifest.identity[:19]}): signature and images verified")
        return manifest

    def _deploy(self, held: lock.Lock, manifest: Manifest, action: str, ask: Ask, approved: Plan | None) -> str:
        folder = self.releases.fetch(manifest, FOLDER)
        plan = self._plan(manifest, folder, approved)
        present = self.releases.serving(self.name)
        if not plan.changes and present and present.identity == manifest.identity:
            return f"{self.name} runs release {manifest.version} already, since {present.when}."
        decision = self._decided(plan, manifest, action, ask)
        self._apply(held, plan, manifest, folder)
        self.releases.record(self.name, "applied", action, manifest, decision.why, plan=plan.digest)
        try:
            result = self.smoke(manifest)
        except SmokeFailed as failed:
            held.check()
            self._failed(held, manifest, action, str(failed))
            raise
        held.check()
        self.say(f"smoke test: {result}")
        self.releases.record(self.name, "serving", action, manifest, decision.why, who=decision.who, plan=plan.digest)
        return f"{self.name} runs release {manifest.version}."

    def _plan(self, manifest: Manifest, folder: Path, approved: Plan | None) -> Plan:
        if approved is None:
            return self.deployer.plan(manifest, folder)
        approved.demand_file()
        if (approved.environment, approved.identity) != (self.name, manifest.identity):
            raise PlanStale(f"The plan is for {approved.environment} and release {approved.release}.")
        today = self.deployer.plan(manifest, folder)
        if not approved.covers(today):
            raise PlanStale(f"{self.name} has changed since the plan was made; plan again.")
        # After an interruption less is left to do, and a part of what was approved needs no new decision.
        return approved if approved.changes == today.changes else today

    def _decided(self, plan: Plan, manifest: Manifest, action: str, ask: Ask) -> Approval:
        """The decision on the plan: the one on record if a run it allowed was interrupted, else a new one."""
        for event in self.releases.history(self.name):
            if event.what in ENDS:
                break
            if event.what == "approved" and (event.action, event.identity) == (action, manifest.identity):
                stored = self.releases.plan(event.plan)
                if stored and Plan.of(stored, event.plan).covers(plan):
                    self.say(f"continues what {event.who} approved at {event.when}")
                    return Approval(event.who, event.why)
        self.say(plan.text())
        decision = ask(plan)
        if decision is None or not decision.who.strip() or not decision.why.strip():
            self.releases.record(self.name, "refused", action, manifest, decision.why if decision else "not approved")
            raise ApprovalMissing(
                f"Release {manifest.version} was not approved for {self.name}: an approval has a name and a reason."
            )
        stored = self.releases.store_plan(plan.content())
        self.releases.record(
            self.name, "approved", action, manifest, decision.why.strip(), who=decision.who.strip(), plan=stored
        )
        return decision

    def _apply(self, held: lock.Lock, plan: Plan, manifest: Manifest, folder: Path) -> None:
        """Copy what is missing, apply the plan, and read back what runs."""
        if self.name != self.source:
            held.check()
            source, target = (registries.of(account(name)) for name in (self.source, self.name))
            done = images.copy(source, target, repositories(manifest), manifest.version)
            self.say(f"images: {done.sentence()}")
        held.check()
        self.deployer.apply(plan, manifest, folder)
        running.demand(account(self.name), manifest, folder)

    def _failed(self, held: lock.Lock, manifest: Manifest, action: str, why: str) -> None:
        self.say(f"smoke test: {why}")
        self._record_failure(self.releases.record(self.name, "failed", action, manifest, why), manifest)
        self._finish_rollback(held)

    def _record_failure(self, event: Event, manifest: Manifest) -> None:
        if event.action != ROLLBACK:
            self.releases.mark(manifest, self.name, event.why)

    def _finish_rollback(self, held: lock.Lock) -> None:
        """Roll back to the previous release after a failed smoke-test batch, unless that is done."""
        ends = (event for event in self.releases.history(self.name) if event.what in (*ENDS, "notified"))
        event = next((event for event in ends if event.what != "refused"), None)
        if event is None or event.what != "failed":
            return
        failed = self.releases.verified(event.release)
        self._record_failure(event, failed)
        line = self.releases.line(self.name)
        if not line or event.action == ROLLBACK:
            notify.publish(
                self.name,
                f"Release {event.release} failed in {self.name} and is still there",
                f"{event.why}\n{'No release served before.' if not line else 'It was put there by a rollback.'}",
            )
            self.releases.record(self.name, "notified", event.action, failed, event.why)
            return
        previous = self.releases.verified(line[-1])
        folder = self.releases.fetch(previous, FOLDER)
        plan = self.deployer.plan(previous, folder)
        self._apply(held, plan, previous, folder)
        # Sent before it is recorded: interrupted in between, the notification comes twice rather than never.
        notify.publish(
            self.name,
            f"Release {failed.version} failed in {self.name}; {previous.version} serves again",
            f"{event.why}\nRelease {failed.version} is marked as failed and will not be promoted again.",
        )
        why = f"Release {failed.version} failed: {event.why}"
        self.releases.record(self.name, "serving", AUTOMATIC_ROLLBACK, previous, why, who=who(), plan=plan.digest)
        self.say(f"{self.name} runs release {previous.version} again")
