"""Notifications: a subject and a text per outcome, without any row's values."""

from __future__ import annotations

from functions.common.batches import GROUND_TRUTH, LABELLED
from functions.common.context import AccountContext
from functions.common.notify import subject
from functions.common.registry import version_of
from functions.on_failure.execution import Failure


def retraining(context: AccountContext, failure: Failure, reason: str, execution: str, unseen: int) -> tuple[str, str]:
    """Tell that a batch is quarantined or a model has become worse, and that a retraining has begun."""
    files = "1 file" if unseen == 1 else f"{unseen} files"
    return subject(context, f"{_short(failure)}, retraining has begun"), _text(
        _found(failure, reason),
        f"Retraining has begun, because there is data below {LABELLED} ({files}) that the approved version has not "
        f"seen: {execution}",
        *_meanwhile(context, failure),
    )


def held(context: AccountContext, failure: Failure, reason: str, held_by: tuple[str, ...]) -> tuple[str, str]:
    """Tell that a batch is quarantined or a model has become worse, and what holds the retraining back."""
    return subject(context, f"{_short(failure)}, no retraining"), _text(
        _found(failure, reason),
        f"No retraining was begun: {'; '.join(held_by)}.",
        *_meanwhile(context, failure),
    )


def because(failure: Failure) -> str:
    """Return why a retraining is begun, as the new version carries it."""
    if failure.batch:
        return f"Drift in batch {failure.batch}"
    return f"Version {_version(failure)} evaluated on {failure.labels}"


def malformed(context: AccountContext, failure: Failure, reason: str) -> tuple[str, str]:
    """Tell that a batch has failed, because it isn't a table like the baseline's."""
    return subject(context, f"batch {failure.batch} is malformed"), _text(
        f"Batch {failure.batch} has failed: {reason}",
        "Nothing was retrained: a table of other columns or types says nothing about the world.",
        *_correct(context, failure),
    )


def no_batch(context: AccountContext, failure: Failure) -> tuple[str, str]:
    """Tell that an execution found nothing to score."""
    return subject(context, "no batch is pending"), _text(
        f"{failure.pipeline} looked for a batch to score. {failure.sentence}",
        f"Execution: {failure.execution}",
    )


def alert(context: AccountContext, failure: Failure) -> tuple[str, str]:
    """Tell anything else that went wrong, in the job's own sentence."""
    lines = [failure.sentence]
    if failure.batch:
        lines += [f"Nothing was retrained. Batch {failure.batch} is withheld.", *_correct(context, failure)]
    elif failure.labels:
        lines += [
            "Nothing was retrained: whether the model has become worse isn't known.",
            f"Every evaluation reads all labels below s3://{context.data_bucket}/{GROUND_TRUTH}. If a file there is at "
            "fault, each later one fails as well, until the file is overwritten with a corrected one or deleted.",
        ]
    part = failure.pipeline.removeprefix(f"{context.project}-")
    return subject(context, f"{part}: {failure.where} failed"), _text(*lines, f"Execution: {failure.execution}")


def _version(failure: Failure) -> int:
    return version_of(failure.package or "")


def _short(failure: Failure) -> str:
    return f"batch {failure.batch} drifted" if failure.batch else f"version {_version(failure)} has become worse"


def _found(failure: Failure, reason: str) -> str:
    if failure.batch:
        return f"Batch {failure.batch} is quarantined: {reason}"
    return f"Version {_version(failure)} was evaluated on the ground truth that has arrived. {reason}"


def _meanwhile(context: AccountContext, failure: Failure) -> list[str]:
    if not failure.batch:
        return [f"Version {_version(failure)} scores until a newer one is approved.", *_report(failure)]
    return [
        "The batch is quarantined. It is scored by itself once a newer version is approved.",
        f"To requeue it now: {_release(context, failure)}",
        *_report(failure),
    ]


def _correct(context: AccountContext, failure: Failure) -> list[str]:
    return [
        "A corrected file is a new batch, under whatever name it arrives.",
        f"To try this one again as it is: {_release(context, failure)}",
        *_report(failure),
    ]


def _release(context: AccountContext, failure: Failure) -> str:
    return f'make requeue ENV={context.environment} BATCH={failure.batch} REASON="…"'


def _report(failure: Failure) -> list[str]:
    return [f"Report: {failure.monitoring}/report.html"] if failure.monitoring else []


def _text(*lines: str) -> str:
    return "\n\n".join(lines) + "\n"
