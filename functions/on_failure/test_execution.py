"""What a failed execution tells: which step, by which name, in whose words."""

import pytest

from functions.conftest_world import fail
from functions.on_failure.execution import read, verdict


def failed(world, part, *steps):
    world.pipeline(part, *steps)
    execution = world.start(part)
    assert world.end(execution) == "Failed"
    world.act_as("on_failure")
    return read(world.context, execution)


def test_drift_is_the_fail_step_of_that_name(world):
    found = failed(world, "inference", fail("Drift", "It drifted."))
    assert (found.step, found.name, found.sentence, found.drift) == ("Drift", "Drift", "It drifted.", True)
    assert found.where == "step Drift" and found.pipeline == f"{world.context.project}-inference"


def test_any_other_fail_step_is_no_drift(world):
    found = failed(world, "train", fail("MissedGate", "It missed."))
    assert (found.step, found.sentence, found.drift) == ("MissedGate", "It missed.", False)


def test_a_functions_own_name_and_sentence_come_before_sagemakers(world):
    found = failed(world, "inference", world.calling("resolve"))
    assert (found.step, found.name) == ("Resolve", "NoApprovedModel")
    assert found.sentence == f"No version of {world.context.project} is approved."
    assert found.where == "step Resolve (NoApprovedModel)"
    assert (found.batch, found.package, found.monitoring) == (None, None, None)


def test_a_jobs_message_comes_before_sagemakers_reason(world):
    found = failed(
        world, "inference", world.resolve(BatchId="b-1", ModelPackageArn="arn:p/3"),
        world.monitor(code=1, message="clean.csv, row 3: 5 columns instead of 4."),
    )  # fmt: skip
    assert (found.step, found.sentence) == ("Monitor", "clean.csv, row 3: 5 columns instead of 4.")
    assert (found.batch, found.package) == ("b-1", "arn:p/3")


def test_a_job_that_says_nothing_leaves_sagemakers_reason(world):
    found = failed(world, "inference", world.resolve(BatchId="b-1"), world.monitor(code=3))
    assert found.step == "Monitor" and found.sentence
    assert verdict(found) is None


def test_a_step_that_never_had_a_job_is_reported_by_its_reason(world):
    step = world.monitor()
    step["Arguments"]["AppSpecification"]["ImageUri"] = "elsewhere.example/nothing:1"
    found = failed(world, "inference", world.resolve(BatchId="b-1"), step)
    assert found.step == "Monitor" and "elsewhere.example/nothing:1" in found.sentence


@pytest.mark.parametrize("ended", [True, False])
def test_an_execution_that_is_not_failed_is_no_failure(world, ended):
    world.pipeline("train", world.resolve(Done="yes") if ended else world.waiting())
    execution = world.start("train")
    if ended:
        assert world.end(execution) == "Succeeded"
    world.act_as("on_failure")
    assert read(world.context, execution) is None
