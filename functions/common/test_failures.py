import pytest

from functions.common.context import put_json, read_json
from functions.common.failures import NoApprovedModel, recall, remembered

EXECUTION = "arn:aws:sagemaker:us-east-1:333333333333:pipeline/mammography-inference/execution/abc123"
EVENT = {"execution_arn": EXECUTION}


def test_a_named_failure_is_left_beside_the_executions_files(context):
    @remembered
    def refuses(event):
        raise NoApprovedModel("No version of mammography is approved.")

    with pytest.raises(NoApprovedModel):
        refuses(EVENT, None)
    note = {"name": "NoApprovedModel", "sentence": "No version of mammography is approved."}
    assert recall(context, EXECUTION) == note
    assert read_json(context.data_bucket, "runs/mammography-inference/abc123/failure.json")[0] == note


def test_any_other_error_leaves_nothing_for_it_may_hold_values(context):
    @remembered
    def breaks(event):
        raise ValueError("67,3,5,3")

    with pytest.raises(ValueError):
        breaks(EVENT)
    assert recall(context, EXECUTION) is None


def test_a_function_that_succeeds_leaves_nothing(context):
    assert remembered(lambda event: {"State": "scored"})(EVENT) == {"State": "scored"}
    assert recall(context, EXECUTION) is None


def test_another_executions_failure_is_not_this_ones(context):
    put_json(context.data_bucket, context.run(EXECUTION, "failure.json"), {"name": "NoBaseline", "sentence": "None."})
    assert recall(context, EXECUTION.replace("abc123", "abc124")) is None
