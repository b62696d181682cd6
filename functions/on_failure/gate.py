"""The retrain gate: facts in, decision out. Nothing here looks at a clock or calls AWS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Start:
    """A retraining that was begun: for which batch, when, and its execution once there is one."""

    batch: str
    at: datetime
    execution: str | None = None


@dataclass(frozen=True)
class Facts:
    """What the gate decides on.

    Args:
        now: this moment.
        batch: identity of the batch that drifted.
        enabled: the kill switch; False holds every retraining.
        cooldown: how long after the last training none is begun.
        daily_cap: how many retrainings are begun in 24 hours.
        running: ARNs of the train pipeline's executions under way.
        last_training: when the last execution of the train pipeline began, by whomever it was started.
        starts: retrainings begun so far.
        unseen_labels: how many labelled objects the champion has not seen.
        learned_by: which other version learned from exactly these labels, in words, or None.
    """

    now: datetime
    batch: str
    enabled: bool
    cooldown: timedelta
    daily_cap: int
    running: Sequence[str]
    last_training: datetime | None
    starts: Sequence[Start]
    unseen_labels: int
    learned_by: str | None = None


@dataclass(frozen=True)
class Decision:
    """Whether to retrain, and what holds it back: whole sentences, in the order of the gate's conditions."""

    held_by: tuple[str, ...]

    @property
    def retrain(self) -> bool:
        """Whether nothing holds it back."""
        return not self.held_by


def begun(facts: Facts) -> Start | None:
    """Return the retraining that this batch was the reason of already, or None."""
    return next((start for start in facts.starts if start.batch == facts.batch), None)


def decide(facts: Facts) -> Decision:
    """Hold the facts against every condition.

    A batch whose retraining was written down but never got an execution (the function ended in between) isn't
    held by what only that record or its own execution would explain: the start is repeated under the same
    token.
    """
    start = begun(facts)
    if start and start.execution is None:
        return Decision(())
    held = []
    if not facts.enabled:
        held.append("automatic retraining is switched off")
    if start:
        held.append(f"this batch was the reason of {start.execution} before")
    if facts.running:
        held.append(f"a training runs already ({facts.running[0]})")
    if facts.last_training and facts.now - facts.last_training < facts.cooldown:
        until = facts.last_training + facts.cooldown
        held.append(f"the cool-down since the last training ends at {until:%Y-%m-%d %H:%M} UTC")
    today = [start for start in facts.starts if facts.now - start.at < DAY]
    if len(today) >= facts.daily_cap:
        held.append(f"{len(today)} of {facts.daily_cap} retrainings a day are used up")
    if facts.unseen_labels == 0:
        held.append("there are no labels that the champion has not seen, and the same rows give the same model")
    elif facts.learned_by:
        held.append(f"{facts.learned_by} has learned from exactly these labels")
    return Decision(tuple(held))
