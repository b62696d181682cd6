"""What SageMaker's events look like: those that localaws sends against those that AWS documents."""

import json
import re
import time
from pathlib import Path

import pytest

from localaws.conftest import REGION, Account, allow, ended
from localaws.events.test_delivery import queue, read

DOCUMENTED = {path.stem: json.loads(path.read_text())["event"] for path in Path(__file__).parent.glob("documented/*")}
EXACT = ("pipeline-execution", "pipeline-step")
"""Events of which every member is documented; the others tell what Describe… answers, which grows."""

OPEN = ("HyperParameters", "StaticHyperParameters", "Environment", "Tags", "ExperimentConfig", "metadata")
"""Members whose own members are the caller's, or a step's kind's."""

PATIENCE = 120
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def sent(address):
    """All events that SageMaker sends while one of everything runs, by their detail-type."""
    account = Account(address)
    url, arn = queue(account)
    events = account.client("events")
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.put_targets(Rule="all", Targets=[{"Id": "one", "Arn": arn}])
    bucket = account.bucket()
    role = account.role("works", allow("*"))
    account.client("s3").put_object(Bucket=bucket, Key="in/rows.csv", Body=b"1,2\n")
    run_everything(account, role, bucket)
    sqs, found, wanted = account.client("sqs"), [], {event["detail-type"] for event in DOCUMENTED.values()}
    deadline = time.monotonic() + PATIENCE
    quiet = 0
    # Deliveries are done when nothing has come for some looks, and something of each kind has.
    while quiet < 10 and time.monotonic() < deadline:
        new = [json.loads(message["Body"]) for message in read(sqs, url)]
        found += new
        complete = wanted <= {event["detail-type"] for event in found}
        quiet = quiet + 1 if complete and not new else 0
        if not new:
            time.sleep(0.1)
    return found


def given(name, *members):
    """Members of a documented event as a request's."""
    return {member: DOCUMENTED[name]["detail"][member] for member in members}


def run_everything(account, role, bucket):
    """A pipeline, one job of each kind, a model and a model package; each ends as its documented event says."""
    sagemaker = account.client("sagemaker")

    def local(value):
        text = json.dumps(value).replace("s3://works", f"s3://{bucket}")
        return json.loads(re.sub(r"arn:aws:iam::\d+:role/works", role, text))

    processing = local(
        given(
            "processing-job", "ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "StoppingCondition",
            "AppSpecification", "NetworkConfig", "RoleArn", "ExperimentConfig",
        )
    )  # fmt: skip
    step = {"Name": "Work", "Type": "Processing", "Arguments": processing}
    sagemaker.create_pipeline(
        PipelineName="works",
        ClientRequestToken="x" * 32,
        RoleArn=role,
        PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": [step]}),
    )
    execution = sagemaker.start_pipeline_execution(
        PipelineName="works",
        ClientRequestToken="x" * 32,
        PipelineExecutionDisplayName="run",
        PipelineExecutionDescription="first",
    )["PipelineExecutionArn"]
    sagemaker.create_processing_job(
        ProcessingJobName="works", Environment={"CODE": "raise SystemExit(1)"}, **processing
    )
    sagemaker.create_training_job(
        **local(
            given(
                "training-job", "TrainingJobName", "HyperParameters", "AlgorithmSpecification", "RoleArn",
                "InputDataConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition",
            )
        )
    )  # fmt: skip
    definition = local(given("tuning-job", "TrainingJobDefinition"))["TrainingJobDefinition"]
    definition["StaticHyperParameters"] = {"code": "print('auc=0.9')"}
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="works",
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "auc"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0", "MaxValue": "1"}]},
        },
        TrainingJobDefinition=definition,
    )
    sagemaker.create_model(ModelName="works", PrimaryContainer={"Image": "any"}, ExecutionRoleArn=role)
    sagemaker.create_transform_job(
        **local(
            given(
                "transform-job", "TransformJobName", "ModelName", "MaxConcurrentTransforms", "MaxPayloadInMB",
                "BatchStrategy", "Environment", "TransformInput", "TransformOutput", "TransformResources",
            )
        )
    )  # fmt: skip
    sagemaker.create_model_package_group(ModelPackageGroupName="works")
    package = local(
        given("model-package", "InferenceSpecification", "MetadataProperties", "ModelMetrics", "ModelLifeCycle")
    )
    container = package["InferenceSpecification"]["Containers"][0]
    container["Image"] += "@" + container["ImageDigest"]
    package["MetadataProperties"] = {"GeneratedBy": execution}
    version = sagemaker.create_model_package(
        ModelPackageGroupName="works", ModelApprovalStatus="PendingManualApproval", **package
    )["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=version, ModelApprovalStatus="Rejected")
    for kind in ("Processing", "Training", "Transform", "HyperParameterTuning"):
        name = re.sub("(?<!^)(?=[A-Z])", "_", kind).lower()
        describe = getattr(sagemaker, f"describe_{name}_job")
        ended(lambda describe=describe, kind=kind: describe(**{f"{kind}JobName": "works"}), f"{kind}JobStatus")
    ended(lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution), "PipelineExecutionStatus")


def form(arn):
    """An ARN without what differs from account to account and from run to run."""
    return re.sub("[0-9]{12}|[a-z0-9]{12}$", "", arn)


def matching(sent, name):
    """The last event of a documented one's type, resources and status."""
    documented = DOCUMENTED[name]
    detail = documented["detail"]
    status = [member for member in detail if member.endswith("Status") and "previous" not in member]
    found = [
        event
        for event in sent
        if event["detail-type"] == documented["detail-type"]
        and [form(arn) for arn in event["resources"]] == [form(arn) for arn in documented["resources"]]
        and all(event["detail"].get(member) == detail[member] for member in status)
    ]
    assert found, [event["detail"] for event in sent if event["detail-type"] == documented["detail-type"]]
    return found[-1]


def kind(value):
    """A value's type; dates are a type of their own."""
    if isinstance(value, str):
        return "date" if TIME.fullmatch(value) else "text"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def differences(documented, told, path="detail"):
    """What is missing, or of another type, in what was told."""
    if kind(documented) != kind(told):
        yield f"{path} is {kind(told)} and documented as {kind(documented)}"
    elif isinstance(documented, dict) and path.rsplit(".", 1)[-1] not in OPEN:
        for name, value in documented.items():
            if name not in told:
                yield f"{path}.{name} is missing"
            else:
                yield from differences(value, told[name], f"{path}.{name}")
    elif isinstance(documented, list) and documented:
        if not told:
            yield f"{path} is empty"
        for value in told[:1]:
            yield from differences(documented[0], value, f"{path}[]")


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_an_event_is_as_documented(sent, name):
    documented, told = DOCUMENTED[name], matching(sent, name)
    assert set(told) == set(documented)
    assert [kind(told[member]) for member in documented] == [kind(value) for value in documented.values()]
    assert (told["source"], told["region"], told["version"]) == ("aws.sagemaker", REGION, "0")
    if name == "model-package":
        assert told["detail"]["UpdatedModelPackageFields"] == ["ModelApprovalStatus"]
    assert list(differences(documented["detail"], told["detail"])) == []
    if name in EXACT:
        assert set(told["detail"]) == set(documented["detail"])


def test_what_is_not_yet_is_not_told(sent):
    execution = next(event for event in sent if "Execution Status" in event["detail-type"])["detail"]
    assert execution["currentPipelineExecutionStatus"] == "Executing"
    assert "executionEndTime" not in execution and "previousPipelineExecutionStatus" not in execution
    ends = [event["detail"] for event in sent if event["detail"].get("currentStepStatus") == "Succeeded"]
    assert len(ends) == 1 and "failureReason" not in ends[0] and "cacheHitResult" not in ends[0]
    assert not [event for event in sent if any(name.startswith("_") for name in event["detail"])]
