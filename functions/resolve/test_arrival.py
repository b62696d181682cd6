"""An execution that an arrival started scores that batch, and what can't be scored yet stays pending."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from functions.common import ledger, pending
from functions.common.failures import NoApprovedModel, NoPendingBatch
from functions.common.test_pending import counted
from functions.resolve import test_batch
from functions.resolve.test_batch import ask, running

ready = test_batch.ready
FIRST, SECOND = "data/batches/first.csv", "data/batches/second.csv"


def stem(found):
    return found["BatchId"].rsplit("-", 1)[0]


def marked(world, version=99):
    return [mark.batch.rsplit("-", 1)[0] for mark in pending.marks(world.context, version)]


@contextlib.contextmanager
def unapproved(world):
    """While no version is approved."""
    change = world.registry("sagemaker").update_model_package
    change(ModelPackageArn=world.package, ModelApprovalStatus="Rejected")
    yield
    change(ModelPackageArn=world.package, ModelApprovalStatus="Approved")


def test_the_key_that_arrived_is_claimed_whatever_else_is_pending(ready):
    ready.put(SECOND)
    assert stem(ask(ready, FIRST, running(ready))) == "first"
    assert stem(ask(ready, SECOND, running(ready))) == "second"


def test_of_batches_that_arrive_together_each_execution_has_its_own(ready):
    keys = [FIRST, *(f"data/batches/more-{number}.csv" for number in range(3))]
    for key in keys[1:]:
        ready.put(key)
    ready.pipeline("inference", ready.waiting())
    executions, barrier = [ready.start("inference") for _ in keys], Barrier(len(keys))

    def take(key, execution):
        barrier.wait()
        return ask(ready, key, execution)["BatchDataUrl"]

    with ThreadPoolExecutor(len(keys)) as pool:
        taken = list(pool.map(take, keys, executions))
    assert [url.partition(f"{ready.context.data_bucket}/")[2] for url in taken] == keys


def test_an_event_that_comes_twice_claims_once_and_then_what_else_is_pending(ready):
    ask(ready, FIRST, running(ready))
    with pytest.raises(NoPendingBatch):
        ask(ready, FIRST, running(ready))
    ready.put(SECOND)
    with unapproved(ready), pytest.raises(NoApprovedModel):
        ask(ready, SECOND, running(ready))
    assert stem(ask(ready, FIRST, running(ready))) == "second"


def test_what_arrives_before_a_model_is_approved_is_scored_after(world):
    for key in (FIRST, SECOND):
        world.put(key)
    world.act_as("resolve")
    for key in (FIRST, SECOND):
        with pytest.raises(NoApprovedModel):
            ask(world, key)
    assert sorted(marked(world)) == ["first", "second"]
    world.version()
    with counted() as calls:
        assert stem(ask(world, execution=running(world))) in ("first", "second")
    # The index, and the versions of the one batch that is taken.
    assert (calls.count("ListObjectsV2"), calls.count("ListObjectVersions")) == (1, 1)


def test_an_overwritten_batch_is_the_one_that_lies_there_now(ready):
    with unapproved(ready), pytest.raises(NoApprovedModel):
        ask(ready, FIRST)
    (before,) = pending.marks(ready.context, 1)
    ready.put(FIRST, b"43,1,1,3\n")
    found = ask(ready, execution=running(ready))
    assert stem(found) == "first" and found["BatchId"] != before.batch
    assert [mark.batch for mark in pending.marks(ready.context, 1)] == [found["BatchId"]]


def test_a_deleted_batch_is_no_longer_pending(ready):
    with unapproved(ready), pytest.raises(NoApprovedModel):
        ask(ready, FIRST)
    ready.prod("s3").delete_object(Bucket=ready.context.data_bucket, Key=FIRST)
    with pytest.raises(NoPendingBatch):
        ask(ready, FIRST, running(ready))
    assert marked(ready) == []


@pytest.mark.parametrize("key", ["data/batches/folder/part-1.csv", "data/batches/folder/"])
def test_what_arrives_in_a_folder_is_no_batch(ready, key):
    ready.put(key)
    with pytest.raises(NoPendingBatch):
        ask(ready, key)
    assert marked(ready) == []


def test_a_claimed_batch_stays_marked_and_one_that_drifted_moves_behind_the_version(ready):
    found = ask(ready, FIRST, running(ready))
    assert [(mark.version, mark.batch) for mark in pending.marks(ready.context, 1)] == [(0, found["BatchId"])]
    entry, etag = ledger.read(ready.context, found["BatchId"])
    pending.mark(ready.context, entry.batch, 1)
    ledger.write(ready.context, entry.becomes(ledger.QUARANTINED, sentence="Drift."), etag)
    pending.unmark(ready.context, entry.batch)
    with pytest.raises(NoPendingBatch):
        ask(ready, execution=running(ready))
    ready.version()
    assert ask(ready, execution=running(ready))["Enforce"] == "false"
    assert [(mark.version, mark.batch) for mark in pending.marks(ready.context, 9)] == [(0, found["BatchId"])]


def test_a_key_costs_the_same_whatever_the_history(ready):
    def calls(key):
        ready.put(key)
        execution = running(ready)
        with counted() as made:
            ask(ready, key, execution)
        return sorted(made)

    few = calls(FIRST)
    for number in range(50):
        url = ready.put(f"data/batches/old-{number}.csv")
        batch = ledger.Batch(f"old-{number}", url, ((f"old-{number}", "v"),), "2026-01-01T00:00:00+00:00")
        ledger.write(ready.context, ledger.Entry(batch, ledger.SCORED, "arn:x", 1), None)
    assert calls(SECOND) == few
