"""Errors planted in a real definition are found, each by its place; references may stand anywhere."""

import copy
import dataclasses
import json

import pytest

from localaws.definition import InvalidDefinition, parse
from pipeline.conftest import RELEASE
from pipeline.execution import DEFINITIONS, CannotStart, render
from pipeline.release import steps_of
from pipeline.settings import load
from pipeline.validation import problems, unresolved


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
    plant_missing: "Steps.Train.Arguments.OutputDataConfig: S3OutputPath is missing",
    plant_unknown: "Steps.Evaluate.Arguments.ProcessingResources.ClusterConfig.InstanceKind: is unknown",
    plant_mistyped: "Steps.Train.Arguments.ResourceConfig.VolumeSizeInGB: must be an integer",
    plant_bad_enum: "Steps.Train.Arguments.AlgorithmSpecification.TrainingInputMode: Tube isn't one of",
    plant_bad_pattern: "Steps.Baseline.Arguments.RoleArn: doesn't match",
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
    """Give the path of every text and of every reference that stands for one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, str) and key not in ("Get", "On") and "Values" not in path:
            yield (*path, key)
        elif key not in ("Std:Join", "Std:JsonGet"):
            yield from leaves(item, (*path, key))


@pytest.mark.parametrize("step", ["Preprocess", "Train", "Evaluate", "Baseline", "Register"])
@pytest.mark.parametrize(
    "reference",
    [
        {"Get": "Parameters.InputDataUrl"},
        {"Std:Join": {"On": "/", "Values": ["a", {"Get": "Execution.PipelineExecutionId"}]}},
    ],
)
def test_a_reference_may_stand_wherever_a_text_may_but_for_the_approval(definition, step, reference):
    others = [path for path in leaves(arguments(definition, step)) if path != ("ModelApprovalStatus",)]
    for path in others:
        changed = copy.deepcopy(definition)
        inner = arguments(changed, step)
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = reference
        assert problems(changed) == [], path


DANGLING = {
    "Parameters.Nothing": "isn't a parameter",
    "Execution.Nothing": "isn't a variable",
    "Steps.Nothing.ModelArtifacts": "names Nothing, which isn't a step of this pipeline",
    "Steps.Train": "",
    "Steps.Train.ModelArtifact": "",
    "Steps.Train.ModelArtifacts.S3ModelArtifacts.More": "",
    "Steps.Evaluate.PropertyFiles.Nothing": "isn't a property of a step of type Processing",
    "Steps.ResolveChampion.OutputParameters['Nothing']": "",
    "Steps.Gate.Nothing": "",
    "Something.Else": "",
}


@pytest.mark.parametrize(("reference", "wrong"), DANGLING.items())
def test_a_reference_that_leads_nowhere_is_found(definition, reference, wrong):
    arguments(definition, "Train")["HyperParameters"]["eta"] = {"Get": reference}
    (found,) = problems(definition)
    assert found.startswith("Steps.Train.Arguments.HyperParameters.eta: ")
    assert reference in found and wrong in found


def test_references_of_conditions_are_followed(definition):
    arguments(definition, "Gate")["Conditions"][0]["LeftValue"]["Std:JsonGet"]["PropertyFile"]["Get"] = "Steps.Nobody.X"
    (found,) = problems(definition)
    assert "Steps.Nobody.X names Nobody, which isn't a step of this pipeline" in found


def test_a_second_step_of_a_name_is_found(definition):
    definition["Steps"].append(copy.deepcopy(definition["Steps"][1]))
    assert problems(definition) == ["Steps.Preprocess: is the name of more than one step"]


def plant_cycle(definition):
    next(step for step in definition["Steps"] if step["Name"] == "Preprocess")["DependsOn"] = ["Train"]


def plant_self_reference(definition):
    arguments(definition, "Train")["HyperParameters"]["eta"] = {"Get": "Steps.Train.TrainingJobName"}


def plant_join_without_values(definition):
    arguments(definition, "Train")["HyperParameters"]["eta"] = {"Std:Join": {"On": "/"}}


def plant_fail_without_message(definition):
    step = next(step for step in steps_of(definition["Steps"]) if step["Type"] == "Fail")
    step["Arguments"] = {}


@pytest.mark.parametrize(
    "plant", [plant_cycle, plant_self_reference, plant_join_without_values, plant_fail_without_message]
)
def test_what_the_server_refuses_is_refused_before(definition, plant):
    plant(definition)
    found = problems(definition)
    with pytest.raises(InvalidDefinition) as refused:
        parse(json.dumps(definition))
    assert found[0] == str(refused.value)


def test_the_name_of_its_own_job_is_a_variable_of_a_training_step(definition):
    arguments(definition, "Train")["HyperParameters"]["eta"] = {"Get": "Execution.TrainingJobName"}
    assert problems(definition) == []


def test_what_a_release_leaves_open_or_lacks_is_found(definition):
    digests = RELEASE.images.values()
    assert unresolved(definition, digests) == []
    arguments(definition, "Train")["HyperParameters"]["eta"] = "${eta}"
    image = arguments(definition, "Evaluate")["AppSpecification"]
    image["ImageUri"] = image["ImageUri"].partition("@")[0] + "@sha256:" + "9" * 64
    account = image["ImageUri"].partition("/")[0]
    arguments(definition, "Baseline")["AppSpecification"]["ImageUri"] = f"{account}/mammography/impute:latest"
    assert unresolved(definition, digests) == [
        "${eta} is left open",
        "image mammography/evaluate isn't one of the release's",
        "image mammography/impute isn't one of the release's",
    ]


def test_a_release_without_an_image_that_a_step_names_renders_nothing(prod):
    images = {step: digest for step, digest in RELEASE.images.items() if step != "evaluate"}
    with pytest.raises(CannotStart, match=r"\$\{evaluate_digest\} is left open"):
        render(prod, "train", dataclasses.replace(RELEASE, images=images))


def test_a_step_of_an_unknown_type_is_found(definition):
    definition["Steps"][1]["Type"] = "Process"
    (found,) = problems(definition)
    assert found.startswith("Steps.Preprocess.Type: Process isn't a type of step")


def test_a_function_without_an_arn_is_found(definition):
    del definition["Steps"][0]["FunctionArn"]
    assert problems(definition) == ["Steps.ResolveChampion: FunctionArn is missing"]


LIMITS = {
    "zero": ("Train", ["StoppingCondition", "MaxRuntimeInSeconds"], 0, "must be at least 1"),
    "long": ("Register", ["CustomerMetadataProperties", "Reason"], "x" * 257, "has 257 characters, and at most 256"),
    "empty": ("Train", ["InputDataConfig"], [], "has 0 items, and at least 1"),
    "many": ("Train", ["HyperParameters"], {f"k{n}": "" for n in range(101)}, "has 101 entries, and at most 100"),
    "boolean": ("Train", ["ResourceConfig", "VolumeSizeInGB"], True, "must be an integer"),
    "text": ("Train", ["EnableNetworkIsolation"], "true", "must be a boolean"),
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
    with pytest.raises(CannotStart, match=f"^{pipeline} definition: Steps.*VolumeSizeInGB: must be at least 1"):
        render(wrong, pipeline, RELEASE)


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
    assert found.startswith(f"Steps.Register.Arguments.{member}: ")
    assert said in found


def test_a_version_registered_without_a_status_waits_as_well(definition):
    del arguments(definition, "Register")["ModelApprovalStatus"]
    assert problems(definition) == []
