"""Entry point of `mammography-on-failure`: a rule starts it for every failed execution."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from functions.common import ledger, notify
from functions.common.batches import CANARY
from functions.common.failures import NoBatchWaiting, NoGroundTruth, OnlyOlderScored
from functions.common.place import ABANDONED, LostRace, Place, client, put_json, read_json, split, write_json
from functions.common.registry import version_of
from functions.common.waiting import begin_next
from functions.on_failure import execution as executions
from functions.on_failure import facts as gathering
from functions.on_failure import gate, words
from functions.on_failure.execution import Failure

OUTCOME = ("on-failure.json",)
NOTHING_TO_TELL = {OnlyOlderScored.__name__, NoGroundTruth.__name__}
"""Names of failures that are no alarm: nothing has gone wrong, and nobody has to do anything."""
ATTEMPTS = 5


def handle(event: dict, context: Any) -> dict:
    """Deal with one failure of an execution, once, however often the event is delivered.

    Args:
        event: EventBridge's "SageMaker Model Building Pipeline Execution Status Change".
        context: Lambda's; a repeated invocation has the same `aws_request_id`.

    Returns:
        What was done: {"outcome": "retraining" | "held" | "malformed" | "no-batch" | "alert" | "nothing", …}
    """
    place = Place.here()
    arn, ended = event["detail"]["pipelineExecutionArn"], event["detail"]["executionEndTime"]
    key = place.run(arn, *OUTCOME)
    note = {"ended": ended, "request": context.aws_request_id, "at": ledger.now(), "done": False}
    if not _begin(place, key, note):
        return {"outcome": "nothing", "why": "this failure was dealt with before"}
    failure = executions.read(place, arn)
    if failure is None:
        outcome = {"outcome": "nothing", "why": "the execution isn't failed"}
    elif failure.drift and not _canary(place, failure):
        outcome = _refused(place, failure)
    elif failure.name == NoBatchWaiting.__name__ and failure.followed:
        outcome = {"outcome": "nothing", "why": "another execution took the batch that waited"}
    elif failure.name == NoBatchWaiting.__name__:
        outcome = _tell(place, "no-batch", *words.no_batch(place, failure))
    elif failure.name in NOTHING_TO_TELL:
        outcome = {"outcome": "nothing", "why": failure.sentence}
    else:
        _set_aside(place, failure, ledger.FAILED, failure.sentence)
        outcome = _tell(place, "alert", *words.alert(place, failure))
    if failure and failure.batch and failure.package:
        begin_next(place, version_of(failure.package))
    put_json(place.data_bucket, key, {**outcome, **note, "done": True})
    return outcome


def _begin(place: Place, key: str, note: dict[str, Any]) -> bool:
    """Take a failure by a conditional write; False when another invocation has it or has dealt with it."""
    found = read_json(place.data_bucket, key)
    if found and not _open(note, found[0]):
        return False
    try:
        write_json(place.data_bucket, key, note, found[1] if found else None)
    except LostRace:
        return False
    return True


def _open(note: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether a failure is to be dealt with although something was noted of its execution before."""
    if note["ended"] != before["ended"]:
        # An execution that was retried can fail again.
        return note["ended"] > before["ended"]
    age = datetime.fromisoformat(note["at"]) - datetime.fromisoformat(before["at"])
    return not before["done"] and (note["request"] == before["request"] or age >= ABANDONED)


def _canary(place: Place, failure: Failure) -> bool:
    """Whether the execution only tried a release: its batch says nothing about the world."""
    entry, _ = ledger.read(place, failure.batch) if failure.batch else (None, None)
    return entry is not None and split(entry.batch.url)[1].startswith(CANARY)


def _refused(place: Place, failure: Failure) -> dict:
    """Deal with a batch that the monitor refused, or a model that it found worse.

    A batch that isn't a table like the baseline's says nothing of the world.
    """
    verdict = executions.verdict(failure)
    reason = verdict["sentence"] if verdict else failure.sentence
    if verdict and verdict.get("malformed"):
        _set_aside(place, failure, ledger.FAILED, reason, verdict)
        return _tell(place, "malformed", *words.malformed(place, failure, reason))
    return _drift(place, failure, reason, verdict)


def _drift(place: Place, failure: Failure, reason: str, verdict: dict | None) -> dict:
    _set_aside(place, failure, ledger.REFUSED, reason, verdict)
    decision, facts, execution = _gate(place, failure, reason)
    if execution:
        told = words.retraining(place, failure, reason, execution, facts.unseen_files)
        return {**_tell(place, "retraining", *told), "execution": execution}
    told = words.held(place, failure, reason, decision.held_by)
    return {**_tell(place, "held", *told), "held_by": list(decision.held_by)}


def _gate(place: Place, failure: Failure, reason: str) -> tuple[gate.Decision, gate.Facts, str | None]:
    """Decide under the lock and, when nothing holds it, start the retraining; return its execution's ARN.

    The start is written down before it is made: whoever comes in between sees it.
    """
    for _ in range(ATTEMPTS):
        starts, etag = gathering.read_history(place)
        facts = gathering.gather(place, failure, starts)
        decision = gate.decide(facts)
        if not decision.retrain:
            return decision, facts, None
        start = gate.begun(facts)
        try:
            if start is None:
                start = gate.Start(failure.identity, failure.execution, facts.now)
                starts = [*starts, start]
                etag = gathering.write_history(place, starts, etag)
            if start.execution is None:
                made = replace(start, execution=_start(place, failure, reason))
                gathering.write_history(place, [made if each == start else each for each in starts], etag)
                start = made
        except LostRace:
            continue
        return decision, facts, start.execution
    raise LostRace(f"{gathering.HISTORY}: changed {ATTEMPTS} times while {failure.identity} was decided on.")


def _start(place: Place, failure: Failure, reason: str) -> str:
    """Start the train pipeline; the token makes a repeated start return the first one's execution."""
    return client("sagemaker").start_pipeline_execution(
        PipelineName=place.pipeline("train"),
        PipelineExecutionDisplayName=f"retrain-{failure.identity}"[:82].rstrip("-"),
        PipelineExecutionDescription=f"{words.because(failure)}: {reason}"[:3000],
        ClientRequestToken=hashlib.sha256(f"retrain {failure.identity}".encode()).hexdigest(),
    )["PipelineExecutionArn"]


def _set_aside(place: Place, failure: Failure, state: str, sentence: str, verdict: dict | None = None) -> None:
    """Write into the ledger that the batch of this execution wasn't scored, and why."""
    for _ in range(ATTEMPTS):
        entry, etag = ledger.read(place, failure.batch) if failure.batch else (None, None)
        if entry is None or entry.execution != failure.execution or entry.state != ledger.CLAIMED:
            return
        aside = entry.becomes(state, sentence=sentence, verdict=verdict, report=failure.monitoring, released=None)
        try:
            ledger.write(place, aside, etag)
        except LostRace:
            continue
        return
    raise LostRace(f"ledger entry of batch {failure.batch}")


def _tell(place: Place, outcome: str, subject: str, message: str) -> dict:
    notify.people(place, subject, message)
    return {"outcome": outcome, "subject": subject, "message": message}
