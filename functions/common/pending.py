"""The batch that is pending next: whoever is done with one begins the next."""

from __future__ import annotations

import hashlib

from functions.common import ledger
from functions.common.batches import NEWEST, arrivals
from functions.common.context import AccountContext, client

NEXT = "next-"
"""How the display names of executions begin that were started for a pending batch."""


def begin_next(context: AccountContext, version: int) -> None:
    """Start an execution for the next pending batch: an approval is one event for all that are withheld.

    A batch is begun once for each version, however often it is found pending.
    """
    for batch in arrivals(context):
        entry, _ = ledger.read(context, batch.id)
        if entry is None or entry.is_pending(version):
            token = hashlib.sha256(f"{batch.id} {version}".encode()).hexdigest()
            client("sagemaker").start_pipeline_execution(
                PipelineName=context.pipeline("inference"),
                PipelineParameters=[{"Name": "BatchDataUrl", "Value": NEWEST}],
                PipelineExecutionDisplayName=f"{NEXT}{batch.id}"[:82].rstrip("-"),
                PipelineExecutionDescription=f"Batch {batch.id} is pending.",
                ClientRequestToken=token,
            )
            return
