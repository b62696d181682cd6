"""The ledger's index: which batches are pending, in one listing, however many have been scored.

A batch's mark is an object below index/pending/, from its arrival until its predictions are recorded. Its key begins
with the version under which the batch is withheld, 0 for one that any version may score, so that the first page of
one listing holds what an approved version may score: what has arrived, the newest first, then what was withheld.

A mark only says where to look; the entry in the ledger decides. So a mark is made before the change that it stands
for and removed after it, and one that is out of date is put right by whoever comes upon it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from functions.common import ledger, recent
from functions.common.batches import SMOKE_TESTS, arrivals, is_arrival
from functions.common.context import AccountContext, LostRace, client, put_json, read_json, split, write_json
from functions.common.ledger import Batch, Entry
from functions.common.objects import at_once

PREFIX = "index/pending/"
SCORED = "index/scored/"
"""Below it, what each version has scored: labels are only ever about the approved one's batches."""

PROGRESS = "index/reconciled.json"
"""Up to which change of the ledger the marks are known to agree with it."""

PAGE = 1000
"""Marks of one listing, and entries that are read before progress is recorded."""

RECONCILING_SECONDS = 60
"""How long one invocation reads older entries; the next one carries on."""

LAST_SECOND = 9_999_999_999
NEXT = "next-"
"""How the display names of executions begin that were started for a pending batch."""


@dataclass(frozen=True)
class Mark:
    """What the index says of a batch: its key, the version it is withheld under (0: none) and its identity."""

    key: str
    version: int
    batch: str


def mark(context: AccountContext, batch: Batch, version: int = 0) -> None:
    """Mark a batch as pending for versions above `version`; what isn't an arrival of its own has no mark."""
    if is_arrival(split(batch.url)[1]):
        put_json(context.data_bucket, _key(batch, version), {"url": batch.url})


def unmark(context: AccountContext, batch: Batch, version: int = 0) -> None:
    """Remove a batch's mark."""
    if is_arrival(split(batch.url)[1]):
        client("s3").delete_object(Bucket=context.data_bucket, Key=_key(batch, version))


def marks(context: AccountContext, version: int) -> list[Mark]:
    """Return the marks of what a version may score, in the order in which it is to be scored: one listing."""
    found = client("s3").list_objects_v2(Bucket=context.data_bucket, Prefix=PREFIX, MaxKeys=PAGE)
    listed = (_mark(item["Key"]) for item in found.get("Contents", []))
    return [item for item in listed if item.version < version]


def url_of(context: AccountContext, item: Mark) -> str | None:
    """Return where a marked batch lies, or None when its mark is gone."""
    found = read_json(context.data_bucket, item.key)
    return found[0]["url"] if found else None


def correct(context: AccountContext, item: Mark, entry: Entry | None) -> None:
    """Make a mark agree with its batch's entry; without one, the batch is no longer there as it was marked."""
    wanted = None if entry is None else _version(entry)
    if wanted == item.version:
        return
    if entry is not None and wanted is not None:
        mark(context, entry.batch, wanted)
    client("s3").delete_object(Bucket=context.data_bucket, Key=item.key)


def begin_next(context: AccountContext, version: int) -> None:
    """Start an execution for the next pending batch: an approval is one event for all that are withheld.

    A batch is begun once for each version, however often it is found pending.
    """
    for item in marks(context, version):
        entry, _ = ledger.read(context, item.batch)
        if entry is not None and not entry.is_pending(version):
            correct(context, item, entry)
            continue
        url = url_of(context, item)
        if url is None:
            continue
        client("sagemaker").start_pipeline_execution(
            PipelineName=context.pipeline("inference"),
            PipelineParameters=[{"Name": "BatchDataUrl", "Value": split(url)[1]}],
            PipelineExecutionDisplayName=f"{NEXT}{item.batch}"[:82].rstrip("-"),
            PipelineExecutionDescription=f"Batch {item.batch} is pending.",
            ClientRequestToken=hashlib.sha256(f"{item.batch} {version}".encode()).hexdigest(),
        )
        return


def mark_scored(context: AccountContext, entry: Entry) -> None:
    """Note that a version has scored a batch, unless the batch only tried a release."""
    if not split(entry.batch.url)[1].startswith(SMOKE_TESTS):
        put_json(context.data_bucket, f"{SCORED}{entry.version:08}/{entry.batch.id}", {})


def scored(context: AccountContext, version: int | None = None) -> Iterator[str]:
    """Give the batches that a version, or any, is noted to have scored; the ledger has the last word."""
    prefix = SCORED if version is None else f"{SCORED}{version:08}/"
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=context.data_bucket, Prefix=prefix)
    yield from (item["Key"].rsplit("/", 1)[1] for page in pages for item in page.get("Contents", []))


def reconcile(context: AccountContext) -> None:
    """Mark what the index missed: arrivals whose event was lost, and entries that changed without it."""
    known = {batch for batch, _ in ledger.listed(context)}
    at_once(lambda batch: mark(context, batch), [batch for batch in arrivals(context) if batch.id not in known])
    bring_over(context)


def bring_over(context: AccountContext) -> bool:
    """Note in the index what changed in the ledger without it, as under a release that had none.

    Only entries are read that have changed since the last time. Returns False when there are more of them than
    RECONCILING_SECONDS are enough for: the next time carries on.
    """
    until = time.monotonic() + RECONCILING_SECONDS
    progress = read_json(context.data_bucket, PROGRESS)
    since = datetime.fromisoformat(progress[0]["since"]) if progress else datetime.fromtimestamp(0, UTC)
    etag = progress[1] if progress else None
    changed = sorted((changed, batch) for batch, changed in ledger.listed(context) if changed >= since)
    for start in range(0, len(changed), PAGE):
        part = changed[start : start + PAGE]
        entries = at_once(lambda one: _mark_entry(context, one[1]), part)
        for entry in [entry for entry in entries if entry and entry.verdict][-recent.LAST :]:
            recent.note(context, entry)
        try:
            etag = write_json(context.data_bucket, PROGRESS, {"since": part[-1][0].isoformat()}, etag)
        except LostRace:
            return False
        if time.monotonic() > until and start + PAGE < len(changed):
            return False
    return True


def _mark_entry(context: AccountContext, batch: str) -> Entry | None:
    """Mark the batch of an entry, if it is pending for any version; return the entry."""
    entry, _ = ledger.read(context, batch)
    if entry is not None:
        version = _version(entry)
        if version is None:
            mark_scored(context, entry)
        else:
            mark(context, entry.batch, version)
    return entry


def _version(entry: Entry) -> int | None:
    """Return the version that an entry's mark has, or None where it has none."""
    if entry.state == ledger.SCORED:
        return None
    return 0 if entry.state == ledger.CLAIMED or entry.requeued else entry.version


def _key(batch: Batch, version: int) -> str:
    """Return a mark's key: S3 lists by name, and the newest comes first."""
    arrived = int(datetime.fromisoformat(batch.arrived).timestamp())
    return f"{PREFIX}{version:08}/{LAST_SECOND - arrived:010}-{batch.id}"


def _mark(key: str) -> Mark:
    version, _, rest = key.removeprefix(PREFIX).partition("/")
    return Mark(key, int(version), rest.partition("-")[2])
