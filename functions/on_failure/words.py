"""What people are told: a subject and a text per outcome, without any row's values."""

from __future__ import annotations

from functions.common.batches import GROUND_TRUTH, LABELLED
from functions.common.notify import subject
from functions.common.place import Place
from functions.common.registry import version_of
from functions.on_failure.execution import Failure


def retraining(place: Place, failure: Failure, reason: str, execution: str, unseen: int) -> tuple[str, str]:
    """Tell that a batch was refused or a model has become worse, and that a retraining has begun."""
    files = "1 file" if unseen == 1 else f"{unseen} files"
    return subject(place, f"{_short(failure)}, retraining has begun"), _text(
        _found(failure, reason),
        f"Retraining has begun, because there is data below {LABELLED} ({files}) that the approved version has not "
        f"seen: {execution}",
        *_meanwhile(place, failure),
    )


def held(place: Place, failure: Failure, reason: str, held_by: tuple[str, ...]) -> tuple[str, str]:
    """Tell that a batch was refused or a model has become worse, and what holds the retraining back."""
    return subject(place, f"{_short(failure)}, no retraining"), _text(
        _found(failure, reason),
        f"No retraining was begun: {'; '.join(held_by)}.",
        *_meanwhile(place, failure),
    )


def because(failure: Failure) -> str:
    """Return why a retraining is begun, as the new version carries it."""
    if failure.batch:
        return f"Drift in batch {failure.batch}"
    return f"Version {_version(failure)} judged by {failure.labels}"


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
    lines = [failure.sentence]
    if failure.batch:
        lines += [f"Nothing was retrained. Batch {failure.batch} is set aside.", *_correct(place, failure)]
    elif failure.labels:
        lines += [
            "Nothing was retrained: whether the model has become worse isn't known.",
            f"Every judgement reads all labels below s3://{place.data_bucket}/{GROUND_TRUTH}. If a file there is at "
            "fault, each later one fails as well, until the file is overwritten with a corrected one or deleted.",
        ]
    part = failure.pipeline.removeprefix(f"{place.project}-")
    return subject(place, f"{part}: {failure.where} failed"), _text(*lines, f"Execution: {failure.execution}")


def _version(failure: Failure) -> int:
    return version_of(failure.package or "")


def _short(failure: Failure) -> str:
    return f"batch {failure.batch} drifted" if failure.batch else f"version {_version(failure)} has become worse"


def _found(failure: Failure, reason: str) -> str:
    if failure.batch:
        return f"Batch {failure.batch} was refused: {reason}"
    return f"Version {_version(failure)} was judged by the labels of scored batches that have arrived. {reason}"


def _meanwhile(place: Place, failure: Failure) -> list[str]:
    if not failure.batch:
        return [f"Version {_version(failure)} scores until a newer one is approved.", *_report(failure)]
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
