"""Errors planted in a real definition are found, each by its place; references may stand anywhere."""

import copy
import dataclasses

import botocore.session
import pytest

from pipeline.conftest import RELEASE
from pipeline.execution import DEFINITIONS, CannotStart, render
from pipeline.release import steps_of
from pipeline.settings import load
from pipeline.shapes import problems, python_pattern


@pytest.fixture
def definition(prod):
    return render(prod, "train", RELEASE).render()


def arguments(definition, name):
    return next(step["Arguments"] for step in steps_of(definition["Steps"]) if step["Name"] == name)


def plant_missing(definition):
    del arguments(definition, "Train")["OutputDataConfig"]["S3OutputPath"]


def plant_unknown(definition):
    arguments(definition, "Evaluate")["ProcessingResources"]["ClusterConfig"]["InstanceKind"] = "ml.m5.large"


def plant_mistyped(definition):
    arguments(definition, "Train")["ResourceConfig"]["VolumeSizeInGB"] = "30"


def plant_bad_enum(definition):
    arguments(definition, "Train")["AlgorithmSpecification"]["TrainingInputMode"] = "Tube"


def plant_bad_pattern(definition):
    arguments(definition, "Baseline")["RoleArn"] = "arn:aws:iam::1:role/mammography-monitor"


PLANTED = {
    plant_missing: "step Train.OutputDataConfig: S3OutputPath is missing",
    plant_unknown: "step Evaluate.ProcessingResources.ClusterConfig: InstanceKind is unknown",
    plant_mistyped: "step Train.ResourceConfig.VolumeSizeInGB: not a integer",
    plant_bad_enum: "step Train.AlgorithmSpecification.TrainingInputMode: Tube isn't one of Pipe, File, FastFile",
    plant_bad_pattern: "step Baseline.RoleArn: arn:aws:iam::1:role/mammography-monitor doesn't match arn:aws",
}


def test_of_five_planted_errors_five_are_found(definition):
    assert problems(definition) == []
    for plant in PLANTED:
        plant(definition)
    found = problems(definition)
    assert len(found) == 5
    for sentence in PLANTED.values():
        assert [problem for problem in found if problem.startswith(sentence)]


@pytest.mark.parametrize(("plant", "sentence"), PLANTED.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_one_planted_error_is_the_only_one_found(definition, plant, sentence):
    plant(definition)
    (found,) = problems(definition)
    assert found.startswith(sentence)


def leaves(value, path=()):
    """Give the path of every value below another, references included."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if key not in ("Get", "Std:Join", "Std:JsonGet"):
            yield (*path, key)
            yield from leaves(item, (*path, key))


@pytest.mark.parametrize("step", ["Preprocess", "Train", "Evaluate", "Baseline", "Register"])
@pytest.mark.parametrize(
    "reference",
    [
        {"Get": "Parameters.InputDataUrl"},
        {"Std:Join": {"On": "/", "Values": ["a", {"Get": "Execution.PipelineExecutionId"}]}},
    ],
)
def test_a_reference_may_stand_wherever_a_value_may_but_for_the_approval(definition, step, reference):
    others = [path for path in leaves(arguments(definition, step)) if path != ("ModelApprovalStatus",)]
    for path in others:
        changed = copy.deepcopy(definition)
        inner = arguments(changed, step)
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = reference
        assert problems(changed) == [], path


DANGLING = {
    "Parameters.Nothing": "no such parameter",
    "Execution.Nothing": "no such property of an execution",
    "Steps.Nothing.ModelArtifacts": "no such step",
    "Steps.Train": "names no property",
    "Steps.Train.ModelArtifact": "DescribeTrainingJobResponse has no member ModelArtifact",
    "Steps.Train.ModelArtifacts.S3ModelArtifacts.More": "S3Uri has no members",
    "Steps.Preprocess.ProcessingOutputConfig.Outputs['nothing'].S3Output.S3Uri": "the step has no such output",
    "Steps.Evaluate.PropertyFiles.Nothing": "the step has no such property file",
    "Steps.ResolveChampion.OutputParameters['Nothing']": "the function has no such output",
    "Steps.Gate.Outcome": "this step has no properties",
    "Something.Else": "neither a parameter nor a property of the execution or of a step",
}


@pytest.mark.parametrize(("reference", "wrong"), DANGLING.items())
def test_a_reference_that_leads_nowhere_is_found(definition, reference, wrong):
    arguments(definition, "Train")["HyperParameters"]["eta"] = {"Get": reference}
    assert problems(definition) == [f"step Train: reference {reference}: {wrong}"]


def test_references_of_conditions_are_followed(definition):
    arguments(definition, "Gate")["Conditions"][0]["LeftValue"]["Std:JsonGet"]["PropertyFile"]["Get"] = "Steps.Nobody.X"
    assert problems(definition) == ["step Gate: reference Steps.Nobody.X: no such step"]


def test_a_second_step_of_a_name_is_found(definition):
    definition["Steps"].append(copy.deepcopy(definition["Steps"][1]))
    assert "step Preprocess: a second step of this name" in problems(definition)


def test_a_step_of_an_unknown_type_is_found(definition):
    definition["Steps"][1]["Type"] = "Process"
    assert "step Preprocess: type Process is unknown here" in problems(definition)


def test_a_function_without_an_arn_is_found(definition):
    del definition["Steps"][0]["FunctionArn"]
    assert problems(definition) == ["step ResolveChampion: FunctionArn is missing"]


LIMITS = {
    "zero": ("Train", ["StoppingCondition", "MaxRuntimeInSeconds"], 0, "0 where at least 1 are asked for"),
    "long": ("Register", ["CustomerMetadataProperties", "Reason"], "x" * 257, "257 characters where at most 256"),
    "empty": ("Train", ["InputDataConfig"], [], "0 items where at least 1 are asked for"),
    "many": ("Train", ["HyperParameters"], {f"k{n}": "" for n in range(101)}, "101 entries where at most 100"),
    "boolean": ("Train", ["ResourceConfig", "VolumeSizeInGB"], True, "not a integer"),
    "text": ("Train", ["EnableNetworkIsolation"], "true", "not a boolean"),
    "control": ("Register", ["CustomerMetadataProperties", "Reason"], "a\nb", "doesn't match"),
}


@pytest.mark.parametrize(("step", "path", "value", "wrong"), LIMITS.values(), ids=LIMITS)
def test_limits_and_types_are_held(definition, step, path, value, wrong):
    inner = arguments(definition, step)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    found = problems(definition)
    assert len(found) == 1 and wrong in found[0]


@pytest.mark.parametrize("pipeline", DEFINITIONS)
def test_a_definition_that_sagemaker_would_refuse_is_not_rendered(pipeline):
    wrong = dataclasses.replace(load("prod", local=False), volume_gb=0)
    with pytest.raises(CannotStart, match=f"^{pipeline} definition: step .*VolumeSizeInGB: 0 where at least 1"):
        render(wrong, pipeline, RELEASE)


def test_every_pattern_of_the_service_is_one_that_python_knows():
    model = botocore.session.get_session().get_service_model("sagemaker")
    patterns = {pattern for name in model.shape_names if (pattern := model.shape_for(name).metadata.get("pattern"))}
    assert len(patterns) > 200
    for pattern in patterns:
        python_pattern(pattern)


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("ModelApprovalStatus", "Approved", "Approved where nobody but a person approves"),
        ("ModelApprovalStatus", "Rejected", "Rejected where nobody but a person approves"),
        ("ModelApprovalStatus", {"Get": "Execution.PipelineName"}, "what an execution decides where nobody"),
        ("ModelLifeCycle", {"Stage": "Production", "StageStatus": "Approved"}, "is a person's to set"),
    ],
)
def test_a_definition_that_decides_on_its_own_version_is_refused(definition, member, value, said):
    arguments(definition, "Register")[member] = value
    (found,) = problems(definition)
    assert found.startswith(f"step Register.{member}: ")
    assert said in found


def test_a_version_registered_without_a_status_waits_as_well(definition):
    del arguments(definition, "Register")["ModelApprovalStatus"]
    assert problems(definition) == []
