"""The types of steps: which there are, which run here, and the calls that give them their form.

The list of types is botocore's PipelineExecutionStepMetadata; the forms of arguments are its Create shapes,
and those of properties its Describe shapes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from localaws import wire

CHECK_PROPERTIES = (
    "CalculatedBaselineConstraints",
    "CalculatedBaselineStatistics",
    "BaselineUsedForDriftCheckConstraints",
    "BaselineUsedForDriftCheckStatistics",
)
COMMON = ("Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description")


@dataclass(frozen=True)
class StepType:
    """The form of one type of step.

    Args:
        call: operation whose input shape the arguments have; none where they are free.
        given: the member of that shape that the pipeline fills in when it is absent.
        properties: operations whose answers the step's properties are.
        own_properties: properties that no operation answers.
        members: what may stand beside the arguments.
        required: what must.
    """

    call: str | None = None
    given: str | None = None
    properties: tuple[str, ...] = ()
    own_properties: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


_QUALITY = ("CheckType", "ModelPackageGroupName", "SkipCheck", "RegisterNewBaseline", "FailOnViolation",
            "SuppliedBaselineStatistics", "SuppliedBaselineConstraints")  # fmt: skip
_RETRIED = ("RetryPolicies",)
"""Of the types that the developer guide's page on retry policies names; Lambda steps, checks, … take none."""
_CACHED = ("CacheConfig",)

EXECUTED: dict[str, StepType] = {
    "Processing": StepType(
        "CreateProcessingJob",
        "ProcessingJobName",
        ("DescribeProcessingJob",),
        members=("PropertyFiles", *_RETRIED, *_CACHED),
    ),
    "Training": StepType(
        "CreateTrainingJob", "TrainingJobName", ("DescribeTrainingJob",), members=(*_RETRIED, *_CACHED)
    ),
    "Transform": StepType(
        "CreateTransformJob", "TransformJobName", ("DescribeTransformJob",), members=(*_RETRIED, *_CACHED)
    ),
    "Tuning": StepType(
        "CreateHyperParameterTuningJob",
        "HyperParameterTuningJobName",
        ("DescribeHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob"),
        members=(*_RETRIED, *_CACHED),
    ),
    "Model": StepType("CreateModel", "ModelName", ("DescribeModel",), members=_RETRIED),
    "RegisterModel": StepType("CreateModelPackage", None, ("DescribeModelPackage",), members=_RETRIED),
    "Condition": StepType(own_properties=("Outcome",)),
    "Callback": StepType(
        own_properties=("OutputParameters",),
        members=("SqsQueueUrl", "OutputParameters", *_CACHED),
        required=("SqsQueueUrl",),
    ),
    "Lambda": StepType(
        own_properties=("OutputParameters",),
        members=("FunctionArn", "OutputParameters", *_CACHED),
        required=("FunctionArn",),
    ),
    "QualityCheck": StepType(
        "CreateProcessingJob",
        "ProcessingJobName",
        own_properties=CHECK_PROPERTIES,
        members=(*_QUALITY, *_CACHED),
        required=("CheckType",),
    ),
    "ClarifyCheck": StepType(
        "CreateProcessingJob",
        "ProcessingJobName",
        own_properties=CHECK_PROPERTIES,
        members=(*_QUALITY, "ModelName", *_CACHED),
        required=("CheckType",),
    ),
    "Fail": StepType(),
}
"""The types that run here; every other type of botocore's list is refused by its name."""


@functools.cache
def known() -> frozenset[str]:
    """Return every type that SageMaker has, as definitions write it: Training for TrainingJob."""
    members = wire.service().shape_for("PipelineExecutionStepMetadata").members
    return frozenset(name.removesuffix("Job") or name for name in members)
