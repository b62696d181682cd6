"""What was found of the last batches, for the monitor's report to compare with: a copy beside the ledger.

A job downloads the whole prefix that it is given, and the ledger has every batch there ever was.
"""

from __future__ import annotations

from datetime import datetime

from functions.common.context import AccountContext, client, put_json
from functions.common.ledger import Entry, now

PREFIX = "index/recent/"
CLAIMED = f"{PREFIX}claimed.json"
"""An object that says nothing, so that the prefix is never empty: SageMaker refuses an input without objects."""

LAST = 30
"""As many as the monitor's report shows."""

LAST_SECOND = 9_999_999_999


def note(context: AccountContext, entry: Entry) -> None:
    """Add what was found of a batch, if anything was, and remove what is older than the last LAST."""
    if not entry.verdict:
        return
    at = int(datetime.fromisoformat(entry.history[-1]["at"] if entry.history else now()).timestamp())
    put_json(context.data_bucket, f"{PREFIX}{LAST_SECOND - at:010}-{entry.batch.id}.json", {"verdict": entry.verdict})
    found = client("s3").list_objects_v2(Bucket=context.data_bucket, Prefix=PREFIX).get("Contents", [])
    for item in [item for item in found if item["Key"] != CLAIMED][LAST:]:
        client("s3").delete_object(Bucket=context.data_bucket, Key=item["Key"])


def never_empty(context: AccountContext) -> None:
    """See to it that the prefix has an object."""
    put_json(context.data_bucket, CLAIMED, {})
