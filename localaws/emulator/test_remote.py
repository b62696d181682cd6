"""localaws in front of an emulator that is a process of its own, as LocalStack would be."""

import datetime
import io
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from localaws.conftest import REGION, Account, send, serving, signed
from localaws.emulator import home
from localaws.events.test_delivery import messages, queue
from localaws.settings import WrongSetting
from localaws.store import Store


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
    notify(account, bucket)
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


def notify(account, bucket):
    account.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )


def test_each_event_of_an_object_is_delivered_once_to_every_kind_of_target(account):
    bucket, events = account.bucket("once-only"), account.client("events")
    notify(account, bucket)
    (straight, straight_arn), (published, published_arn) = queue(account, "straight"), queue(account, "published")
    topic = account.client("sns").create_topic(Name="objects")["TopicArn"]
    account.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=published_arn)
    called, _ = queue(account, "called")
    function = make_function(account, "forwards", called)
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name="objects", EventPattern=json.dumps(pattern))
    targets = [{"Id": str(number), "Arn": arn} for number, arn in enumerate((straight_arn, topic, function))]
    events.put_targets(Rule="objects", Targets=targets)
    keys = [f"object-{number}" for number in range(3)]
    for key in keys:
        account.client("s3").put_object(Bucket=bucket, Key=key, Body=b"1")
    for url, key_of in (
        (straight, lambda body: body["detail"]["object"]["key"]),
        (published, lambda body: json.loads(body["Message"])["detail"]["object"]["key"]),
        (called, lambda body: body["detail"]["object"]["key"]),
    ):
        assert sorted(key_of(json.loads(one["Body"])) for one in drained(account, url, len(keys))) == keys


def drained(account, url, number):
    """As many messages as are expected, and those that come within two seconds more."""
    sqs, found, deadline = account.client("sqs"), [], None
    while deadline is None or time.monotonic() < deadline:
        found += sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        if deadline is None and len(found) >= number:
            deadline = time.monotonic() + 2
        time.sleep(0.1)
    return found


FORWARDS = """
import json, os, boto3

def handler(event, context):
    print("forwarding")
    if event.get("fail"):
        raise ValueError("as asked")
    who = boto3.client("sts").get_caller_identity()["Arn"]
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps({**event, "who": who}))
"""


def make_function(account, name, url=None, active=True):
    """A function that sends the events it gets to a queue, in a role that may do just this; its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = account.role(name, {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}, trust=trust)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("code.py", FORWARDS)
    functions = account.client("lambda")
    arn = functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="code.handler",
        Role=role,
        Code={"ZipFile": content.getvalue()},
        Timeout=60,
        **({"Environment": {"Variables": {"QUEUE": url}}} if url else {}),
    )["FunctionArn"]
    if active:
        functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return arn


def test_a_function_runs_in_its_role_and_its_log_metrics_and_dead_letters_are_the_emulators(account):
    (letters, letters_arn), (sent, _) = queue(account, "letters"), queue(account, "sent")
    functions = account.client("lambda")
    make_function(account, "fails", sent)
    functions.update_function_configuration(FunctionName="fails", DeadLetterConfig={"TargetArn": letters_arn})
    functions.put_function_event_invoke_config(FunctionName="fails", MaximumRetryAttempts=0)
    functions.invoke(FunctionName="fails", Payload=json.dumps({"key": 1}))
    (message,) = drained(account, sent, 1)
    assert ":assumed-role/fails/" in json.loads(message["Body"])["who"]
    functions.invoke(FunctionName="fails", InvocationType="Event", Payload=json.dumps({"fail": True}))
    (letter,) = drained(account, letters, 1)
    assert "fail" in letter["Body"]
    logs, lines = account.client("logs"), ""
    while "as asked" not in lines:
        found = logs.filter_log_events(logGroupName="/aws/lambda/fails")["events"]
        lines = "\n".join(event["message"] for event in found)
    assert "forwarding" in lines
    assert "FunctionError" in functions.invoke(FunctionName="fails", Payload=json.dumps({"fail": True}))
    dimensions = [{"Name": "FunctionName", "Value": "fails"}]
    now = datetime.datetime.now(datetime.UTC)
    period = {"StartTime": now - datetime.timedelta(hours=1), "EndTime": now + datetime.timedelta(hours=1)}
    asked = {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": dimensions, "Period": 7200, **period}
    while not sum(
        point["Sum"]
        for point in account.client("cloudwatch").get_metric_statistics(Statistics=["Sum"], **asked)["Datapoints"]
    ):
        time.sleep(0.1)


@pytest.fixture(scope="module")
def elsewhere(emulator, tmp_path_factory):
    """An account whose functions run elsewhere, and the address that they get."""
    address = "http://localaws:4566"
    with serving(tmp_path_factory.mktemp("elsewhere"), "--emulator", emulator, "--emulator-functions", address) as own:
        yield Account(own, "555555555555"), address


def variables(account, name):
    """What a function's own environment holds, once no change to it is under way."""
    functions = account.client("lambda")
    # A new function has no such status yet.
    while (found := functions.get_function_configuration(FunctionName=name)).get("LastUpdateStatus") == "InProgress":
        time.sleep(0.1)
    return found["Environment"]["Variables"]


def test_functions_that_run_elsewhere_get_the_endpoint_into_their_environment(elsewhere):
    account, address = elsewhere
    make_function(account, "given", active=False)
    assert variables(account, "given") == {"AWS_ENDPOINT_URL": address}


def test_functions_that_run_elsewhere_keep_the_endpoint_when_they_are_changed(elsewhere):
    account, address = elsewhere
    make_function(account, "changed")
    for given, right in (
        ({"Environment": {"Variables": {"A": "1"}}}, {"A": "1", "AWS_ENDPOINT_URL": address}),
        ({"Timeout": 5}, {"A": "1", "AWS_ENDPOINT_URL": address}),
        ({"Environment": {"Variables": {"AWS_ENDPOINT_URL": "http://own"}}}, {"AWS_ENDPOINT_URL": "http://own"}),
    ):
        account.client("lambda").update_function_configuration(FunctionName="changed", **given)
        assert variables(account, "changed") == right


def test_repositories_and_their_images_are_answered(account):
    ecr = account.client("ecr")
    uri = ecr.create_repository(repositoryName="own/image")["repository"]["repositoryUri"]
    assert uri.startswith(f"{account.number}.dkr.ecr.")
    assert [one["repositoryName"] for one in ecr.describe_repositories()["repositories"]] == ["own/image"]


def refused(state, *options):
    """What localaws says when it does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "localaws", "serve", "--state", state, "--port", "0", *options],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 1 and not done.stdout
    return done.stderr.strip()


def test_another_emulator_than_the_one_of_the_state_is_refused(emulator, tmp_path):
    with serving(tmp_path, "--emulator", emulator) as address:
        identity = Account(address, "000000000000")
        (marker,) = [
            bucket["Name"]
            for bucket in identity.client("s3").list_buckets()["Buckets"]
            if bucket["Name"] == f"localaws-{Store(tmp_path / 'localaws.db').setting('identity')}"
        ]
        identity.client("s3").delete_bucket(Bucket=marker)
    assert "it isn't the one that this state was made with" in refused(tmp_path, "--emulator", emulator)


@pytest.mark.parametrize("wanted", ["sagemaker", "s3,nonsense"])
def test_a_service_that_is_not_offered_can_not_be_kept_at_home(emulator, tmp_path, wanted):
    assert "localaws offers no such service" in refused(tmp_path, "--emulator", emulator, "--at-home", wanted)


def test_an_emulator_that_is_not_there_is_named(tmp_path, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setattr(home, "START_SECONDS", 0.1)
    with pytest.raises(WrongSetting, match=f"emulator {gone}: it doesn't answer"):
        home.learn(gone)


def test_a_server_that_is_no_emulator_is_named(address):
    with pytest.raises(WrongSetting, match="isn't one that localaws knows"):
        home.learn(address)
