"""Failures on demand, and the retry policies that they rehearse."""

import json
import subprocess
import sys

import pytest

from localaws.conftest import STEP, Account, allow, ended, serving
from localaws.engine import faults, retries
from localaws.errors import Invalid
from localaws.store import Store

TYPES = {
    "capacity": retries.CAPACITY_ERROR,
    "internal": retries.JOB_INTERNAL_ERROR,
    "throttle": retries.THROTTLING,
    "limit": retries.RESOURCE_LIMIT,
}


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "db")
    yield made
    made.close()


def test_each_kind_is_what_a_retry_policy_names():
    assert {kind: retries.exception_type(text) for kind, text in faults.KINDS.items()} == TYPES


def test_a_fault_is_met_as_often_as_it_was_asked_for(store):
    faults.ask_for(store, "Train", "capacity", 2)
    faults.ask_for(store, "Other", "limit", 1)
    found = [faults.take(store, "Train") for _ in range(4)]
    assert found == [faults.KINDS["capacity"]] * 2 + [None] * 2
    assert faults.take(store, "Other") == faults.KINDS["limit"]


def test_what_was_asked_for_can_be_taken_back(store):
    faults.ask_for(store, "Train", "capacity", 9)
    faults.ask_for(store, "Train", "internal", 1)
    faults.ask_for(store, "Train", "internal", 0)
    assert faults.take(store, "Train") is None


@pytest.mark.parametrize("times", [-1, 1001, True, "2", None, 1.5])
def test_how_often_must_be_a_number(store, times):
    with pytest.raises(Invalid, match="a whole number from 0 to 1000 is needed"):
        faults.ask_for(store, "Train", "capacity", times)


def test_an_unknown_kind_is_refused(store):
    with pytest.raises(Invalid, match="weather: there are capacity, internal, throttle, limit"):
        faults.ask_for(store, "Train", "weather", 1)


@pytest.mark.parametrize(("kind", "times", "status"), [("capacity", 2, "Succeeded"), ("limit", 1, "Failed")])
def test_a_retry_policy_is_rehearsed_from_the_command_line(tmp_path, kind, times, status):
    (tmp_path / "step.py").write_text(STEP)
    entry = {"pattern": "*", "directory": ".", "command": [sys.executable, "step.py"]}
    (tmp_path / "images.json").write_text(json.dumps({"images": [entry]}))
    with serving(tmp_path, "--images", str(tmp_path / "images.json")) as address:
        account = Account(address, "111111111111")
        role = account.role("works", allow("*"))
        sagemaker = account.client("sagemaker")
        cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        step = {
            "Name": "Work",
            "Type": "Processing",
            "Arguments": {
                "RoleArn": role,
                "AppSpecification": {"ImageUri": "any"},
                "ProcessingResources": {"ClusterConfig": cluster},
            },
            "RetryPolicies": [
                {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 0, "MaxAttempts": 3},
            ],
        }
        definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
        sagemaker.create_pipeline(PipelineName="p", RoleArn=role, PipelineDefinition=definition)
        command = [sys.executable, "-m", "localaws", "fault", "Work", "--state", tmp_path, "--kind", kind]
        subprocess.run([*command, "--times", str(times)], check=True)
        arn = sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]
        found = ended(
            lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn), "PipelineExecutionStatus"
        )
        assert found["PipelineExecutionStatus"] == status
        (done,) = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        assert done["AttemptCount"] == (times + 1 if status == "Succeeded" else 1)
        refused = subprocess.run([*command, "--times", "-1"], capture_output=True, text=True)
        assert (refused.returncode, refused.stderr) == (1, "-1 times: a whole number from 0 to 1000 is needed.\n")
