"""What this project emits is what the SDK emits for the same steps, but for differences that have a reason."""

import json

import pytest

from pipeline import settings
from pipeline.difference import differences
from pipeline.execution import render
from pipeline.names import FUNCTIONS, PIPELINES, STEPS
from pipeline.release import Release, steps_of
from tests.sdk.emitted import Emitted

RELEASE = Release(
    version="1.4.0",
    git_commit="0123456789abcdef0123456789abcdef01234567",
    images={step: "sha256:" + f"{number:064x}" for number, step in enumerate(STEPS, 1)},
    functions={name: str(number) for number, name in enumerate(FUNCTIONS, 7)},
)
EXPERIMENT = {
    "ExperimentName": {"Get": "Execution.PipelineName"},
    "TrialName": {"Get": "Execution.PipelineExecutionId"},
}
"""The SDK files every execution under an experiment; here the lineage is in the version's own metadata, and the
pipeline's role may not make experiments."""


def debugging(environment):
    prefix = f"s3://mammography-models-222222222222/{environment}/mammography-train"
    return {
        "S3OutputPath": {"Std:Join": {"On": "/", "Values": [prefix, {"Get": "Execution.PipelineExecutionId"}, "train"]}}
    }


def explained(pipeline, environment):
    """Path → (what is here, what the SDK has instead), each with its reason."""
    if pipeline == "inference":
        create = "Steps[CheckVerdict].Arguments.ElseSteps[CreateModel]"
        return {
            # The SDK's ModelStep names what it emits after itself and the call; a name is free.
            f"{create}.Name": ("CreateModel", "Create-CreateModel"),
            "Steps[CheckVerdict].Arguments.ElseSteps[Transform].Arguments.ModelName.Get": (
                "Steps.CreateModel.ModelName",
                "Steps.Create-CreateModel.ModelName",
            ),
            # An empty environment is none.
            f"{create}.Arguments.PrimaryContainer.Environment": (None, {}),
            "PipelineExperimentConfig": (None, EXPERIMENT),
        }
    if pipeline == "quality":
        return {"PipelineExperimentConfig": (None, EXPERIMENT)}
    register = "Steps[Gate].Arguments.IfSteps[Register]"
    return {
        # The SDK lets every training be debugged and profiled; this image brings no hook for either, and a
        # profiler would write beside the model what nobody reads.
        "Steps[Train].Arguments.DebugHookConfig": (None, {**debugging(environment), "CollectionConfigurations": []}),
        "Steps[Train].Arguments.ProfilerConfig": (None, {**debugging(environment), "DisableProfiler": False}),
        f"{register}.Name": ("Register", "Register-RegisterModel"),
        f"{register}.Arguments.InferenceSpecification.Containers[0].Environment": (None, {}),
        # Empty metrics are none.
        f"{register}.Arguments.ModelMetrics.Bias": (None, {}),
        f"{register}.Arguments.ModelMetrics.Explainability": (None, {}),
        # CreateModelPackage's own default, said aloud.
        f"{register}.Arguments.SkipModelValidation": (None, "None"),
        "PipelineExperimentConfig": (None, EXPERIMENT),
    }


def without_nulls(value):
    """The SDK writes null where it says nothing."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("environment", ["dev", "prod"])
@pytest.mark.parametrize("pipeline", PIPELINES)
class TestSameAsTheSdk:
    def test_every_difference_has_a_reason(self, pipeline, environment):
        chosen = settings.load(environment, local=False)
        ours = render(chosen, pipeline, RELEASE).render()
        theirs = without_nulls(getattr(Emitted(chosen, RELEASE), pipeline)())
        found = {path: (left, right) for path, left, right in differences(ours, theirs)}
        assert found == explained(pipeline, environment)

    def test_the_steps_are_compared_one_by_one(self, pipeline, environment):
        """The comparison above would say little if the two had but few steps in common."""
        chosen = settings.load(environment, local=False)
        ours = list(steps_of(render(chosen, pipeline, RELEASE).render()["Steps"]))
        theirs = list(steps_of(getattr(Emitted(chosen, RELEASE), pipeline)()["Steps"]))
        assert [step["Type"] for step in ours] == [step["Type"] for step in theirs]
        assert len(ours) == {"train": 9, "inference": 7, "quality": 4}[pipeline]


def test_a_difference_without_a_reason_is_found():
    chosen = settings.load("prod", local=False)
    theirs = without_nulls(Emitted(chosen, RELEASE).train())
    ours = json.loads(json.dumps(render(chosen, "train", RELEASE).render()))
    ours["Steps"][2]["Arguments"]["EnableNetworkIsolation"] = False
    found = {path for path, _, _ in differences(ours, theirs)}
    assert found - set(explained("train", "prod")) == {"Steps[Train].Arguments.EnableNetworkIsolation"}
