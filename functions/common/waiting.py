"""The batch that waits next: whoever is done with one begins the next."""

from __future__ import annotations

import hashlib

from functions.common import ledger
from functions.common.batches import NEWEST, arrivals
from functions.common.place import Place, client

NEXT = "next-"
"""How the display names of executions begin that were started for a batch that waited."""


def begin_next(place: Place, version: int) -> None:
    """Start an execution for the next batch that waits: an approval is one event for all that are set aside.

    A batch is begun once for each version, however often it is found waiting.
    """
    for batch in arrivals(place):
        entry, _ = ledger.read(place, batch.id)
        if entry is None or entry.waits(version):
            token = hashlib.sha256(f"{batch.id} {version}".encode()).hexdigest()
            client("sagemaker").start_pipeline_execution(
                PipelineName=place.pipeline("inference"),
                PipelineParameters=[{"Name": "BatchDataUrl", "Value": NEWEST}],
                PipelineExecutionDisplayName=f"{NEXT}{batch.id}"[:82].rstrip("-"),
                PipelineExecutionDescription=f"Batch {batch.id} waits.",
                ClientRequestToken=token,
            )
            return
