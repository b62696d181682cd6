"""The ledger: one object per batch says what became of it, so that each is scored once.

Every change is a conditional write. A batch that arrived and isn't in the ledger is pending; one whose execution
ended and left no record (a lost event) is pending again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from functions.common.context import AccountContext, client, read_json, write_json
from functions.common.failures import BatchUnavailable
from functions.common.objects import Object, at_once, batch_id

PENDING, CLAIMED, SCORED, QUARANTINED, FAILED = "pending", "claimed", "scored", "quarantined", "failed"
"""States of a batch; a pending one has no entry."""

OLDER = {"refused": QUARANTINED, "released": "requeued"}
"""States as entries have them that an earlier release wrote."""

PREFIX = "ledger/"

PROVENANCE, OLDER_PROVENANCE = "provenance.json", "scored-by.json"
"""Name of the object beside a batch's predictions that says which model made them; earlier releases know the other."""


@dataclass(frozen=True)
class Batch:
    """What arrived: its identity, its S3 URL, its objects' keys and versions, when the last one came."""

    id: str
    url: str
    objects: tuple[tuple[str, str], ...]
    arrived: str

    @classmethod
    def of(cls, url: str, objects: list[Object]) -> Batch:
        """Return the batch that the objects below a URL are."""
        return cls(
            batch_id(objects),
            url,
            tuple((item.key, item.version) for item in objects),
            max(item.modified for item in objects).astimezone(UTC).isoformat(timespec="seconds"),
        )


@dataclass(frozen=True)
class Entry:
    """What became of a batch.

    Args:
        batch: what arrived.
        state: claimed, scored, quarantined (drift) or failed (anything else).
        execution: ARN of the execution that holds or held it.
        version: number of the model version it was last tried under.
        enforced: whether drift refuses it.
        verdict: the monitor's verdict, once there is one.
        report: S3 URL of the monitor's files.
        predictions: S3 URL of the scored rows.
        unscored: how many rows among them the model could not read.
        sentence: why it was quarantined or failed.
        requeued: who requeued it, when and why.
        history: earlier states, oldest first.
    """

    batch: Batch
    state: str
    execution: str
    version: int
    enforced: bool = True
    verdict: dict[str, Any] | None = None
    report: str | None = None
    predictions: str | None = None
    unscored: int = 0
    sentence: str | None = None
    requeued: dict[str, str] | None = None
    history: tuple[dict[str, Any], ...] = field(default=())

    def becomes(self, state: str, **changes: Any) -> Entry:
        """Return the entry in another state, with a line of history."""
        entry = replace(self, state=state, **changes)
        line = {"at": now(), "state": state, "execution": entry.execution, "version": entry.version}
        return replace(entry, history=(*self.history, line))

    def is_pending(self, version: int) -> bool:
        """Whether the batch, quarantined or failed before, may be tried under a version."""
        return self.state in (QUARANTINED, FAILED) and (version > self.version or self.requeued is not None)

    def requeue(self, by: str, reason: str) -> Entry:
        """Return the entry of a batch that a person requeues.

        Raises:
            BatchUnavailable: it is neither quarantined nor failed.
        """
        if self.state not in (QUARANTINED, FAILED):
            raise BatchUnavailable(
                f"Batch {self.batch.id} is {self.state}: only one that is quarantined or failed can be requeued."
            )
        requeued = {"by": by, "reason": reason, "at": now()}
        return replace(self, requeued=requeued, history=(*self.history, {"state": "requeued", **requeued}))

    @classmethod
    def parse(cls, value: dict[str, Any]) -> Entry:
        """Read an entry's JSON value."""
        value = dict(value)
        batch, requeued = value["batch"], value.pop("released")
        objects = tuple((key, version) for key, version in batch["objects"])
        history = tuple({**line, "state": OLDER.get(line["state"], line["state"])} for line in value["history"])
        state = OLDER.get(value["state"], value["state"])
        changed = {"batch": Batch(**{**batch, "objects": objects}), "state": state, "history": history}
        return cls(**{**value, **changed}, requeued=requeued)

    def value(self) -> dict[str, Any]:
        """Return the entry's JSON value; `requeued` keeps the name under which an earlier release reads it."""
        value = asdict(self)
        requeued = value.pop("requeued")
        return {**value, "released": requeued}


def now() -> str:
    """Return this moment in UTC as ISO 8601 text."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def claim(entry: Entry | None, batch: Batch, execution: str, version: int, held: bool, asked: bool) -> Entry:
    """Return the entry with which an execution takes a batch: the ledger's one rule.

    Args:
        entry: the batch's entry, or None.
        batch: what is to be scored.
        execution: ARN of the execution that asks.
        version: number of the approved version.
        held: whether the execution that the entry names still has the batch.
        asked: whether the batch was asked for by name: a failed one is tried again only then, or under a
            newer version, or requeued.

    Raises:
        BatchUnavailable: it may not have it.
    """
    if entry is None:
        return Entry(batch, "", execution, version).becomes(CLAIMED)
    if entry.state == SCORED:
        raise BatchUnavailable(f"Batch {batch.id} is scored already, by version {entry.version}.")
    if entry.state == CLAIMED:
        if entry.execution == execution:
            return entry
        if held:
            raise BatchUnavailable(f"Batch {batch.id} is being scored by {entry.execution}.")
        return entry.becomes(CLAIMED, execution=execution, version=version)
    if entry.state == QUARANTINED:
        if not entry.is_pending(version):
            raise BatchUnavailable(
                f"Batch {batch.id} was quarantined under version {entry.version}: it stays so until a newer version is "
                f"approved, or a person requeues it."
            )
        return entry.becomes(CLAIMED, execution=execution, version=version, enforced=False)
    if not (entry.is_pending(version) or asked):
        raise BatchUnavailable(f"Batch {batch.id} failed under version {entry.version}: {entry.sentence}")
    # A person overrides what the monitor found; of what failed otherwise nobody knows yet what it will say.
    enforced = entry.enforced and not (entry.requeued and entry.verdict)
    return entry.becomes(CLAIMED, execution=execution, version=version, enforced=enforced)


def key(batch: str) -> str:
    """Return the key of a batch's entry."""
    return f"{PREFIX}{batch}.json"


def read(context: AccountContext, batch: str) -> tuple[Entry | None, str | None]:
    """Return a batch's entry and the ETag to change it with; None and None when there is none."""
    found = read_json(context.data_bucket, key(batch))
    return (Entry.parse(found[0]), found[1]) if found else (None, None)


def write(context: AccountContext, entry: Entry, etag: str | None) -> None:
    """Write an entry that is new (no ETag) or unchanged since it was read.

    Raises:
        LostRace: somebody else was first.
    """
    write_json(context.data_bucket, key(entry.batch.id), entry.value(), etag)


def listed(context: AccountContext) -> list[tuple[str, datetime]]:
    """Return the identities of all batches that have an entry, and when each entry was written."""
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=context.data_bucket, Prefix=PREFIX)
    found = (item for page in pages for item in page.get("Contents", []))
    return [(item["Key"].removeprefix(PREFIX).removesuffix(".json"), item["LastModified"]) for item in found]


def entries(context: AccountContext) -> Iterator[Entry]:
    """Give every entry, the one that arrived last first."""
    keys = [key(batch) for batch, _ in listed(context)]
    values = at_once(lambda key: read_json(context.data_bucket, key), keys)
    found = [Entry.parse(value[0]) for value in values if value]
    yield from sorted(found, key=lambda entry: entry.batch.arrived, reverse=True)
