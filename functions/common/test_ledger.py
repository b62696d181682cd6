from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from functions.common import ledger
from functions.common.context import LostRace
from functions.common.failures import BatchUnavailable
from functions.common.ledger import CLAIMED, FAILED, QUARANTINED, SCORED, Batch, Entry, claim

BATCH = Batch("shifted-0123456789ab", "s3://b/data/batches/shifted.csv", (("shifted.csv", "v1"),), "2026-01-01T00:00")
HOLDER, ASKER = "arn:holder", "arn:asker"
REQUEUED = {"by": "a person", "reason": "looked at it", "at": "2026-01-02T00:00:00+00:00"}


def entry(state, version=3, **more):
    return Entry(BATCH, state, HOLDER, version, **more)


TAKEN = [
    # entry, approved version, whether the holder runs, asked for by name, enforced afterwards
    pytest.param(None, 3, False, False, True, id="one that arrived"),
    pytest.param(entry(CLAIMED), 3, False, False, True, id="one whose holder ended without a word"),
    pytest.param(entry(CLAIMED), 4, False, False, True, id="the same under a newer version"),
    pytest.param(entry(QUARANTINED), 4, False, False, False, id="quarantined, newer version"),
    pytest.param(entry(QUARANTINED, requeued=REQUEUED), 3, False, False, False, id="quarantined, requeued"),
    pytest.param(entry(FAILED), 4, False, False, True, id="failed, newer version"),
    pytest.param(entry(FAILED, requeued=REQUEUED), 3, False, False, True, id="failed, requeued"),
    pytest.param(
        entry(FAILED, requeued=REQUEUED, verdict={"malformed": True}),
        3,
        False,
        False,
        False,
        id="malformed, requeued",
    ),
    pytest.param(entry(FAILED, verdict={"malformed": True}), 4, False, False, True, id="malformed, newer version"),
    pytest.param(entry(FAILED), 3, False, True, True, id="failed, asked for by name"),
    pytest.param(entry(FAILED, enforced=False), 4, False, False, False, id="quarantined once, then failed"),
]
HELD = [
    pytest.param(entry(SCORED), 3, False, True, "is scored already, by version 3.", id="scored"),
    pytest.param(entry(SCORED), 4, False, True, "is scored already, by version 3.", id="scored, newer version"),
    pytest.param(entry(CLAIMED), 4, True, True, f"is being scored by {HOLDER}.", id="its holder runs"),
    pytest.param(entry(QUARANTINED), 3, False, True, "it stays so until a newer version is approved", id="quarantined"),
    pytest.param(entry(QUARANTINED), 2, False, True, "was quarantined under version 3", id="older version"),
    pytest.param(
        entry(FAILED, sentence="The disk was full."), 3, False, False, "failed under version 3: The disk was full.",
        id="failed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("before", "version", "runs", "asked", "enforced"), TAKEN)
def test_a_batch_is_taken(before, version, runs, asked, enforced):
    taken = claim(before, BATCH, ASKER, version, runs, asked)
    assert (taken.state, taken.execution, taken.version, taken.enforced) == (CLAIMED, ASKER, version, enforced)
    assert {"state": CLAIMED, "execution": ASKER, "version": version}.items() <= taken.history[-1].items()
    assert taken.history[:-1] == (before.history if before else ())


@pytest.mark.parametrize(("before", "version", "runs", "asked", "sentence"), HELD)
def test_a_batch_is_not_taken(before, version, runs, asked, sentence):
    with pytest.raises(BatchUnavailable, match=BATCH.id) as refused:
        claim(before, BATCH, ASKER, version, runs, asked)
    assert sentence in str(refused.value)


def test_an_execution_that_asks_again_keeps_its_batch():
    held = entry(CLAIMED)
    assert claim(held, BATCH, HOLDER, 4, True, False) is held


@pytest.mark.parametrize("state", [QUARANTINED, FAILED])
def test_a_person_requeues_what_is_quarantined(state):
    requeued = entry(state).requeue("a person", "looked at it")
    assert (requeued.state, requeued.requeued["by"], requeued.requeued["reason"]) == (state, "a person", "looked at it")
    assert requeued.history[-1]["state"] == "requeued"


@pytest.mark.parametrize("state", [CLAIMED, SCORED])
def test_a_person_cannot_requeued_what_is_not_quarantined(state):
    with pytest.raises(BatchUnavailable, match=f"is {state}: only one that is quarantined or failed can be requeued"):
        entry(state).requeue("a person", "looked at it")


def test_an_entry_comes_back_from_the_bucket_as_it_was(context):
    full = entry(QUARANTINED, verdict={"drift": True}, report="s3://r", sentence="Drift.", requeued=REQUEUED)
    full = full.becomes(CLAIMED)
    ledger.write(context, full, None)
    assert ledger.read(context, BATCH.id)[0] == full


def test_there_is_no_entry_before_the_first(context):
    assert ledger.read(context, BATCH.id) == (None, None)
    assert list(ledger.entries(context)) == []


def test_an_entry_that_changed_is_not_overwritten(context):
    ledger.write(context, entry(CLAIMED), None)
    read, etag = ledger.read(context, BATCH.id)
    ledger.write(context, read.becomes(SCORED), etag)
    with pytest.raises(LostRace):
        ledger.write(context, read.becomes(QUARANTINED), etag)
    assert ledger.read(context, BATCH.id)[0].state == SCORED


def test_of_many_claimers_at_once_one_wins(context):
    barrier = Barrier(8)

    def take(number):
        barrier.wait()
        try:
            ledger.write(context, claim(None, BATCH, f"arn:{number}", 1, False, False), None)
        except LostRace:
            return None
        return f"arn:{number}"

    with ThreadPoolExecutor(8) as pool:
        winners = [name for name in pool.map(take, range(8)) if name]
    assert winners == [ledger.read(context, BATCH.id)[0].execution]


def test_entries_come_with_the_last_arrival_first(context):
    for number, arrived in enumerate(("2026-01-02", "2026-01-03", "2026-01-01")):
        batch = replace(BATCH, id=f"batch-{number}", arrived=arrived)
        ledger.write(context, replace(entry(CLAIMED), batch=batch), None)
    assert [item.batch.id for item in ledger.entries(context)] == ["batch-1", "batch-0", "batch-2"]
