"""Entry point of `mammography-on-failure`: a rule starts it for every failed execution."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from functions.common import ledger, notify, pending, recent
from functions.common.batches import SMOKE_TESTS
from functions.common.context import ABANDONED, AccountContext, LostRace, client, put_json, read_json, split, write_json
from functions.common.failures import NoGroundTruth, NoPendingBatch, NoPredictionsByChampion
from functions.common.registry import version_of
from functions.on_failure import execution as executions
from functions.on_failure import facts as gathering
from functions.on_failure import gate, messages
from functions.on_failure.execution import Failure

OUTCOME = ("on-failure.json",)
NOTHING_TO_TELL = {NoPredictionsByChampion.__name__, NoGroundTruth.__name__}
"""Names of failures that are no alarm: nothing has gone wrong, and nobody has to do anything."""
ATTEMPTS = 5


def handle(event: dict, invocation: Any) -> dict:
    """Deal with one failure of an execution, once, however often the event is delivered.

    Args:
        event: EventBridge's "SageMaker Model Building Pipeline Execution Status Change".
        invocation: Lambda's context; a repeated invocation has the same `aws_request_id`.

    Returns:
        What was done: {"outcome": "retraining" | "held" | "malformed" | "no-batch" | "alert" | "nothing", …}
    """
    context = AccountContext.here()
    arn, ended = event["detail"]["pipelineExecutionArn"], event["detail"]["executionEndTime"]
    key = context.run(arn, *OUTCOME)
    note = {"ended": ended, "request": invocation.aws_request_id, "at": ledger.now(), "done": False}
    if not _begin(context, key, note):
        return {"outcome": "nothing", "why": "this failure was dealt with before"}
    failure = executions.read(context, arn)
    if failure is None:
        outcome = {"outcome": "nothing", "why": "the execution isn't failed"}
    elif failure.drift and not _smoke_test(context, failure):
        outcome = _drifted(context, failure)
    elif failure.name == NoPendingBatch.__name__ and failure.followed:
        outcome = {"outcome": "nothing", "why": "another execution took the batch that waited"}
    elif failure.name == NoPendingBatch.__name__:
        outcome = _notify(context, "no-batch", *messages.no_batch(context, failure))
    elif failure.name in NOTHING_TO_TELL:
        outcome = {"outcome": "nothing", "why": failure.sentence}
    else:
        _withhold(context, failure, ledger.FAILED, failure.sentence)
        outcome = _notify(context, "alert", *messages.alert(context, failure))
    if failure and failure.batch and failure.package:
        pending.begin_next(context, version_of(failure.package))
    put_json(context.data_bucket, key, {**outcome, **note, "done": True})
    return outcome


def _begin(context: AccountContext, key: str, note: dict[str, Any]) -> bool:
    """Take a failure by a conditional write; False when another invocation has it or has dealt with it."""
    found = read_json(context.data_bucket, key)
    if found and not _open(note, found[0]):
        return False
    try:
        write_json(context.data_bucket, key, note, found[1] if found else None)
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


def _smoke_test(context: AccountContext, failure: Failure) -> bool:
    """Whether the execution only tried a release: its batch says nothing about the world."""
    entry, _ = ledger.read(context, failure.batch) if failure.batch else (None, None)
    return entry is not None and split(entry.batch.url)[1].startswith(SMOKE_TESTS)


def _drifted(context: AccountContext, failure: Failure) -> dict:
    """Deal with a batch that the monitor refused, or a model that it found worse.

    A batch that isn't a table like the baseline's says nothing of the world.
    """
    verdict = executions.verdict(failure)
    reason = verdict["sentence"] if verdict else failure.sentence
    if verdict and verdict.get("malformed"):
        _withhold(context, failure, ledger.FAILED, reason, verdict)
        return _notify(context, "malformed", *messages.malformed(context, failure, reason))
    return _drift(context, failure, reason, verdict)


def _drift(context: AccountContext, failure: Failure, reason: str, verdict: dict | None) -> dict:
    _withhold(context, failure, ledger.QUARANTINED, reason, verdict)
    decision, facts, execution = _gate(context, failure, reason)
    if execution:
        mail = messages.retraining(context, failure, reason, execution, facts.unseen_files)
        return {**_notify(context, "retraining", *mail), "execution": execution}
    mail = messages.held(context, failure, reason, decision.held_by)
    return {**_notify(context, "held", *mail), "held_by": list(decision.held_by)}


def _gate(context: AccountContext, failure: Failure, reason: str) -> tuple[gate.Decision, gate.Facts, str | None]:
    """Decide under the lock and, when nothing holds it, start the retraining; return its execution's ARN.

    The start is written down before it is made: whoever comes in between sees it.
    """
    for _ in range(ATTEMPTS):
        starts, etag = gathering.read_history(context)
        facts = gathering.gather(context, failure, starts)
        decision = gate.decide(facts)
        if not decision.retrain:
            return decision, facts, None
        start = gate.begun(facts)
        try:
            if start is None:
                start = gate.Start(failure.identity, failure.execution, facts.now)
                starts = [*starts, start]
                etag = gathering.write_history(context, starts, etag)
            if start.execution is None:
                made = replace(start, execution=_start(context, failure, reason))
                gathering.write_history(context, [made if each == start else each for each in starts], etag)
                start = made
        except LostRace:
            continue
        return decision, facts, start.execution
    raise LostRace(f"{gathering.HISTORY}: changed {ATTEMPTS} times while {failure.identity} was decided on.")


def _start(context: AccountContext, failure: Failure, reason: str) -> str:
    """Start the train pipeline; the token makes a repeated start return the first one's execution."""
    return client("sagemaker").start_pipeline_execution(
        PipelineName=context.pipeline("train"),
        PipelineExecutionDisplayName=f"retrain-{failure.identity}"[:82].rstrip("-"),
        PipelineExecutionDescription=f"{messages.because(failure)}: {reason}"[:3000],
        ClientRequestToken=hashlib.sha256(f"retrain {failure.identity}".encode()).hexdigest(),
    )["PipelineExecutionArn"]


def _withhold(
    context: AccountContext, failure: Failure, state: str, sentence: str, verdict: dict | None = None
) -> None:
    """Write into the ledger that the batch of this execution wasn't scored, and why."""
    for _ in range(ATTEMPTS):
        entry, etag = ledger.read(context, failure.batch) if failure.batch else (None, None)
        if entry is None or entry.execution != failure.execution or entry.state != ledger.CLAIMED:
            return
        withheld = entry.becomes(state, sentence=sentence, verdict=verdict, report=failure.monitoring, requeued=None)
        pending.mark(context, entry.batch, entry.version)
        try:
            ledger.write(context, withheld, etag)
        except LostRace:
            continue
        pending.unmark(context, entry.batch)
        recent.note(context, withheld)
        return
    raise LostRace(f"ledger entry of batch {failure.batch}")


def _notify(context: AccountContext, outcome: str, subject: str, message: str) -> dict:
    notify.publish(context, subject, message)
    return {"outcome": outcome, "subject": subject, "message": message}
