import base64
import json
import time

import pytest
from botocore.exceptions import ClientError

from localaws.conftest import REGION, allow, ended


@pytest.fixture
def sagemaker(account):
    return account.client("sagemaker")


def make(sagemaker, *names):
    for name in names:
        sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": "python"})


def pages(call, member, **asked):
    """The names on each page."""
    found, token = [], {}
    while True:
        answer = call(**asked, **token)
        found.append([item["ModelName"] for item in answer[member]])
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}


NAMES = [f"m{number:02d}" for number in (7, 3, 9, 1, 8, 2, 6, 0, 5, 4)]


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        ({}, NAMES[::-1]),
        ({"SortOrder": "Ascending"}, NAMES),
        ({"SortBy": "CreationTime", "SortOrder": "Descending"}, NAMES[::-1]),
        ({"SortBy": "Name", "SortOrder": "Ascending"}, sorted(NAMES)),
        ({"SortBy": "Name"}, sorted(NAMES)[::-1]),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 5, 10, 100])
def test_pages_hold_everything_once_and_in_order(sagemaker, asked, order, size):
    make(sagemaker, *NAMES)
    found = pages(sagemaker.list_models, "Models", **asked, MaxResults=size)
    assert [name for page in found for name in page] == order
    assert all(len(page) == size for page in found[:-1]) and len(found[-1]) <= size


def test_a_page_has_ten_unless_asked_otherwise(sagemaker):
    make(sagemaker, *NAMES, "m10")
    assert [len(page) for page in pages(sagemaker.list_models, "Models")] == [10, 1]


def test_what_arrives_between_two_pages_neither_repeats_nor_hides_others(sagemaker):
    make(sagemaker, *NAMES)
    first = sagemaker.list_models(MaxResults=4)
    make(sagemaker, "new")
    sagemaker.delete_model(ModelName=NAMES[-1])
    sagemaker.delete_model(ModelName=NAMES[-4])
    rest = sagemaker.list_models(MaxResults=100, NextToken=first["NextToken"])
    seen = [item["ModelName"] for item in first["Models"] + rest["Models"]]
    assert seen == NAMES[::-1]


def test_names_and_times_are_filters(sagemaker):
    make(sagemaker, "train-a", "Train-b")
    time.sleep(0.01)
    middle = sagemaker.describe_model(ModelName="Train-b")["CreationTime"].timestamp() + 0.005
    make(sagemaker, "train-c", "other")

    def names(**asked):
        return {item["ModelName"] for item in sagemaker.list_models(**asked)["Models"]}

    assert names(NameContains="TRAIN") == {"train-a", "Train-b", "train-c"}
    assert names(CreationTimeAfter=middle) == {"train-c", "other"}
    assert names(CreationTimeBefore=middle) == {"train-a", "Train-b"}
    assert names(CreationTimeBefore=middle, NameContains="b") == {"Train-b"}


def test_statuses_and_prefixes_are_filters(account, sagemaker):
    role = account.role("r", allow("s3:*"))
    cluster = {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}}
    for name, code in (("good", "pass"), ("bad", "raise SystemExit(1)")):
        sagemaker.create_processing_job(
            ProcessingJobName=name, RoleArn=role, AppSpecification={"ImageUri": "python"}, ProcessingResources=cluster,
            Environment={"CODE": code},
        )  # fmt: skip
        ended(lambda name=name: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")
    failed = sagemaker.list_processing_jobs(StatusEquals="Failed")["ProcessingJobSummaries"]
    assert [item["ProcessingJobName"] for item in failed] == ["bad"]
    by_status = sagemaker.list_processing_jobs(SortBy="Status", SortOrder="Ascending")["ProcessingJobSummaries"]
    assert [item["ProcessingJobStatus"] for item in by_status] == ["Completed", "Failed"]

    definition = {"Version": "2020-12-01", "Steps": [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}]}
    for name in ("a-1", "a-2", "b-1"):
        sagemaker.create_pipeline(
            PipelineName=name, ClientRequestToken=name * 12, RoleArn=role, PipelineDefinition=json.dumps(definition)
        )
    found = sagemaker.list_pipelines(PipelineNamePrefix="a")["PipelineSummaries"]
    assert {item["PipelineName"] for item in found} == {"a-1", "a-2"}
    assert sagemaker.list_pipelines(PipelineNamePrefix="1")["PipelineSummaries"] == []


def test_training_jobs_are_filtered_by_plan_and_warm_pool(account, sagemaker):
    plan = f"arn:aws:sagemaker:{REGION}:{account.number}:training-plan/plan"
    for name, more in (("planned", {"TrainingPlanArn": plan}), ("plain", {})):
        sagemaker.create_training_job(
            TrainingJobName=name,
            RoleArn=account.role(name),
            AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
            OutputDataConfig={"S3OutputPath": "s3://nowhere"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1, **more},
            StoppingCondition={"MaxRuntimeInSeconds": 60},
        )
    found = sagemaker.list_training_jobs(TrainingPlanArnEquals=plan)["TrainingJobSummaries"]
    assert [item["TrainingJobName"] for item in found] == ["planned"]
    assert sagemaker.list_training_jobs(WarmPoolStatusEquals="Available")["TrainingJobSummaries"] == []
    assert len(sagemaker.list_training_jobs()["TrainingJobSummaries"]) == 2


def test_an_account_sees_its_own(account, other):
    make(account.client("sagemaker"), "mine")
    assert other.client("sagemaker").list_models()["Models"] == []


@pytest.mark.parametrize(
    "token",
    [
        "x", "é", base64.urlsafe_b64encode(b"[]").decode(), base64.urlsafe_b64encode(b"1").decode(),
        base64.urlsafe_b64encode(json.dumps(["created", "1", 1]).encode()).decode(),
        base64.urlsafe_b64encode(json.dumps(["created", 1, "1"]).encode()).decode(),
    ],
)  # fmt: skip
def test_a_token_of_nobody_s_is_refused(sagemaker, token):
    make(sagemaker, "a", "b")
    with pytest.raises(ClientError, match="The NextToken is not one that this operation gave"):
        sagemaker.list_models(NextToken=token)


def test_a_token_counts_for_its_own_sorting(sagemaker):
    make(sagemaker, "a", "b")
    token = sagemaker.list_models(SortBy="Name", MaxResults=1)["NextToken"]
    with pytest.raises(ClientError, match="NextToken"):
        sagemaker.list_models(SortBy="CreationTime", NextToken=token)
