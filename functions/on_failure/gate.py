"""The retrain gate: facts in, decision out. Nothing here looks at a clock or calls AWS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.common.batches import LABELLED
from functions.common.context import ABANDONED

DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Start:
    """A retraining that was begun.

    Args:
        reason: identity of what was its reason: a batch, or labels that arrived.
        cause: ARN of the failed execution that said so.
        at: when it was written down, which comes before it is made.
        execution: ARN of the train pipeline's execution, once there is one.
    """

    reason: str
    cause: str
    at: datetime
    execution: str | None = None


@dataclass(frozen=True)
class Facts:
    """What the gate decides on.

    Args:
        now: this moment.
        reason: identity of the batch that drifted, or of the labels by which the model has become worse.
        subject: of a sentence about it: `this batch`.
        cause: ARN of the execution that said so.
        enabled: the kill switch; False holds every retraining.
        cooldown: how long after the last training none is begun.
        daily_cap: how many retrainings are begun in 24 hours.
        running: ARNs of the train pipeline's executions in progress.
        last_training: when the last execution of the train pipeline began, by whomever it was started.
        starts: retrainings begun so far.
        unseen_files: how many objects below data/labelled/ the champion has not learned from.
        learned_by: which other version learned from exactly the objects below data/labelled/, in words, or None.
    """

    now: datetime
    reason: str
    subject: str
    cause: str
    enabled: bool
    cooldown: timedelta
    daily_cap: int
    running: Sequence[str]
    last_training: datetime | None
    starts: Sequence[Start]
    unseen_files: int
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
    """Return the retraining that this very failure has begun already, or None."""
    return next((start for start in facts.starts if start.cause == facts.cause), None)


def decide(facts: Facts) -> Decision:
    """Hold the facts against every condition.

    A retraining that this very failure has begun isn't held by its own traces: the function ended before it
    could tell, and is repeated.
    """
    own = begun(facts)
    if own and (own.execution or facts.enabled):
        return Decision(())
    held = []
    if not facts.enabled:
        held.append("automatic retraining is switched off")
    if any(start.reason == facts.reason for start in facts.starts):
        held.append(f"{facts.subject} was the reason of a retraining before")
    starting = [s for s in facts.starts if s.execution is None and facts.now - s.at < ABANDONED]
    if facts.running:
        held.append(f"a training runs already ({facts.running[0]})")
    elif starting:
        held.append(f"a retraining because of {starting[0].reason} is being started")
    trainings = [start.at for start in facts.starts] + ([facts.last_training] if facts.last_training else [])
    if trainings and facts.now - max(trainings) < facts.cooldown:
        until = max(trainings) + facts.cooldown
        held.append(f"the cool-down since the last training ends at {until:%Y-%m-%d %H:%M} UTC")
    today = [start for start in facts.starts if facts.now - start.at < DAY]
    if len(today) >= facts.daily_cap:
        held.append(f"{len(today)} of {facts.daily_cap} retrainings a day are used up")
    if facts.unseen_files == 0:
        held.append(f"there is no new file below {LABELLED}, and the same rows give the same model")
    elif facts.learned_by:
        held.append(f"{facts.learned_by} has learned from exactly the files below {LABELLED}")
    return Decision(tuple(held))
