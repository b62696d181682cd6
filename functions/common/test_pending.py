"""What is pending is one listing, however many batches have been scored, and whatever was marked or wasn't."""

import contextlib
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.common import ledger, pending
from functions.common.batches import arrivals
from functions.common.context import client, read_json
from functions.common.ledger import Batch, Entry
from functions.common.objects import at_once

HISTORY = int(os.environ.get("HISTORY") or 300)
"""Scored batches behind the one that is pending."""


def put(context, key, body=b"67,3,5,3\n"):
    client("s3").put_object(Bucket=context.data_bucket, Key=key, Body=body)


def batch(context, name, day=1):
    url = f"s3://{context.data_bucket}/data/batches/{name}.csv"
    return Batch(f"{name}-0123456789ab", url, ((f"data/batches/{name}.csv", "v1"),), f"2026-01-{day:02}T00:00:00+00:00")


def names(context, version):
    return [mark.batch.rsplit("-", 1)[0] for mark in pending.marks(context, version)]


@contextlib.contextmanager
def counted():
    """Give the names of the calls of S3 that are made meanwhile."""
    made = []

    def note(model, **_):
        made.append(model.name)

    events = client("s3").meta.events
    events.register("before-call.s3", note)
    yield made
    events.unregister("before-call.s3", note)


@pytest.fixture
def ready(world):
    """An account in which executions run, and record's role in it."""
    world.pipeline("inference", world.waiting())
    world.act_as("record")
    return world


def begun(world):
    """What the only execution was started for."""
    (execution,) = world.executions("inference")
    found = world.prod("sagemaker").list_pipeline_parameters_for_execution(PipelineExecutionArn=execution)
    return {item["Name"]: item["Value"] for item in found["PipelineParameters"]}


def test_marks_come_in_the_order_in_which_they_are_scored(context):
    for name, version, day in (("old", 0, 1), ("new", 0, 9), ("second", 2, 5), ("first", 1, 7), ("third", 3, 8)):
        pending.mark(context, batch(context, name, day), version)
    assert names(context, 1) == ["new", "old"]
    assert names(context, 3) == ["new", "old", "first", "second"]
    pending.unmark(context, batch(context, "new", 9))
    assert names(context, 1) == ["old"]


@pytest.mark.parametrize("key", ["data/smoke-test/x.csv", "data/batches/folder/x.csv", "data/batches/", "elsewhere"])
def test_what_is_no_arrival_of_its_own_has_no_mark(context, key):
    pending.mark(context, replace(batch(context, "x"), url=f"s3://{context.data_bucket}/{key}"))
    assert pending.marks(context, 1) == []


@pytest.mark.parametrize(
    ("state", "version", "marked"),
    [(ledger.SCORED, 1, None), (ledger.CLAIMED, 1, 0), (ledger.QUARANTINED, 2, 2), (ledger.FAILED, 1, 1)],
)
def test_a_mark_that_is_out_of_date_is_put_right(context, state, version, marked):
    one = batch(context, "one")
    pending.mark(context, one)
    (mark,) = pending.marks(context, 1)
    pending.correct(context, mark, Entry(one, state, "arn:x", version))
    assert [mark.version for mark in pending.marks(context, 99)] == ([] if marked is None else [marked])


def test_the_next_batch_is_begun_by_its_key_and_stale_marks_are_put_right(ready):
    context = ready.context
    for name, state in (("done", ledger.SCORED), ("runs", ledger.CLAIMED), ("held", ledger.QUARANTINED)):
        ledger.write(context, Entry(batch(context, name, 9), state, "arn:x", 3), None)
        pending.mark(context, batch(context, name, 9))
    pending.mark(context, batch(context, "arrived", 1))
    pending.begin_next(context, 3)
    assert begun(ready) == {"BatchDataUrl": "data/batches/arrived.csv"}
    assert names(context, 3) == ["runs", "arrived"] and names(context, 4) == ["runs", "arrived", "held"]


def test_a_ledger_of_an_earlier_release_is_brought_over(context):
    """Entries without a mark, one of them in the words of that release; and an arrival whose event was lost."""
    for name, state in (("done", "scored"), ("runs", "claimed"), ("drifted", "refused"), ("failed", "failed")):
        value = Entry(batch(context, name), state, "arn:x", 2).value()
        put(context, ledger.key(f"{name}-0123456789ab"), json.dumps(value).encode())
    value = Entry(batch(context, "looked-at"), "refused", "arn:x", 2, requeued={"by": "a", "reason": "b", "at": "c"})
    put(context, ledger.key("looked-at-0123456789ab"), json.dumps(value.value()).encode())
    put(context, "data/batches/lost.csv")
    pending.reconcile(context)
    assert sorted(names(context, 2)) == ["looked-at", "lost", "runs"]
    assert sorted(names(context, 3)) == ["drifted", "failed", "looked-at", "lost", "runs"]


def test_only_what_has_changed_is_read_again(context):
    for number in range(20):
        ledger.write(context, Entry(batch(context, f"b{number}"), ledger.SCORED, "arn:x", 1), None)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with counted() as calls:
        pending.reconcile(context)
    assert calls.count("GetObject") == 1 + 20
    put(context, pending.PROGRESS, json.dumps({"since": tomorrow}).encode())
    with counted() as calls:
        pending.reconcile(context)
    assert calls.count("GetObject") == 1


def test_what_takes_too_long_is_carried_on(context, monkeypatch):
    for number in range(5):
        ledger.write(context, Entry(batch(context, f"b{number}"), ledger.FAILED, "arn:x", 1), None)
    monkeypatch.setattr(pending, "PAGE", 2)
    monkeypatch.setattr(pending, "RECONCILING_SECONDS", -1)
    pending.reconcile(context)
    assert read_json(context.data_bucket, pending.PROGRESS)
    marked = client("s3").list_objects_v2(Bucket=context.data_bucket, Prefix=pending.PREFIX)["KeyCount"]
    assert marked == 2


def test_whatever_the_history_what_is_pending_is_one_listing(ready):
    """As many batches as you like have been scored; their files lie where they arrived, and the ledger has them all."""
    context = ready.context

    def score(number):
        ready.put(f"data/batches/b{number}.csv")
        entry = Entry(batch(context, f"b{number}", number % 28 + 1), ledger.SCORED, "arn:x", 1)
        ready.put(ledger.key(entry.batch.id), json.dumps(entry.value()))

    at_once(score, range(HISTORY))
    ready.put("data/batches/waits.csv")
    (pending_batch,) = [found for found in arrivals(context) if "waits" in found.url]
    pending.mark(context, pending_batch)
    with counted() as calls:
        pending.begin_next(context, 1)
    assert begun(ready) == {"BatchDataUrl": "data/batches/waits.csv"}
    assert sorted(calls) == ["GetObject", "GetObject", "ListObjectsV2"]
    print(f"\n{HISTORY} scored batches: {len(calls)} calls to begin the next one")


def test_what_a_version_has_scored_is_one_listing_and_none_that_tried_a_release(context):
    for name, version in (("first", 1), ("second", 2), ("third", 2)):
        pending.mark_scored(context, Entry(batch(context, name), ledger.SCORED, "arn:x", version))
    tried = replace(batch(context, "tried"), url=f"s3://{context.data_bucket}/data/smoke-test/tried.csv")
    pending.mark_scored(context, Entry(tried, ledger.SCORED, "arn:x", 2))
    with counted() as calls:
        assert sorted(pending.scored(context, 2)) == ["second-0123456789ab", "third-0123456789ab"]
    assert calls == ["ListObjectsV2"]
