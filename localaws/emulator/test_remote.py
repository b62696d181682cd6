"""localaws in front of an emulator that is a process of its own, as LocalStack would be."""

import json
import os
import socket
import time
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from localaws.access.test_signatures import send
from localaws.conftest import REGION, Account, serving, signed
from localaws.events.test_delivery import messages, queue


@pytest.fixture(scope="module")
def account(emulator, tmp_path_factory):
    """An account of a localaws in front of that emulator."""
    with serving(tmp_path_factory.mktemp("localaws"), "--emulator", emulator) as address:
        yield Account(address, "444444444444")


def test_objects_go_through_whole(account):
    s3, bucket = account.client("s3"), account.bucket("through-and-through")
    content = os.urandom(3 << 20)
    s3.put_object(Bucket=bucket, Key="a b/ü+.bin", Body=content)
    assert s3.get_object(Bucket=bucket, Key="a b/ü+.bin")["Body"].read() == content
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a b/ü+.bin"]


def test_new_objects_and_own_events_start_pipelines(account):
    role = account.role("runs", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Key", "Type": "String"}],
        "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Key"}}}],
    }
    sagemaker, events = account.client("sagemaker"), account.client("events")
    arn = sagemaker.create_pipeline(
        PipelineName="listens", ClientRequestToken="x" * 32, RoleArn=role, PipelineDefinition=json.dumps(definition)
    )["PipelineArn"]
    bucket = account.bucket("tells-of-its-objects")
    account.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    values = [{"Name": "Key", "Value": "$.detail.object.key"}]
    target = {"Id": "1", "Arn": arn, "RoleArn": role}
    target["SageMakerPipelineParameters"] = {"PipelineParameterList": values}
    events.put_rule(Name="arrives", EventPattern=json.dumps({"source": ["aws.s3", "own"]}))
    events.put_targets(Rule="arrives", Targets=[target])

    account.client("s3").put_object(Bucket=bucket, Key="arrived.csv", Body=b"1")
    detail = json.dumps({"object": {"key": "said.csv"}})
    events.put_events(Entries=[{"Source": "own", "DetailType": "x", "Detail": detail}])
    while len(found := sagemaker.list_pipeline_executions(PipelineName="listens")["PipelineExecutionSummaries"]) < 2:
        time.sleep(0.05)
    keys = {
        sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=item["PipelineExecutionArn"])[
            "PipelineParameters"
        ][0]["Value"]
        for item in found
    }
    assert keys == {"arrived.csv", "said.csv"}


def test_events_of_sagemaker_reach_the_emulators_queues(account):
    url, arn = queue(account, "models")
    events = account.client("events")
    events.put_rule(Name="models", EventPattern=json.dumps({"detail-type": ["SageMaker Model State Change"]}))
    events.put_targets(Rule="models", Targets=[{"Id": "1", "Arn": arn}])
    image = f"{account.number}.dkr.ecr.{REGION}.amazonaws.com/x@sha256:{'0' * 64}"
    account.client("sagemaker").create_model(ModelName="told", PrimaryContainer={"Image": image})
    (message,) = messages(account, url)
    assert json.loads(message["Body"])["detail"]["ModelName"] == "told"


def test_another_accounts_root_is_refused_as_with_the_built_in_emulator(account):
    other, bucket = Account(account.address), account.bucket("of-one-account-alone")
    account.client("s3").put_object(Bucket=bucket, Key="a", Body=b"secret")
    role = account.role("alone", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    s3 = other.client("s3")
    copied = {"Bucket": bucket, "Key": "b", "CopySource": {"Bucket": bucket, "Key": "a"}}
    for call, more in (
        (s3.get_object, {"Bucket": bucket, "Key": "a"}), (s3.put_object, {"Bucket": bucket, "Key": "a", "Body": b"x"}),
        (s3.list_objects_v2, {"Bucket": bucket}), (s3.delete_bucket, {"Bucket": bucket}), (s3.copy_object, copied),
        (other.client("sts").assume_role, {"RoleArn": role, "RoleSessionName": "x" * 8}),
    ):  # fmt: skip
        with pytest.raises(ClientError, match="AccessDenied"):
            call(**more)
    url = urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"}))
    assert send(account.address, "GET", f"{url.path}?{url.query}")[0] == 403
    assert send(account.address, "GET", f"/{bucket}/a")[0] == 403
    policy = {"Effect": "Allow", "Principal": {"AWS": other.number}, "Action": "s3:GetObject"}
    statement = policy | {"Resource": f"arn:aws:s3:::{bucket}/*"}
    account.client("s3").put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"secret"


def test_no_door_of_the_emulator_is_open(account):
    bucket = account.bucket("still-here")
    signature = signed("s3", account.number)
    for path in (
        "/_ministack/reset",
        f"/{bucket}/../_ministack/reset",
        f"/{bucket}/%2e%2e/_ministack/reset",
        "/health",
    ):
        for method in ("GET", "POST", "PUT"):
            for headers in ({}, signature):
                send(account.address, method, path, headers)
    assert "still-here" in [item["Name"] for item in account.client("s3").list_buckets()["Buckets"]]
    account.client("s3").put_object(Bucket=bucket, Key="a/../b", Body=b"dots")
    assert [item["Key"] for item in account.client("s3").list_objects_v2(Bucket=bucket)["Contents"]][-1] == "a/../b"


def test_an_emulator_that_is_not_there_is_named(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with serving(tmp_path, "--emulator", gone) as address, pytest.raises(Exception, match="502"):
        Account(address).client("s3").list_buckets()
