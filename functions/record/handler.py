"""Entry point of `mammography-record`: a scored batch goes into the ledger, and the next one is begun."""

from __future__ import annotations

import hashlib

from functions.common import ledger, registry
from functions.common.batches import NEWEST, arrivals
from functions.common.failures import BatchChanged, BatchRefused, remembered
from functions.common.objects import list_objects
from functions.common.place import LostRace, Place, client, put_json, read_json, split

SCORED = "scored"
BESIDE = "scored-by.json"
"""Name of the object beside the predictions that says which model made them."""


@remembered
def handle(event: dict) -> dict[str, str]:
    """Record where a batch's predictions lie, in the ledger, and which model made them, beside them.

    Args:
        event: {"batch_id", "execution_arn", "model_package_arn", "monitoring", "predictions"}; the last two
            are S3 URLs of what the Monitor and Transform steps wrote.

    Returns:
        {"State": "scored"}

    Raises:
        BatchRefused: another execution holds the batch.
        BatchChanged: its objects aren't those that were claimed.
    """
    place = Place.here()
    entry, etag = ledger.read(place, event["batch_id"])
    if entry is None or entry.execution != event["execution_arn"]:
        raise BatchRefused(f"Batch {event['batch_id']} isn't held by this execution.")
    version = registry.version_of(event["model_package_arn"])
    if entry.state != ledger.SCORED:
        _require_unchanged(entry)
        verdict = read_json(*split(f"{event['monitoring']}/verdict.json"))
        scored = entry.becomes(
            ledger.SCORED,
            version=version,
            verdict=verdict[0] if verdict else None,
            report=event["monitoring"],
            predictions=event["predictions"],
        )
        _say_which_model(place, scored, event)
        try:
            ledger.write(place, scored, etag)
        except LostRace:
            raise BatchRefused(f"Batch {entry.batch.id} was changed by another execution.") from None
    _begin_next(place, version)
    return {"State": SCORED}


def _say_which_model(place: Place, entry: ledger.Entry, event: dict) -> None:
    """Whoever finds the predictions needs no ledger to know their model and their rows."""
    value = {
        "model_package_arn": event["model_package_arn"],
        "version": entry.version,
        "execution_arn": entry.execution,
        "predictions": entry.predictions,
        "batch": {"id": entry.batch.id, "url": entry.batch.url, "objects": list(map(list, entry.batch.objects))},
    }
    put_json(place.data_bucket, place.run(entry.execution, BESIDE), value)


def _require_unchanged(entry: ledger.Entry) -> None:
    """Jobs read keys, not versions: what was scored is what was claimed only if nothing was overwritten."""
    current = tuple((item.key, item.version) for item in list_objects(entry.batch.url))
    if current != entry.batch.objects:
        raise BatchChanged(f"Batch {entry.batch.id} was overwritten at {entry.batch.url} while it was scored.")


def _begin_next(place: Place, version: int) -> None:
    """Start an execution for the next batch that waits: an approval is one event for all set aside."""
    for batch in arrivals(place):
        entry, _ = ledger.read(place, batch.id)
        waits = entry is None or (
            entry.state in (ledger.REFUSED, ledger.FAILED) and (version > entry.version or entry.released)
        )
        if waits:
            token = hashlib.sha256(f"{batch.id} {version}".encode()).hexdigest()
            client("sagemaker").start_pipeline_execution(
                PipelineName=place.pipeline("inference"),
                PipelineParameters=[{"Name": "BatchDataUrl", "Value": NEWEST}],
                PipelineExecutionDescription=f"Batch {batch.id} waits.",
                ClientRequestToken=token,
            )
            return
