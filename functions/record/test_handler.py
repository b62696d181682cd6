import json

import pytest

from functions.common import ledger, pending
from functions.common.failures import BatchChanged, BatchUnavailable, NothingScored
from functions.common.ledger import Batch, Entry
from functions.common.objects import list_objects
from functions.record.handler import handle

VERDICT = {"drift": False, "violation_count": 0, "sentence": "No drift.", "rows": 48}


class Scored:
    """A batch that an execution holds and has scored; the code under test has the role of record."""

    def __init__(self, world):
        self.world = world
        world.pipeline("inference", world.waiting())
        self.execution = world.start("inference")
        self.package = world.version()
        self.url = world.put("data/batches/first.csv")
        world.act_as("record")
        self.entry = Entry(Batch.of(self.url, list_objects(self.url)), "", self.execution, 1).becomes(ledger.CLAIMED)
        ledger.write(world.context, self.entry, None)
        run = world.context.run(self.execution)
        self.monitoring = f"s3://{world.context.data_bucket}/{run}/monitor"
        world.put(f"{run}/monitor/verdict.json", json.dumps(VERDICT))
        self.predict(b"0.25\n0.5\n")
        self.event = {
            "batch_id": self.entry.batch.id,
            "execution_arn": self.execution,
            "model_package_arn": self.package,
            "monitoring": self.monitoring,
            "predictions": f"s3://{world.context.data_bucket}/{run}/transform",
        }

    def predict(self, lines):
        self.world.put(f"{self.world.context.run(self.execution)}/transform/first.csv.out", lines)

    def now(self):
        return ledger.read(self.world.context, self.entry.batch.id)[0]


@pytest.fixture
def scored(world):
    return Scored(world)


def test_a_scored_batch_goes_into_the_ledger(scored):
    assert handle(scored.event, None) == {"State": "scored"}
    entry = scored.now()
    assert (entry.state, entry.version, entry.verdict) == ("scored", 1, VERDICT)
    assert (entry.report, entry.predictions) == (scored.monitoring, scored.event["predictions"])
    assert [line["state"] for line in entry.history] == ["claimed", "scored"]


def test_beside_the_predictions_stands_which_model_made_them(scored):
    handle(scored.event, None)
    run, _, _ = scored.event["predictions"].partition(f"s3://{scored.world.context.data_bucket}/")[2].rpartition("/")
    said = scored.world.read(f"{run}/provenance.json")
    assert (said["model_package_arn"], said["version"]) == (scored.package, 1)
    assert (said["execution_arn"], said["predictions"]) == (scored.execution, scored.event["predictions"])
    batch = scored.entry.batch
    assert said["batch"] == {"id": batch.id, "url": batch.url, "objects": [list(item) for item in batch.objects]}


def test_people_are_notified_of_rows_that_the_model_could_not_read(scored):
    scored.predict(b"0.25\nnan\n0.5\nnan\n")
    assert handle(scored.event, None) == {"State": "scored"}
    assert (scored.now().state, scored.now().unscored) == ("scored", 2)
    ((subject, text),) = scored.world.mails()
    assert subject.endswith(f"batch {scored.entry.batch.id} was scored in part")
    assert f"could not read 2 of the 4 rows of batch {scored.entry.batch.id}" in text


@pytest.mark.parametrize("lines", [b"nan\nnan\n", b""])
def test_a_batch_of_which_no_row_could_be_read_is_not_scored(scored, lines):
    scored.predict(lines)
    words = f"^Batch {scored.entry.batch.id}: none of its {len(lines) // 4} rows could be read by version 1.$"
    with pytest.raises(NothingScored, match=words):
        handle(scored.event, None)
    assert scored.now().state == "claimed" and scored.world.mails() == []


def test_a_repeated_step_changes_nothing(scored):
    handle(scored.event, None)
    before = scored.now()
    assert handle(scored.event, None) == {"State": "scored"}
    assert scored.now() == before


def test_a_batch_that_another_execution_holds_is_refused(scored):
    with pytest.raises(BatchUnavailable, match=f"^Batch {scored.entry.batch.id} isn't held by this execution.$"):
        handle({**scored.event, "execution_arn": scored.world.start("inference")}, None)
    assert scored.now().state == "claimed"


def test_a_batch_that_nobody_claimed_is_refused(scored):
    with pytest.raises(BatchUnavailable, match=r"^Batch other-0123456789ab isn't held by this"):
        handle({**scored.event, "batch_id": "other-0123456789ab"}, None)


def test_a_batch_that_was_overwritten_while_it_was_scored_is_not_scored(scored):
    scored.world.put("data/batches/first.csv", b"43,1,1,3\n")
    with pytest.raises(BatchChanged, match=r"was overwritten at .*first\.csv while it was scored"):
        handle(scored.event, None)
    assert scored.now().state == "claimed"
    note = scored.world.read(scored.world.context.run(scored.execution, "failure.json"))
    assert note["name"] == "BatchChanged"


class TestNext:
    """An approval is one event for everything that was withheld: each scored batch begins the next one."""

    def begun(self, scored):
        handle(scored.event, None)
        return [execution for execution in scored.world.executions("inference") if execution != scored.execution]

    def marked(self, scored, name):
        """Mark a batch that has arrived, as the execution that its event starts does; return it."""
        url = scored.world.put(f"data/batches/{name}.csv")
        batch = Batch.of(url, list_objects(url))
        pending.mark(scored.world.context, batch)
        return batch

    def quarantined(self, scored, state, version, **more):
        url = scored.world.put("data/batches/aside.csv")
        batch = Batch.of(url, list_objects(url))
        ledger.write(scored.world.context, Entry(batch, state, "arn:earlier", version, **more), None)
        pending.mark(scored.world.context, batch, 0 if more else version)
        return batch

    def test_nothing_is_pending(self, scored):
        assert self.begun(scored) == []

    def test_a_batch_that_arrived_is_begun(self, scored):
        batch = self.marked(scored, "second").id
        (begun,) = self.begun(scored)
        assert scored.world.describe(begun)["PipelineExecutionDescription"] == f"Batch {batch} is pending."

    @pytest.mark.parametrize("state", [ledger.QUARANTINED, ledger.FAILED])
    def test_what_was_quarantined_under_an_older_version_is_begun(self, scored, state):
        self.quarantined(scored, state, 0)
        assert len(self.begun(scored)) == 1

    @pytest.mark.parametrize("state", [ledger.QUARANTINED, ledger.FAILED])
    def test_what_was_quarantined_under_this_version_stays(self, scored, state):
        self.quarantined(scored, state, 1)
        assert self.begun(scored) == []

    def test_what_a_person_requeued_is_begun(self, scored):
        self.quarantined(scored, ledger.QUARANTINED, 1, requeued={"by": "me", "reason": "fine", "at": "2026-01-01"})
        assert len(self.begun(scored)) == 1

    @pytest.mark.parametrize("state", [ledger.SCORED, ledger.CLAIMED])
    def test_what_is_scored_or_being_scored_is_left_alone(self, scored, state):
        self.quarantined(scored, state, 0)
        assert self.begun(scored) == []

    def test_a_batch_stays_scored_whatever_happens_to_the_next(self, scored, caplog):
        """Nothing that comes after the ledger's write makes an execution fail whose batch is scored."""
        self.marked(scored, "second")
        name = scored.world.context.pipeline("inference")
        scored.world.stop(scored.execution)
        scored.world.prod("sagemaker").delete_pipeline(PipelineName=name)
        assert handle(scored.event, None) == {"State": "scored"}
        assert scored.now().state == "scored" and "begin_next failed after the batch was recorded" in caplog.text
        assert [mark.batch.split("-")[0] for mark in pending.marks(scored.world.context, 1)] == ["second"]

    def test_a_repeated_step_begins_it_once(self, scored):
        self.marked(scored, "second")
        assert len(self.begun(scored)) == 1 and self.begun(scored) == self.begun(scored)
