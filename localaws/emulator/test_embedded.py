"""What localaws reaches into of the embedded emulator: each private function has to do here what it is taken for."""

import json
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from localaws.conftest import REGION, Server
from localaws.environment import INHERITED

CODE = """\
import boto3, json, os
def handle(event, context):
    if event.get("run"):
        return eval(event["run"])
    who = boto3.client("sts").get_caller_identity()["Arn"]
    if event.get("list"):
        boto3.client("s3").list_objects_v2(Bucket=event["list"])
    return {"who": who, "endpoint": os.environ["AWS_ENDPOINT_URL"]}
"""
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture
def server(tmp_path):
    """A localaws of the test's own."""
    server = Server(tmp_path)
    yield server
    server.close()


def function(account, name="told", runtime="python3.11", **more):
    """Make a function that says who it is; its role has no policy but what is given."""
    role = account.role(f"{name}-role", *more.pop("statements", ()), trust=TRUST)
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("told.py", CODE)
        target.writestr("bootstrap", BOOTSTRAP)
    account.client("lambda").create_function(
        FunctionName=name,
        Runtime=runtime,
        Role=role,
        Handler="told.handle",
        Timeout=300,
        Code={"ZipFile": archive.getvalue()},
    )


def invoke(account, name="told", **event):
    answer = account.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


BOOTSTRAP = (
    f"#!{sys.executable}\n"
    + """
import json, os, urllib.request
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(api + "next") as event:
        asked, id = json.load(event), event.headers["Lambda-Runtime-Aws-Request-Id"]
    urllib.request.urlopen(api + id + "/response", json.dumps(eval(asked["run"])).encode()).close()
"""
)


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """A localaws of a shell with a token, a profile and settings."""
    given = {"A_TOKEN_OF_OURS": "secret", "AWS_PROFILE": "ours", "LC_TIME": "C", "LOCALAWS_DUPLICATE_EVENTS": "0"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    server = Server(tmp_path)
    for name in given:
        monkeypatch.delenv(name)
    yield server
    server.close()


@pytest.mark.parametrize("runtime", ["python3.11", "provided.al2023"])
def test_functions_have_no_more_of_our_environment_than_jobs(watched, tmp_path, runtime):
    account = watched.account("555555555555")
    function(account, runtime=runtime)
    _, told = invoke(account, run="dict(os.environ)")
    allowed = {*INHERITED, "HOME", "TMPDIR", "PYTHONPATH"}
    rest = {name for name in told if name not in allowed and not name.startswith(("AWS_", "LAMBDA_", "_", "LC_"))}
    assert all(name.startswith("MINISTACK_") for name in rest), rest
    assert told["LC_TIME"] == "C" and "AWS_PROFILE" not in told
    assert Path(told["HOME"]).is_relative_to(tmp_path) and Path(told["TMPDIR"]).is_relative_to(tmp_path)
    # What started the function is localaws itself, which has forgotten them too.
    _, parent = invoke(account, run="open(f'/proc/{os.getppid()}/environ').read()")
    assert "LOCALAWS_DUPLICATE_EVENTS" in parent and "A_TOKEN_OF_OURS" not in parent


def test_functions_leave_nothing_outside_of_the_state(tmp_path, monkeypatch):
    for folder in ("temporary", "state"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    server = Server(tmp_path / "state")
    try:
        account = server.account("555555555555")
        function(account)
        assert invoke(account)[0] is None
    finally:
        server.close()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_everything_that_was_answered_is_there_after_a_kill(server):
    account = server.account("555555555555")
    s3, bucket = account.client("s3"), account.bucket("outlives")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket=bucket, Key="k", Body=str(n).encode())["VersionId"] for n in range(3)]
    account.role("kept", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    account.client("events").put_rule(Name="kept", EventPattern='{"source": ["x"]}')
    url = account.client("sqs").create_queue(QueueName="kept")["QueueUrl"].rsplit("/", 2)[-1]
    key = account.client("kms").create_key()["KeyMetadata"]["KeyId"]
    account.client("sns").create_topic(Name="kept")
    account.client("ecr").create_repository(repositoryName="kept")
    function(account, "kept")
    account.client("sqs").send_message(QueueUrl=account.client("sqs").get_queue_url(QueueName=url)["QueueUrl"],
                                       MessageBody="kept")  # fmt: skip
    server.kill()
    server.start()
    account = server.account("555555555555")
    s3, sqs = account.client("s3"), account.client("sqs")
    assert [s3.get_object(Bucket=bucket, Key="k", VersionId=v)["Body"].read() for v in versions] == [b"0", b"1", b"2"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert account.client("iam").get_role_policy(RoleName="kept", PolicyName="own")["PolicyDocument"]
    assert account.client("events").describe_rule(Name="kept")["EventPattern"] == '{"source": ["x"]}'
    assert sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName=url)["QueueUrl"])["Messages"][0]["Body"] == "kept"
    assert account.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyId"] == key
    assert len(account.client("sns").list_topics()["Topics"]) == 1
    assert account.client("ecr").describe_repositories()["repositories"][0]["repositoryName"] == "kept"
    assert invoke(account, "kept")[0] is None


@pytest.mark.parametrize("versioning", ["Suspended", "Enabled"])
@pytest.mark.parametrize("keys", [["a", "a/b", "a/b/c"], ["a/b/c", "a/b", "a"]], ids=["file-first", "folder-first"])
def test_a_key_may_be_what_another_keys_folder_is(server, keys, versioning):
    def held(s3):
        return {
            item["Key"]: s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode()
            for item in s3.list_objects_v2(Bucket=bucket)["Contents"]
        }

    account = server.account("555555555555")
    s3, bucket = account.client("s3"), account.bucket("nested")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": versioning})
    for body in ("old", "new"):
        for key in keys:
            s3.put_object(Bucket=bucket, Key=key, Body=f"{body} {key}".encode())
    first, *others = keys
    last = others.pop()
    s3.put_object(Bucket=bucket, Key=last, Body=b"again")
    s3.delete_object(Bucket=bucket, Key=first)
    expected = {**{key: f"new {key}" for key in others}, last: "again"}
    assert held(s3) == expected
    server.kill()
    server.start()
    s3 = server.account("555555555555").client("s3")
    assert held(s3) == expected
    for key in expected:
        s3.delete_object(Bucket=bucket, Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=first, Body=b"back")
    assert held(s3) == {first: "back"}


def test_functions_run_as_their_own_role_and_are_held_to_it(server):
    account = server.account("555555555555")
    bucket = account.bucket("not-for-everybody")
    function(account)
    failed, answer = invoke(account)
    assert failed is None
    assert answer == {
        "who": "arn:aws:sts::555555555555:assumed-role/told-role/told",
        "endpoint": server.address,
    }
    failed, answer = invoke(account, list=bucket)
    assert failed and "AccessDenied" in answer["errorMessage"]
    account.allow("told-role", {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"})
    assert invoke(account, list=bucket)[0] is None


def test_alarms_are_told_whole_in_every_protocol(server):
    alarm = {
        "AlarmName": "a", "Namespace": "n", "MetricName": "m", "Dimensions": [{"Name": "d", "Value": "<v&>"}],
        "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold", "ActionsEnabled": True,
        "AlarmActions": [f"arn:aws:sns:{REGION}:555555555555:t"],
    }  # fmt: skip
    cloudwatch = server.account("555555555555").client("cloudwatch")
    cloudwatch.put_metric_alarm(**alarm)
    (found,) = cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"]
    assert {name: found[name] for name in alarm} == alarm


def test_an_alarm_looks_at_the_metric_of_its_own_dimensions(server):
    cloudwatch = server.account("555555555555").client("cloudwatch")
    alarm = {
        "Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 300, "EvaluationPeriods": 1,
        "Threshold": 0.0, "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip

    def of(name):
        return [{"Name": "of", "Value": name}]

    for name in ("one", "other"):
        cloudwatch.put_metric_alarm(AlarmName=name, Dimensions=of(name), **alarm)
    cloudwatch.put_metric_alarm(AlarmName="none", **alarm)

    def put(value, **which):
        cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": value, **which}])
        found = cloudwatch.describe_alarms(AlarmNames=["one", "other", "none"])["MetricAlarms"]
        return {each["AlarmName"]: each["StateValue"] for each in found}

    before = put(0, Dimensions=of("other"))
    assert before["other"] == "OK"
    after = put(1, Dimensions=of("one"))
    assert after == {**before, "one": "ALARM"}
    assert put(1) == {**after, "none": "ALARM"}


def test_a_whole_policy_of_a_bus_stays_as_it_is(server):
    events = server.account("555555555555").client("events")
    events.create_event_bus(Name="own")
    arn = f"arn:aws:events:{REGION}:555555555555:event-bus/own"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "one",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "events:PutEvents",
                "Resource": arn,
                "Condition": {"StringEquals": {"events:source": "x"}},
            }
        ],
    }
    events.put_permission(EventBusName="own", Policy=json.dumps(policy))
    assert json.loads(events.describe_event_bus(Name="own")["Policy"]) == policy


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="listening sockets are read from /proc")
def test_nothing_listens_beyond_loopback(server):
    """Every listening socket of the process and its children is on 127.0.0.1."""
    account = server.account("555555555555")
    function(account)
    invoke(account)
    owned = {str(link.readlink()) for pid in family(server.process.pid) for link in sockets(pid)}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in owned:
                listening.append(fields[1].split(":")[0])
    assert listening
    assert set(listening) == {"0100007F"}


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in family(int(child)))]


def sockets(pid: int) -> list[Path]:
    return [link for link in Path(f"/proc/{pid}/fd").iterdir() if str(link.readlink()).startswith("socket:")]


def test_schedules_are_fired_once_a_turn_by_localaws_alone(server):
    from localaws import process

    account = server.account("555555555555")
    url = account.client("sqs").create_queue(QueueName="turns")["QueueUrl"]
    events = account.client("events")
    events.put_rule(Name="turn", ScheduleExpression="rate(1 minute)")
    arn = f"arn:aws:sqs:{REGION}:555555555555:turns"
    events.put_targets(Rule="turn", Targets=[{"Id": "1", "Arn": arn}])
    time.sleep(1.5)
    process.ask(server.state, server.address, "POST", "clock", {"seconds": 181})
    found = []
    while len(found) < 3:
        found += account.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    time.sleep(2)
    found += account.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    assert len({json.loads(message["Body"])["time"] for message in found}) == len(found) == 3


def test_kms_without_a_key_means_the_accounts_own_of_aws(server):
    account = server.account("555555555555")
    s3, bucket = account.client("s3"), account.bucket("sealed-by-aws")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ServerSideEncryption="aws:kms")
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == b"1" and found["ServerSideEncryption"] == "aws:kms"
