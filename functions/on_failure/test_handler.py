"""The function that deals with failures, on real failed executions, under the role that it really gets."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from functions.common import contract, ledger, pending
from functions.common.ledger import Batch, Entry
from functions.common.objects import contents, list_objects, training_set
from functions.conftest_world import fail, invocation
from functions.on_failure.handler import handle

SENTENCE = "Drift: 1 violation in 48 rows: age (distribution)."
VERDICT = {"drift": True, "violation_count": 1, "sentence": SENTENCE, "rows": 48}
SHIFTED = "shifted-0123456789ab"


def event(world, execution):
    """What SageMaker sends when an execution has failed, as far as the function reads it."""
    ended = world.describe(execution)["LastModifiedTime"]
    return {
        "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
        "detail": {
            "pipelineExecutionArn": execution,
            "currentPipelineExecutionStatus": "Failed",
            "executionEndTime": f"{ended:%Y-%m-%dT%H:%M:%SZ}",
        },
    }


def failed(world, part, *steps):
    world.pipeline(part, *steps)
    execution = world.start(part)
    assert world.end(execution) == "Failed"
    return execution


def drifted(world, batch=SHIFTED, url="s3://x/data/batches/shifted.csv", verdict=VERDICT):
    """An execution that refused a batch that it had claimed."""
    execution = failed(
        world, "inference",
        world.resolve(**{contract.BATCH_ID: batch, contract.MODEL_PACKAGE: "arn:none/3"}),
        world.monitor({contract.VERDICT_FILE: json.dumps(verdict)}),
        fail(contract.DRIFT, f"Batch {batch} drifted.", contract.MONITOR),
    )  # fmt: skip
    claim(world, batch, execution, url)
    return execution


def claim(world, batch, execution, url="s3://x/data/batches/shifted.csv"):
    entry = Entry(Batch(batch, url, (), "2026-01-01"), "", execution, 3).becomes(ledger.CLAIMED)
    world.act_as("on_failure")
    ledger.write(world.context, entry, None)


@pytest.fixture
def ready(world):
    """Everything that lets a retraining begin: a train pipeline, and labels that nobody has seen."""
    world.pipeline("train", world.waiting())
    world.put("data/labelled/part-1.csv", b"67,3,5,3,1\n")
    return world


def test_drift_begins_a_retraining_and_says_why(ready):
    refused = drifted(ready)
    done = handle(event(ready, refused), invocation())
    (training,) = ready.executions("train")
    assert (done["outcome"], done["execution"]) == ("retraining", training)
    described = ready.describe(training)
    assert described["PipelineExecutionDisplayName"] == f"retrain-{SHIFTED}"
    assert described["PipelineExecutionDescription"] == f"Drift in batch {SHIFTED}: {SENTENCE}"
    ((subject, text),) = ready.mails()
    assert subject == f"{ready.context.project} prod: batch {SHIFTED} drifted, retraining has begun"
    assert SENTENCE in text and training in text and "data below data/labelled/ (1 file)" in text


def test_a_smoke_test_batch_that_drifts_is_an_alert_and_trains_nothing(ready):
    refused = drifted(ready, url="s3://x/data/smoke-test/1.0-ab12.csv")
    assert handle(event(ready, refused), invocation())["outcome"] == "alert"
    assert ready.executions("train") == []
    ((subject, text),) = ready.mails()
    assert "step Drift failed" in subject and "Nothing was retrained" in text


def test_a_batch_that_drifted_is_quarantined_with_its_report(ready):
    refused = drifted(ready)
    handle(event(ready, refused), invocation())
    entry, _ = ledger.read(ready.context, SHIFTED)
    assert (entry.state, entry.sentence, entry.verdict, entry.execution) == ("quarantined", SENTENCE, VERDICT, refused)
    run = ready.context.run(refused)
    assert entry.report == f"s3://{ready.context.data_bucket}/{run}/monitor"


def test_an_event_that_comes_twice_changes_nothing(ready):
    refused = drifted(ready)
    handle(event(ready, refused), invocation("first"))
    before, entry = ready.mails(), ledger.read(ready.context, SHIFTED)
    again = handle(event(ready, refused), invocation("second"))
    assert again == {"outcome": "nothing", "why": "this failure was dealt with before"}
    assert len(before) == 1 and ready.mails() == [] and len(ready.executions("train")) == 1
    assert ledger.read(ready.context, SHIFTED) == entry


def test_an_event_that_comes_many_times_at_once_begins_one_training(ready):
    refused = event(ready, drifted(ready))
    barrier = Barrier(6)

    def deliver(number):
        barrier.wait()
        return handle(refused, invocation(f"request-{number}"))["outcome"]

    with ThreadPoolExecutor(6) as pool:
        outcomes = sorted(pool.map(deliver, range(6)))
    assert outcomes == ["nothing"] * 5 + ["retraining"]
    assert len(ready.executions("train")) == 1 and len(ready.mails()) == 1


def test_two_batches_that_drift_at_once_begin_one_training(ready):
    refused = [event(ready, drifted(ready, f"shifted-{number}")) for number in range(2)]
    barrier = Barrier(2)

    def deliver(number):
        barrier.wait()
        return handle(refused[number], invocation(f"request-{number}"))

    with ThreadPoolExecutor(2) as pool:
        first, second = sorted(pool.map(deliver, range(2)), key=lambda done: done["outcome"])
    assert (first["outcome"], second["outcome"]) == ("held", "retraining")
    assert [reason for reason in first["held_by"] if "is being started" in reason or "runs already" in reason]
    assert ready.executions("train") == [second["execution"]]


def test_an_invocation_that_ended_before_it_could_tell_is_repeated(ready):
    refused = event(ready, drifted(ready))
    ready.prod("sns").delete_topic(TopicArn=ready.context.topic)
    with pytest.raises(Exception, match=r"NotFound|does not exist"):
        handle(refused, invocation("one"))
    (training,) = ready.executions("train")
    ready.mailbox()
    assert handle(refused, invocation("another"))["outcome"] == "nothing"
    again = handle(refused, invocation("one"))
    assert (again["outcome"], again["execution"]) == ("retraining", training)
    assert ready.executions("train") == [training] and len(ready.mails()) == 1


class TestHeld:
    """Each condition holds a retraining back by name; the batch is withheld all the same."""

    def held(self, world, batch=SHIFTED):
        before = world.executions("train")
        done = handle(event(world, drifted(world, batch)), invocation(f"request-{batch}"))
        assert done["outcome"] == "held" and world.executions("train") == before
        subject, text = world.mails()[-1]
        assert subject.endswith(f"batch {batch} drifted, no retraining")
        assert f"No retraining was begun: {'; '.join(done['held_by'])}." in text
        assert ledger.read(world.context, batch)[0].state == "quarantined"
        return done["held_by"]

    def test_by_the_kill_switch(self, ready, monkeypatch):
        monkeypatch.setenv("RETRAIN_ENABLED", "false")
        assert self.held(ready) == ["automatic retraining is switched off"]

    def test_by_a_training_that_runs(self, ready):
        running = ready.start("train")
        assert self.held(ready) == [f"a training runs already ({running})"]

    def test_by_the_cool_down(self, ready, monkeypatch):
        monkeypatch.setenv("RETRAIN_COOLDOWN_HOURS", "24")
        ready.pipeline("train", ready.resolve(Done="yes"))
        assert ready.end(ready.start("train")) == "Succeeded"
        (reason,) = self.held(ready)
        assert reason.startswith("the cool-down since the last training ends at ")

    def test_by_the_daily_cap(self, ready, monkeypatch):
        monkeypatch.setenv("RETRAIN_DAILY_CAP", "1")
        ready.pipeline("train", ready.resolve(Done="yes"))
        done = handle(event(ready, drifted(ready, "shifted-first")), invocation())
        assert ready.end(done["execution"]) == "Succeeded"
        assert self.held(ready, "shifted-second") == ["1 of 1 retrainings a day are used up"]

    def test_by_a_batch_that_was_a_reason_before(self, ready):
        ready.pipeline("train", ready.resolve(Done="yes"))
        done = handle(event(ready, drifted(ready)), invocation())
        assert ready.end(done["execution"]) == "Succeeded"
        ready.prod("s3").delete_object(Bucket=ready.context.data_bucket, Key=f"ledger/{SHIFTED}.json")
        assert self.held(ready) == ["this batch was the reason of a retraining before"]

    def test_by_labels_that_the_champion_has_seen(self, ready):
        learn(ready, "Approved")
        assert self.held(ready) == ["there is no new file below data/labelled/, and the same rows give the same model"]

    @pytest.mark.parametrize(
        ("status", "described"), [("PendingManualApproval", "which waits for approval"), ("Rejected", "rejected")]
    )
    def test_by_another_version_that_learned_from_these_labels(self, ready, status, described):
        learn(ready, status)
        assert self.held(ready) == [f"version 1 ({described}) has learned from exactly the files below data/labelled/"]

    def test_by_no_labels_at_all(self, ready):
        ready.prod("s3").delete_object(Bucket=ready.context.data_bucket, Key="data/labelled/part-1.csv")
        assert self.held(ready)[0].startswith("there is no new file")


def learn(world, status):
    """Register a version that learned from all labels that there are now."""
    world.act_as("on_failure")
    found = contents(f"s3://{world.context.data_bucket}/data/labelled/")
    identity = training_set(found.values())
    key = f"prod/{world.context.pipeline('train')}/abc/training-set.json"
    listed = {"identity": identity, "objects": [{"key": k, "content": c} for k, c in found.items()]}
    world.registry("s3").put_object(Bucket=world.context.models_bucket, Key=key, Body=json.dumps(listed))
    url = f"s3://{world.context.models_bucket}/{key}"
    return world.version(status, TrainingSet=identity, TrainingSetUrl=url)


def test_labels_that_came_after_the_champion_let_a_retraining_begin(ready):
    learn(ready, "Approved")
    ready.put("data/labelled/part-2.csv", b"43,1,1,3,0\n")
    assert handle(event(ready, drifted(ready)), invocation())["outcome"] == "retraining"


def test_a_crash_of_the_monitor_alerts_without_retraining(ready):
    message = "shifted.csv, row 3: 5 columns instead of 4."
    crashed = failed(
        ready, "inference",
        ready.resolve(BatchId=SHIFTED, ModelPackageArn="arn:none/3"),
        ready.monitor(code=1, message=message),
    )  # fmt: skip
    claim(ready, SHIFTED, crashed)
    assert handle(event(ready, crashed), invocation())["outcome"] == "alert"
    ((subject, text),) = ready.mails()
    assert subject.endswith(" prod: inference: step Monitor failed")
    assert text.startswith(f"{message}\n") and "Nothing was retrained." in text
    assert "Report:" not in text
    assert ready.executions("train") == []
    entry, _ = ledger.read(ready.context, SHIFTED)
    assert (entry.state, entry.sentence, entry.verdict) == ("failed", message, None)


def test_a_malformed_batch_has_failed_and_nothing_is_retrained(ready):
    sentence = "Malformed: 1 violation in 48 rows: age (missing column)."
    verdict = {**VERDICT, "malformed": True, "sentence": sentence}
    refused = drifted(ready, verdict=verdict)
    assert handle(event(ready, refused), invocation())["outcome"] == "malformed"
    ((subject, text),) = ready.mails()
    assert subject.endswith(f"batch {SHIFTED} is malformed")
    assert text.startswith(f"Batch {SHIFTED} has failed: {sentence}\n")
    assert "quarantined" not in text
    assert "Nothing was retrained" in text and "A corrected file is a new batch" in text
    assert ready.executions("train") == []
    entry, _ = ledger.read(ready.context, SHIFTED)
    assert (entry.state, entry.sentence, entry.verdict) == ("failed", sentence, verdict)


def test_a_batch_that_failed_lets_the_next_one_begin(ready):
    refused = drifted(ready)
    url = ready.put("data/batches/next.csv")
    pending.mark(ready.context, Batch.of(url, list_objects(url)))
    handle(event(ready, refused), invocation())
    (begun,) = set(ready.executions("inference")) - {refused}
    assert ready.describe(begun)["PipelineExecutionDescription"].startswith("Batch next-")


def test_an_execution_that_had_no_batch_begins_none(ready):
    crashed = failed(ready, "inference", fail("Crash", "It crashed."))
    ready.put("data/batches/next.csv")
    ready.act_as("on_failure")
    assert handle(event(ready, crashed), invocation())["outcome"] == "alert"
    assert ready.executions("inference") == [crashed]


def test_people_are_notified_that_no_batch_is_pending_unless_it_was_one_that_was_behind_another(ready):
    ready.version()
    ready.pipeline("inference", ready.calling("resolve"))
    asked, followed = ready.start("inference"), ready.start("inference", PipelineExecutionDisplayName="next-a-0123")
    assert [ready.end(execution) for execution in (asked, followed)] == ["Failed", "Failed"]
    ready.act_as("on_failure")
    assert handle(event(ready, followed), invocation("one"))["outcome"] == "nothing"
    assert ready.mails() == []
    assert handle(event(ready, asked), invocation("two"))["outcome"] == "no-batch"
    assert [subject for subject, _ in ready.mails()] == [f"{ready.context.project} prod: no batch is pending"]


def test_a_missed_gate_alerts_with_its_own_sentence(ready):
    missed = failed(ready, "train", fail("MissedGate", "The model missed the gate."))
    assert handle(event(ready, missed), invocation())["outcome"] == "alert"
    ((subject, text),) = ready.mails()
    assert subject == f"{ready.context.project} prod: train: step MissedGate failed"
    assert text.startswith("The model missed the gate.\n")


def test_a_batch_that_another_execution_holds_is_left_alone(ready):
    refused = drifted(ready)
    entry, etag = ledger.read(ready.context, SHIFTED)
    ledger.write(ready.context, replace(entry, execution="arn:another"), etag)
    handle(event(ready, refused), invocation())
    assert ledger.read(ready.context, SHIFTED)[0].state == "claimed"


def test_an_execution_that_was_retried_is_reported_each_time_it_fails(ready):
    crashed = failed(ready, "inference", ready.resolve(BatchId=SHIFTED), ready.monitor(code=1, message="First."))
    first = event(ready, crashed)
    assert handle(first, invocation("one"))["outcome"] == "alert"
    while event(ready, crashed) == first:  # the event tells times in seconds
        ready.prod("sagemaker").retry_pipeline_execution(PipelineExecutionArn=crashed)
        assert ready.end(crashed) == "Failed"
    assert handle(event(ready, crashed), invocation("two"))["outcome"] == "alert"
    assert handle(event(ready, crashed), invocation("three"))["outcome"] == "nothing"
    assert handle(first, invocation("four"))["outcome"] == "nothing"
    assert len(ready.mails()) == 2


def test_an_execution_that_runs_again_is_no_failure(ready):
    ready.pipeline("inference", ready.waiting())
    running = ready.start("inference")
    done = handle(event(ready, running), invocation())
    assert done == {"outcome": "nothing", "why": "the execution isn't failed"}
    assert ready.mails() == []


def test_what_was_done_is_left_beside_the_executions_files(ready):
    refused = drifted(ready)
    done = handle(event(ready, refused), invocation("one"))
    left = ready.read(ready.context.run(refused, "on-failure.json"))
    assert left["done"] and left["request"] == "one" and done.items() <= left.items()


def test_the_start_of_a_retraining_carries_a_token_made_from_the_batch(ready):
    done = handle(event(ready, drifted(ready)), invocation())
    token = hashlib.sha256(f"retrain {SHIFTED}".encode()).hexdigest()
    described = ready.describe(done["execution"])
    same = {name: described[name] for name in ("PipelineExecutionDisplayName", "PipelineExecutionDescription")} | {
        "ClientRequestToken": token
    }
    assert ready.start("train", **same) == done["execution"]
