import json
from datetime import timedelta

import pytest

from localaws.definition import CacheConfig, InvalidDefinition, PropertyFile, RetryPolicy, parse


def refused(act, *arguments, **more):
    """What is wrong, as (path, sentence)."""
    with pytest.raises(InvalidDefinition) as caught:
        act(*arguments, **more)
    return caught.value.path, caught.value.message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the definition isn't JSON: Expecting value"),
        ("{", "the definition isn't JSON: Expecting property name"),
        ('{"Version": NaN}', "the definition isn't JSON: NaN isn't a JSON value"),
        ('{"Version": 1e999}', "the definition isn't JSON: 1e999 is too large a number"),
        ("[" * 100_000, "the definition is nested too deeply"),
        ("[]", "the definition must be an object"),
        ('"text"', "the definition must be an object"),
        (" " * (1 << 20) + "{}", "the definition has 1048578 characters, and at most 1048576 are allowed"),
    ],
)
def test_a_text_that_isnt_a_definition_is_refused(text, sentence):
    path, message = refused(parse, text)
    assert path == "" and message.startswith(sentence)


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    [
        ({"Version": "2021-01-01"}, "Version", "must be 2020-12-01"),
        ({"Version": None}, "Version", "must be 2020-12-01"),
        ({"Name": "x"}, "Name", "is unknown"),
        ({"Steps": {}}, "Steps", "must be a list"),
        ({"Steps": None}, "Steps", "must be a list"),
        ({"Steps": []}, "Steps", "must be a list that isn't empty"),
        ({"Steps": ["x"]}, "Steps[0]", "must be an object"),
        ({"Metadata": "x"}, "Metadata", "must be an object"),
        ({"PipelineExperimentConfig": "x"}, "PipelineExperimentConfig", "must be an object"),
        ({"PipelineExperimentConfig": {"Name": "x"}}, "PipelineExperimentConfig.Name", "is unknown"),
    ],
)
def test_the_outermost_members_have_their_forms(fail, change, path, sentence):
    document = {"Version": "2020-12-01", "Steps": [fail()], **change}
    assert refused(parse, json.dumps(document)) == (path, sentence)


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    [
        ({"Name": "a b"}, "Steps[0].Name", "must be 1 to 64 letters, digits, hyphens and underscores"),
        ({"Name": "x" * 65}, "Steps[0].Name", "must be 1 to 64 letters, digits, hyphens and underscores"),
        ({"Type": None}, "Steps.Process.Type", "must be one of Processing, Training"),
        ({"Type": ["Processing"]}, "Steps.Process.Type", "must be one of Processing, Training"),
        ({"Type": "Dream"}, "Steps.Process.Type", "Dream isn't a type of step; these run: Processing, Training"),
        ({"Type": "EMR"}, "Steps.Process.Type", "steps of type EMR can't run here; these run: Processing, Training"),
        ({"Arguments": None}, "Steps.Process.Arguments", "ProcessingResources is missing"),
        ({"Arguments": []}, "Steps.Process.Arguments", "ProcessingResources is missing"),
        ({"Arguments": "x"}, "Steps.Process.Arguments", "must be an object"),
        ({"FunctionArn": "x"}, "Steps.Process.FunctionArn", "is unknown"),
        ({"DependsOn": "Other"}, "Steps.Process.DependsOn", "must be a list of step names"),
        ({"DependsOn": [1]}, "Steps.Process.DependsOn", "must be a list of step names"),
        ({"DependsOn": ["Other"]}, "Steps.Process.DependsOn", "Other isn't a step of this pipeline"),
        ({"DisplayName": 1}, "Steps.Process.DisplayName", "must be a text"),
        ({"Description": {}}, "Steps.Process.Description", "must be a text"),
        ({"PropertyFiles": "x"}, "Steps.Process.PropertyFiles", "must be a list"),
        ({"PropertyFiles": ["x"]}, "Steps.Process.PropertyFiles[0]", "must be an object"),
        (
            {"PropertyFiles": [{"PropertyFileName": "F", "OutputName": "result"}]},
            "Steps.Process.PropertyFiles[0].FilePath",
            "must be a text",
        ),
        (
            {"PropertyFiles": [{"PropertyFileName": "F", "OutputName": "no", "FilePath": "f"}]},
            "Steps.Process.PropertyFiles",
            "no isn't an output of the step",
        ),
        (
            {"PropertyFiles": [{"PropertyFileName": "F", "OutputName": "result", "FilePath": "f"}] * 2},
            "Steps.Process.PropertyFiles[1]",
            "F is the name of more than one property file",
        ),
        ({"CacheConfig": True}, "Steps.Process.CacheConfig", "must be an object"),
        ({"CacheConfig": {"Enabled": "yes"}}, "Steps.Process.CacheConfig.Enabled", "must be true or false"),
        ({"CacheConfig": {"On": True}}, "Steps.Process.CacheConfig.On", "is unknown"),
        ({"RetryPolicies": "x"}, "Steps.Process.RetryPolicies", "must be a list"),
        ({"RetryPolicies": ["x"]}, "Steps.Process.RetryPolicies[0]", "must be an object"),
    ],
)
def test_a_steps_members_have_their_forms(read, processing, change, path, sentence):
    found, message = refused(read, {**processing(), **change})
    assert found == path and message.startswith(sentence)


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    [
        ({"RoleArn": None}, ".RoleArn", "must be a string"),
        ({"RoleArn": "me"}, ".RoleArn", "has 2 characters, and at least 20 are needed"),
        ({"Role": "me"}, ".Role", "is unknown"),
        ({"AppSpecification": {}}, ".AppSpecification", "ImageUri is missing"),
        ({"Environment": {"A": 1}}, ".Environment.A", "must be a string"),
        ({"ProcessingInputs": {}}, ".ProcessingInputs", "must be a list"),
        ({"ProcessingInputs": [{}]}, ".ProcessingInputs[0]", "InputName is missing"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, ".StoppingCondition.MaxRuntimeInSeconds", "must be at le"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 0.5}},
            ".StoppingCondition.MaxRuntimeInSeconds",
            "must be an in",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": True}},
            ".StoppingCondition.MaxRuntimeInSeconds",
            "must be an in",
        ),
    ],
)
def test_arguments_have_the_shape_of_the_call_that_they_are_for(read, processing, change, path, sentence):
    step = processing()
    step["Arguments"] |= change
    found, message = refused(read, step)
    assert found == f"Steps.Process.Arguments{path}" and message.startswith(sentence)


def test_an_enums_values_are_told(read, processing):
    step = processing()
    step["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = "Later"
    path, message = refused(read, step)
    assert path.endswith(".Outputs[0].S3Output.S3UploadMode")
    assert message == "Later isn't one of its 2 values (Continuous, EndOfJob)"


def test_a_reference_may_stand_for_any_value(read, processing):
    step = processing()
    count, text = {"Get": "Parameters.Count"}, {"Get": "Parameters.Text"}
    step["Arguments"]["ProcessingResources"]["ClusterConfig"] |= {"InstanceCount": count, "InstanceType": text}
    step["Arguments"]["Environment"] = {"A": {"Std:Join": {"Values": [count, "x"]}}}
    step["Arguments"]["RoleArn"] = text
    read(step, Parameters=[{"Name": "Count", "Type": "Integer"}, {"Name": "Text"}])


def test_a_name_that_the_pipeline_makes_up_may_be_given(read, processing):
    step = processing()
    step["Arguments"]["ProcessingJobName"] = "name"
    read(step)


def test_everything_of_a_step_is_read(read, processing, fail):
    step = processing(
        DisplayName="shown",
        Description="why",
        DependsOn=["Stop"],
        CacheConfig={"Enabled": True, "ExpireAfter": "P30D"},
        RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 3}],
    )
    found = read(step, fail()).steps["Process"]
    assert (found.display_name, found.description, found.depends_on) == ("shown", "why", ("Stop",))
    assert found.property_files == {"File": PropertyFile("File", "result", "file.json")}
    assert found.cache_config == CacheConfig(True, timedelta(days=30))
    assert found.retry_policies == (RetryPolicy(("Step.THROTTLING",), 1, 2.0, 3, None),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P30D", timedelta(days=30)),
        ("p30d", timedelta(days=30)),
        ("PT1H", timedelta(hours=1)),
        ("PT1H30M15S", timedelta(hours=1, minutes=30, seconds=15)),
        ("P1DT12H", timedelta(days=1, hours=12)),
        ("P2W", timedelta(weeks=2)),
        ("P1M", timedelta(days=30)),
        ("P1Y", timedelta(days=365)),
        ("30d", timedelta(days=30)),
        ("5y", timedelta(days=5 * 365)),
        ("T16m", timedelta(minutes=16)),
        ("16m", timedelta(days=16 * 30)),
        ("30dT5h", timedelta(days=30, hours=5)),
        ("30DT5h", timedelta(days=30, hours=5)),
        ("T12H", timedelta(hours=12)),
        ("PT1h", timedelta(hours=1)),
        ("2w", timedelta(weeks=2)),
        ("P0D", timedelta()),
    ],
)
def test_an_expiry_is_an_iso_duration(read, processing, text, expected):
    step = processing(CacheConfig={"Enabled": True, "ExpireAfter": text})
    assert read(step).steps["Process"].cache_config.expire_after == expected


@pytest.mark.parametrize("text", ["", "P", "PT", "T", "1h", "d", "5", "5 d", 30, "P-1D", "P1.5D", ["P1D"]])
def test_an_expiry_that_isnt_one_is_refused(read, processing, text):
    path, message = refused(read, processing(CacheConfig={"Enabled": True, "ExpireAfter": text}))
    assert path == "Steps.Process.CacheConfig.ExpireAfter"
    assert message == "must be an ISO 8601 duration such as P30D, 30d or T12H"


def test_an_expiry_beyond_all_time_is_refused(read, processing):
    path, message = refused(read, processing(CacheConfig={"Enabled": True, "ExpireAfter": f"{'9' * 30}y"}))
    assert path == "Steps.Process.CacheConfig.ExpireAfter" and message == "is longer than any result can be old"


def test_without_expiry_a_result_is_kept_at_any_age(read, processing):
    assert read(processing(CacheConfig={"Enabled": True})).steps["Process"].cache_config == CacheConfig(True)
    assert read(processing(CacheConfig={"Enabled": False})).steps["Process"].cache_config == CacheConfig(False)
    assert read(processing()).steps["Process"].cache_config is None


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            {
                "ExceptionType": "SageMaker.CAPACITY_ERROR",
                "IntervalSeconds": 5,
                "BackoffRate": 1.5,
                "ExpireAfterMin": 9,
            },
            RetryPolicy(("SageMaker.CAPACITY_ERROR",), 5, 1.5, None, 9),
        ),
        (
            {"ExceptionType": ["Step.SERVICE_FAULT", "SageMaker.JOB_INTERNAL_ERROR"], "MaxAttempts": 1},
            RetryPolicy(("Step.SERVICE_FAULT", "SageMaker.JOB_INTERNAL_ERROR"), max_attempts=1),
        ),
        (
            {"ExceptionType": ["SageMaker.RESOURCE_LIMIT"], "MaxAttempts": 20, "IntervalSeconds": 0},
            RetryPolicy(("SageMaker.RESOURCE_LIMIT",), 0, 2.0, 20, None),
        ),
    ],
)
def test_retry_policies_are_read(read, processing, policy, expected):
    assert read(processing(RetryPolicies=[policy])).steps["Process"].retry_policies == (expected,)


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    [
        ({"ExceptionType": ["Any"]}, ".ExceptionType", "must be one of SageMaker.CAPACITY_ERROR"),
        ({"ExceptionType": []}, ".ExceptionType", "must be one of SageMaker.CAPACITY_ERROR"),
        ({"ExceptionType": "Emr.RESOURCE_LIMIT"}, ".ExceptionType", "must be one of SageMaker.CAPACITY_ERROR"),
        ({"ExceptionType": [[]]}, ".ExceptionType", "must be one of SageMaker.CAPACITY_ERROR"),
        ({"ExceptionType": None}, ".ExceptionType", "must be one of SageMaker.CAPACITY_ERROR"),
        ({"MaxAttempts": 0}, ".MaxAttempts", "must be a number of at least 1, at most 20"),
        ({"MaxAttempts": 21}, ".MaxAttempts", "must be a number of at least 1, at most 20"),
        ({"MaxAttempts": True}, ".MaxAttempts", "must be a number of at least 1, at most 20"),
        ({"MaxAttempts": "3"}, ".MaxAttempts", "must be a number of at least 1, at most 20"),
        (
            {"MaxAttempts": None, "ExpireAfterMin": 14401},
            ".ExpireAfterMin",
            "must be a number of at least 0, at most 14400",
        ),
        ({"IntervalSeconds": -1}, ".IntervalSeconds", "must be a number of at least 0"),
        ({"IntervalSeconds": 43201}, ".IntervalSeconds", "must be a number of at least 0, at most 43200"),
        ({"MaxAttempts": None}, "", "exactly one of MaxAttempts and ExpireAfterMin must be given"),
        ({"BackoffRate": "2"}, ".BackoffRate", "must be a number of at least 0"),
        ({"MaxAttempts": 1, "ExpireAfterMin": 1}, "", "exactly one of MaxAttempts and ExpireAfterMin must be given"),
        ({"Attempts": 1}, ".Attempts", "is unknown"),
    ],
)
def test_a_retry_policy_that_isnt_right_is_refused(read, processing, change, path, sentence):
    policy = {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 2, **change}
    found, message = refused(read, processing(RetryPolicies=[policy]))
    assert found == f"Steps.Process.RetryPolicies[0]{path}" and message.startswith(sentence)


def test_nested_steps_stand_beside_the_others_and_know_their_branch(read, condition, fail, processing):
    definition = read(condition(then=[processing()], otherwise=[fail()]), fail("After", DependsOn=["Gate"]))
    assert list(definition.steps) == ["Gate", "Process", "Stop", "After"]
    assert definition.steps["Process"].branch == ("Gate", "IfSteps")
    assert definition.steps["Stop"].branch == ("Gate", "ElseSteps")
    assert definition.steps["After"].branch is None
    assert definition.dependencies() == {"Gate": set(), "Process": {"Gate"}, "Stop": {"Gate"}, "After": {"Gate"}}


def test_what_a_step_refers_to_it_waits_for(read, processing, condition, function, fail):
    by_property = {"Get": "Steps.Call.OutputParameters.Answer"}
    by_file = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Process.PropertyFiles.File"}, "Path": "a"}}
    gate = condition(
        conditions=[{"Type": "Not", "Condition": {"Type": "Equals", "LeftValue": by_file, "RightValue": 1}}],
        then=[fail(message={"Std:Join": {"Values": ["x", by_property]}})],
    )
    definition = read(processing(), function(), gate)
    assert definition.dependencies() == {
        "Process": set(),
        "Call": set(),
        "Gate": {"Process"},
        "Stop": {"Gate", "Call"},
    }


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    [
        ({"Conditions": []}, ".Conditions", None),
        ({"Conditions": None}, ".Conditions", "must be a list"),
        ({"IfSteps": "x"}, ".IfSteps", "must be a list"),
        ({"ElseSteps": {"a": 1}}, ".ElseSteps", "must be a list"),
        ({"Then": []}, ".Then", "is unknown"),
        ({"IfSteps": ["x"]}, ".IfSteps[0]", "must be an object"),
        ({"IfSteps": [{"Name": "?"}]}, ".IfSteps[0].Name", "must be 1 to 64 letters, digits, hyphens and underscores"),
    ],
)
def test_a_condition_steps_arguments_have_their_form(read, condition, change, path, sentence):
    step = condition()
    step["Arguments"] |= change
    if sentence is None:
        assert read(step).steps["Gate"].conditions == []
        return
    assert refused(read, step) == (f"Steps.Gate.Arguments{path}", sentence)


def test_a_condition_cant_stand_within_another(read, condition):
    assert refused(read, condition("Outer", then=[condition("Inner")])) == (
        "Steps.Inner.Arguments",
        "a Condition can't stand within another Condition",
    )


def test_a_branch_may_be_absent(read, condition):
    step = condition()
    del step["Arguments"]["ElseSteps"]
    step["Arguments"]["IfSteps"] = None
    assert list(read(step).steps) == ["Gate"]


def test_no_two_steps_have_one_name_wherever_they_stand(read, condition, fail):
    assert refused(read, fail(), fail()) == ("Steps.Stop", "is the name of more than one step")
    assert refused(read, fail(), condition(then=[fail()])) == ("Steps.Stop", "is the name of more than one step")


def test_circles_are_found(read, fail, condition, function):
    assert refused(read, fail(DependsOn=["Stop"])) == ("Steps.Stop", "waits for itself: Stop → Stop")
    path, message = refused(read, fail("A", DependsOn=["B"]), fail("B", DependsOn=["C"]), fail("C", DependsOn=["A"]))
    assert (path, message) == ("Steps.A", "waits for itself: A → B → C → A")
    by_reference = fail("A", message={"Get": "Steps.Call.OutputParameters.Answer"})
    assert refused(read, by_reference, function(DependsOn=["A"])) == ("Steps.A", "waits for itself: A → Call → A")
    gate = condition(then=[fail()], DependsOn=["Stop"])
    assert refused(read, gate) == ("Steps.Gate", "waits for itself: Gate → Stop → Gate")


def test_a_step_beside_a_circle_isnt_named_as_part_of_it(read, fail):
    after = fail("After", DependsOn=["A"])
    path, message = refused(read, after, fail("A", DependsOn=["B"]), fail("B", DependsOn=["A"]))
    assert (path, message) == ("Steps.A", "waits for itself: A → B → A")
