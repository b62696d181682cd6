"""What the gate needs to know, asked of the account and the registry."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import islice

from functions.common import registry
from functions.common.batches import LABELLED
from functions.common.context import RUNNING, AccountContext, client, read_json, write_json
from functions.common.objects import contents, training_set
from functions.on_failure.execution import Failure
from functions.on_failure.gate import Facts, Start

HISTORY = "retrain/history.json"
VERSIONS_LOOKED_AT = 20


def read_history(context: AccountContext) -> tuple[list[Start], str | None]:
    """Return the retrainings begun so far, oldest first, and the ETag to change the record with."""
    found = read_json(context.data_bucket, HISTORY)
    if found is None:
        return [], None
    value, etag = found
    return [_start(**start) for start in value["starts"]], etag


def _start(batch: str, cause: str, at: str, execution: str | None) -> Start:
    """Read a line of the record, which calls the reason `batch`: earlier releases know no other."""
    return Start(batch, cause, datetime.fromisoformat(at), execution)


def write_history(context: AccountContext, starts: list[Start], etag: str | None) -> str:
    """Write the record, which must be unchanged since it was read; return its new ETag.

    This conditional write is the gate's lock: of two invocations that decide at once, one has to look again.

    Raises:
        LostRace: it has changed.
    """
    value = {
        "starts": [
            {"batch": start.reason, "cause": start.cause, "at": start.at.isoformat(), "execution": start.execution}
            for start in starts
        ]
    }
    return write_json(context.data_bucket, HISTORY, value, etag)


def gather(context: AccountContext, failure: Failure, starts: list[Start]) -> Facts:
    """Return the facts of this moment about a failure that asks for a retraining."""
    executions = client("sagemaker").list_pipeline_executions(
        PipelineName=context.pipeline("train"), SortBy="CreationTime", SortOrder="Descending", MaxResults=100
    )["PipelineExecutionSummaries"]
    unseen, learned_by = _labelled(context)
    return Facts(
        now=datetime.now(UTC),
        reason=failure.identity,
        subject="this batch" if failure.batch else "this ground truth",
        cause=failure.execution,
        enabled=os.environ["RETRAIN_ENABLED"] == "true",
        cooldown=timedelta(hours=float(os.environ["RETRAIN_COOLDOWN_HOURS"])),
        daily_cap=int(os.environ["RETRAIN_DAILY_CAP"]),
        running=[e["PipelineExecutionArn"] for e in executions if e["PipelineExecutionStatus"] in RUNNING],
        last_training=max((e["StartTime"] for e in executions), default=None),
        starts=starts,
        unseen_files=unseen,
        learned_by=learned_by,
    )


def _labelled(context: AccountContext) -> tuple[int, str | None]:
    """Return how many objects below data/labelled/ the champion has not seen, and which version saw exactly these."""
    present = set(contents(f"s3://{context.data_bucket}/{LABELLED}").values())
    champion = registry.champion(context)
    seen = (registry.seen_contents(champion) if champion else None) or set()
    unseen = len(present - seen)
    if not unseen:
        return 0, None
    identity = training_set(present)
    for summary in islice(registry.packages(context), VERSIONS_LOOKED_AT):
        package = registry.describe(summary["ModelPackageArn"])
        if package.get("CustomerMetadataProperties", {}).get("TrainingSet") == identity:
            status = package["ModelApprovalStatus"]
            standing = "which waits for approval" if status == "PendingManualApproval" else status.lower()
            return unseen, f"version {package['ModelPackageVersion']} ({standing})"
    return unseen, None
