"""Entry point of `mammography-record`: a scored batch goes into the ledger, and the next one is begun."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from functions.common import contract, ledger, notify, pending, recent, registry
from functions.common.context import AccountContext, LostRace, client, put_json, read_json, split
from functions.common.failures import BatchChanged, BatchUnavailable, NothingScored, remembered
from functions.common.objects import list_objects

SCORED = "scored"
LOG = logging.getLogger(__name__)
UNSCORED = b"nan"
"""What the model answers for a row that it can't read."""
PIECE_BYTES = 1 << 20


@remembered
def handle(event: dict) -> dict[str, str]:
    """Record where a batch's predictions lie, in the ledger, and which model made them, beside them.

    Args:
        event: {"batch_id", "execution_arn", "model_package_arn", "monitoring", "predictions"}; the last two
            are S3 URLs of what the Monitor and Transform steps wrote.

    Returns:
        {"State": "scored"}

    Raises:
        BatchUnavailable: another execution holds the batch.
        BatchChanged: its objects aren't those that were claimed.
        NothingScored: the model could read none of its rows.
    """
    context = AccountContext.here()
    entry, etag = ledger.read(context, event["batch_id"])
    if entry is None or entry.execution != event["execution_arn"]:
        raise BatchUnavailable(f"Batch {event['batch_id']} isn't held by this execution.")
    version = registry.version_of(event["model_package_arn"])
    if entry.state != ledger.SCORED:
        _require_unchanged(entry)
        rows, unscored = _count(event["predictions"])
        if rows == unscored:
            raise NothingScored(f"Batch {entry.batch.id}: none of its {rows} rows could be read by version {version}.")
        verdict = read_json(*split(f"{event['monitoring']}/{contract.VERDICT_FILE}"))
        scored = entry.becomes(
            ledger.SCORED,
            version=version,
            verdict=verdict[0] if verdict else None,
            report=event["monitoring"],
            predictions=event["predictions"],
            unscored=unscored,
        )
        _write_provenance(context, scored, event)
        pending.mark_scored(context, scored)
        try:
            ledger.write(context, scored, etag)
        except LostRace:
            raise BatchUnavailable(f"Batch {entry.batch.id} was changed by another execution.") from None
        if unscored:
            _afterwards(_notify, context, entry.batch.id, rows, unscored)
        _afterwards(recent.note, context, scored)
    _afterwards(pending.unmark, context, entry.batch)
    _afterwards(pending.begin_next, context, version)
    return {"State": SCORED}


def _afterwards(act: Callable[..., None], *arguments: Any) -> None:
    """Do what comes after the ledger says that the batch is scored: whatever happens to it, the batch stays scored."""
    try:
        act(*arguments)
    except Exception:
        # What is pending is found again by the next batch, or by the schedule.
        LOG.exception("%s failed after the batch was recorded", act.__name__)


def _count(url: str) -> tuple[int, int]:
    """Return how many rows predictions have, and how many of them are none."""
    bucket, _ = split(url)
    rows = unscored = 0
    for item in list_objects(f"{url}/"):
        body = client("s3").get_object(Bucket=bucket, Key=item.key)["Body"]
        for line in body.iter_lines(PIECE_BYTES):
            rows += 1
            unscored += line == UNSCORED
    return rows, unscored


def _write_provenance(context: AccountContext, entry: ledger.Entry, event: dict) -> None:
    """Whoever finds the predictions needs no ledger to know their model and their rows."""
    value = {
        "model_package_arn": event["model_package_arn"],
        "version": entry.version,
        "execution_arn": entry.execution,
        "predictions": entry.predictions,
        "unscored": entry.unscored,
        "batch": {"id": entry.batch.id, "url": entry.batch.url, "objects": list(map(list, entry.batch.objects))},
    }
    # An earlier release, rolled back to, looks for the older name: it goes with the next release.
    for name in (ledger.PROVENANCE, ledger.OLDER_PROVENANCE):
        put_json(context.data_bucket, context.run(entry.execution, name), value)


def _notify(context: AccountContext, batch: str, rows: int, unscored: int) -> None:
    """Tell people that a batch was scored in part: nobody looks for `nan` among the predictions."""
    notify.publish(
        context,
        notify.subject(context, f"batch {batch} was scored in part"),
        f"The model could not read {unscored} of the {rows} rows of batch {batch}; their predictions are `nan`. "
        "The transform job's log names rows and columns.\n",
    )


def _require_unchanged(entry: ledger.Entry) -> None:
    """Jobs read keys, not versions: what was scored is what was claimed only if nothing was overwritten."""
    current = tuple((item.key, item.version) for item in list_objects(entry.batch.url))
    if current != entry.batch.objects:
        raise BatchChanged(f"Batch {entry.batch.id} was overwritten at {entry.batch.url} while it was scored.")
