"""Every type of step that botocore knows: read and executed here, or refused by its name."""

import pytest

from localaws import wire
from localaws.definition import EXECUTED, InvalidDefinition
from localaws.definition.steptypes import known
from localaws.engine import steps as engine

ROLE = "arn:aws:iam::111111111111:role/job"
S3_OUTPUT = {"S3Uri": "s3://bucket/out", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
PROCESSING = {
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
    "AppSpecification": {"ImageUri": "image"},
    "RoleArn": ROLE,
    "ProcessingOutputConfig": {"Outputs": [{"OutputName": "result", "S3Output": S3_OUTPUT}]},
}
TRAINING = {
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": ROLE,
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
SOURCE = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}
STEPS = {
    "Processing": {"Arguments": PROCESSING},
    "Training": {"Arguments": TRAINING},
    "Transform": {
        "Arguments": {
            "ModelName": "model",
            "TransformInput": {"DataSource": SOURCE},
            "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }
    },
    "Tuning": {
        "Arguments": {
            "HyperParameterTuningJobConfig": {
                "Strategy": "Random",
                "ResourceLimits": {"MaxParallelTrainingJobs": 1},
            },
            "TrainingJobDefinition": {
                **{name: TRAINING[name] for name in ("RoleArn", "OutputDataConfig", "StoppingCondition")},
                "AlgorithmSpecification": TRAINING["AlgorithmSpecification"],
                "ResourceConfig": TRAINING["ResourceConfig"],
            },
        }
    },
    "Model": {"Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "image"}}},
    "RegisterModel": {"Arguments": {"ModelPackageGroupName": "group"}},
    "Condition": {"Arguments": {"Conditions": [], "IfSteps": [], "ElseSteps": []}},
    "Callback": {
        "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/111111111111/queue",
        "Arguments": {"any": "thing"},
        "OutputParameters": [{"OutputName": "Answer", "OutputType": "Integer"}],
    },
    "Lambda": {
        "FunctionArn": "arn:aws:lambda:us-east-1:111111111111:function:f",
        "Arguments": {"any": ["thing", {"Get": "Execution.PipelineName"}]},
        "OutputParameters": [{"OutputName": "Answer", "OutputType": "Boolean"}],
    },
    "QualityCheck": {
        "CheckType": "DATA_QUALITY",
        "ModelPackageGroupName": "group",
        "SkipCheck": {"Get": "Parameters.Skip"},
        "RegisterNewBaseline": False,
        "FailOnViolation": True,
        "SuppliedBaselineConstraints": "s3://bucket/constraints.json",
        "SuppliedBaselineStatistics": {"Get": "Parameters.Statistics"},
        "Arguments": PROCESSING,
    },
    "ClarifyCheck": {"CheckType": "DATA_BIAS", "ModelPackageGroupName": "group", "Arguments": PROCESSING},
    "Fail": {"Arguments": {"ErrorMessage": "reason"}},
}
PARAMETERS = [{"Name": "Skip", "Type": "Boolean"}, {"Name": "Statistics"}]
PROPERTIES = {
    "Processing": ["ProcessingJobArn", "ProcessingOutputConfig.Outputs['result'].S3Output.S3Uri", "ExitMessage"],
    "Training": ["ModelArtifacts.S3ModelArtifacts", "FinalMetricDataList['auc'].Value", "TrainingJobName"],
    "Transform": ["TransformOutput.S3OutputPath", "TransformJobName"],
    "Tuning": ["BestTrainingJob.TrainingJobName", "TrainingJobSummaries[0].TrainingJobName"],
    "Model": ["ModelName", "PrimaryContainer.ModelDataUrl"],
    "RegisterModel": ["ModelPackageArn", "ModelPackageVersion"],
    "Condition": ["Outcome"],
    "Callback": ["OutputParameters['Answer']"],
    "Lambda": ["OutputParameters.Answer"],
    "QualityCheck": ["CalculatedBaselineConstraints", "BaselineUsedForDriftCheckStatistics"],
    "ClarifyCheck": ["CalculatedBaselineConstraints", "BaselineUsedForDriftCheckConstraints"],
    "Fail": [],
}


def test_every_type_that_botocore_knows_is_executed_or_refused_by_name(read):
    members = wire.service().shape_for("PipelineExecutionStepMetadata").members
    assert len(known()) == len(members)
    for kind in known() - set(EXECUTED):
        with pytest.raises(InvalidDefinition, match=f"steps of type {kind} can't run here"):
            read({"Name": "Step", "Type": kind, "Arguments": {}})


def test_what_is_said_to_run_is_what_the_engine_runs():
    assert set(EXECUTED) <= known()
    assert set(EXECUTED) == set(engine._ACTS) == set(STEPS)


@pytest.mark.parametrize("kind", EXECUTED)
def test_a_step_of_each_type_is_read(read, kind):
    step = read({"Name": "Step", "Type": kind, **STEPS[kind]}, Parameters=PARAMETERS).steps["Step"]
    assert step.type == kind
    assert step.arguments == STEPS[kind]["Arguments"]
    assert step.settings == {name: value for name, value in STEPS[kind].items() if name != "Arguments"}


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in PROPERTIES.items() for path in paths])
def test_properties_of_each_type_can_be_referred_to(read, fail, kind, path):
    message = {"Std:Join": {"Values": [{"Get": f"Steps.Step.{path}"}]}}
    definition = read({"Name": "Step", "Type": kind, **STEPS[kind]}, fail(message=message), Parameters=PARAMETERS)
    assert definition.dependencies()["Stop"] == {"Step"}


@pytest.mark.parametrize("kind", EXECUTED)
def test_properties_that_a_type_doesnt_have_are_refused(read, fail, kind):
    message = {"Get": "Steps.Step.Nonsense"}
    with pytest.raises(InvalidDefinition, match=f"Nonsense isn't a property of a step of type {kind}"):
        read({"Name": "Step", "Type": kind, **STEPS[kind]}, fail(message=message), Parameters=PARAMETERS)


@pytest.mark.parametrize(
    ("kind", "change", "path", "sentence"),
    [
        ("Lambda", {"FunctionArn": None}, "", "FunctionArn is missing"),
        ("Lambda", {"FunctionArn": ["f"]}, ".FunctionArn", "must be a text or a reference"),
        ("Lambda", {"FunctionArn": ...}, "", "FunctionArn is missing"),
        ("Lambda", {"OutputParameters": "x"}, ".OutputParameters", "must be a list"),
        ("Lambda", {"OutputParameters": [{}]}, ".OutputParameters[0]", "OutputName is missing"),
        (
            "Lambda",
            {"OutputParameters": [{"OutputName": "A", "OutputType": "Text"}]},
            ".OutputParameters[0].OutputType",
            "must be one of String, Integer, Float, Boolean",
        ),
        ("Lambda", {"RetryPolicies": []}, ".RetryPolicies", "is unknown"),
        ("Callback", {"RetryPolicies": []}, ".RetryPolicies", "is unknown"),
        ("Condition", {"RetryPolicies": []}, ".RetryPolicies", "is unknown"),
        ("Fail", {"RetryPolicies": []}, ".RetryPolicies", "is unknown"),
        ("QualityCheck", {"RetryPolicies": []}, ".RetryPolicies", "is unknown"),
        ("ClarifyCheck", {"RetryPolicies": []}, ".RetryPolicies", "is unknown"),
        *[
            (
                kind,
                {"RetryPolicies": [{"ExceptionType": [exception], "MaxAttempts": 2}]},
                ".RetryPolicies[0].ExceptionType",
                "must be one of Step.SERVICE_FAULT, Step.THROTTLING",
            )
            for kind in ("Model", "RegisterModel")
            for exception in ("SageMaker.CAPACITY_ERROR", "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.RESOURCE_LIMIT")
        ],
        ("Callback", {"SqsQueueUrl": 1}, ".SqsQueueUrl", "must be a text or a reference"),
        ("Callback", {"SqsQueueUrl": ...}, "", "SqsQueueUrl is missing"),
        ("Fail", {"Arguments": {}}, ".Arguments", "ErrorMessage is missing"),
        ("Fail", {"Arguments": {"ErrorMessage": {"a": 1}}}, ".Arguments.ErrorMessage", "must be a text or a reference"),
        ("Fail", {"Arguments": {"ErrorMessage": "x", "Code": 1}}, ".Arguments.Code", "is unknown"),
        ("Fail", {"CacheConfig": {}}, ".CacheConfig", "is unknown"),
        ("QualityCheck", {"CheckType": ...}, "", "CheckType is missing"),
        ("QualityCheck", {"SkipCheck": "no"}, ".SkipCheck", "must be true, false or a reference"),
        ("QualityCheck", {"SuppliedBaselineStatistics": 1}, ".SuppliedBaselineStatistics", "must be a text or a refe"),
        ("Training", {"PropertyFiles": []}, ".PropertyFiles", "is unknown"),
        ("Model", {"CacheConfig": {}}, ".CacheConfig", "is unknown"),
        ("RegisterModel", {"Arguments": {"ModelApprovalStatus": "Yes"}}, ".Arguments.ModelApprovalStatus", "Yes isn't"),
    ],
)
def test_what_a_type_doesnt_take_is_refused(read, kind, change, path, sentence):
    step = {"Name": "Step", "Type": kind, **STEPS[kind], **change}
    step = {member: value for member, value in step.items() if value is not ...}
    with pytest.raises(InvalidDefinition) as caught:
        read(step, Parameters=PARAMETERS)
    assert caught.value.path == f"Steps.Step{path}"
    assert caught.value.message.startswith(sentence)


@pytest.mark.parametrize("kind", ["Processing", "Training", "Transform", "Tuning", "Model", "RegisterModel"])
def test_retry_policies_stand_where_the_developer_guide_has_them(read, kind):
    policies = [{"ExceptionType": ["Step.SERVICE_FAULT"], "ExpireAfterMin": 5}]
    step = read({"Name": "Step", "Type": kind, **STEPS[kind], "RetryPolicies": policies}, Parameters=PARAMETERS)
    assert step.steps["Step"].retry_policies[0].expire_after_minutes == 5


def test_what_is_null_is_absent(read):
    """The SDK writes baselines that weren't supplied as null."""
    step = {"Name": "Step", "Type": "QualityCheck", **STEPS["QualityCheck"], "SuppliedBaselineStatistics": None}
    assert "SuppliedBaselineStatistics" not in read(step, Parameters=PARAMETERS).steps["Step"].settings


def test_names_of_jobs_are_known_to_their_own_steps_only(read):
    for kind, variable in (("Training", "TrainingJobName"), ("Processing", "ProcessingJobName")):
        step = {"Name": "Step", "Type": kind, "Arguments": {**STEPS[kind]["Arguments"], "Environment": {}}}
        step["Arguments"]["Environment"]["NAME"] = {"Get": f"Execution.{variable}"}
        read(step)
        other = "Processing" if kind == "Training" else "Training"
        step = {"Name": "Step", "Type": other, "Arguments": {**STEPS[other]["Arguments"]}}
        step["Arguments"]["Environment"] = {"NAME": {"Get": f"Execution.{variable}"}}
        with pytest.raises(InvalidDefinition, match=f"Execution.{variable} isn't a variable of an execution here"):
            read(step)
