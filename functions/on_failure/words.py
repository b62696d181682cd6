"""What people are told: a subject and a text per outcome, without any row's values."""

from __future__ import annotations

from functions.common.notify import subject
from functions.common.place import Place
from functions.on_failure.execution import Failure


def retraining(place: Place, failure: Failure, reason: str, execution: str, unseen: int) -> tuple[str, str]:
    """Tell that a batch was refused and that a retraining has begun."""
    files = "labelled file" if unseen == 1 else "labelled files"
    return subject(place, f"batch {failure.batch} drifted, retraining has begun"), _text(
        f"Batch {failure.batch} was refused: {reason}",
        f"Retraining has begun, because there is data ({unseen} {files}) that the approved version has not "
        f"seen: {execution}",
        *_set_aside(place, failure),
    )


def held(place: Place, failure: Failure, reason: str, held_by: tuple[str, ...]) -> tuple[str, str]:
    """Tell that a batch was refused, and what holds the retraining back."""
    return subject(place, f"batch {failure.batch} drifted, no retraining"), _text(
        f"Batch {failure.batch} was refused: {reason}",
        f"No retraining was begun: {'; '.join(held_by)}.",
        *_set_aside(place, failure),
    )


def malformed(place: Place, failure: Failure, reason: str) -> tuple[str, str]:
    """Tell that a batch isn't a table like the baseline's."""
    return subject(place, f"batch {failure.batch} is malformed"), _text(
        f"Batch {failure.batch} was refused: {reason}",
        "Nothing was retrained: a table of other columns or types says nothing about the world.",
        *_correct(place, failure),
    )


def no_batch(place: Place, failure: Failure) -> tuple[str, str]:
    """Tell that an execution found nothing to score."""
    return subject(place, "no batch waits to be scored"), _text(
        f"{failure.pipeline} looked for a batch to score. {failure.sentence}",
        f"Execution: {failure.execution}",
    )


def alert(place: Place, failure: Failure) -> tuple[str, str]:
    """Tell anything else that went wrong, in the job's own sentence."""
    lines = [f"{failure.pipeline}: {failure.where} failed: {failure.sentence}"]
    if failure.batch:
        lines += [f"Nothing was retrained. Batch {failure.batch} is set aside.", *_correct(place, failure)]
    return subject(place, f"{failure.pipeline}: {failure.where} failed"), _text(
        *lines, f"Execution: {failure.execution}"
    )


def _set_aside(place: Place, failure: Failure) -> list[str]:
    return [
        "The batch is set aside. It is scored by itself once a newer version is approved.",
        f"To let it through now: {_release(place, failure)}",
        *_report(failure),
    ]


def _correct(place: Place, failure: Failure) -> list[str]:
    return [
        "A corrected file is a new batch, under whatever name it arrives.",
        f"To try this one again as it is: {_release(place, failure)}",
        *_report(failure),
    ]


def _release(place: Place, failure: Failure) -> str:
    return f'make release-batch ENV={place.environment} BATCH={failure.batch} REASON="…"'


def _report(failure: Failure) -> list[str]:
    return [f"Report: {failure.monitoring}/report.html"] if failure.monitoring else []


def _text(*lines: str) -> str:
    return "\n\n".join(lines) + "\n"
