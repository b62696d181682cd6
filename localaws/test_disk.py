"""A disk that is really full: a small file system of its own, for a job's folder or for the whole state."""

import contextlib
import functools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from localaws import disk, process
from localaws.conftest import STEP, Server, allow, ended, one_step, said_of_itself

MEBI = 1024 * 1024
NO_LOOK = -(1 << 40)
"""A reserve with which no call is refused before its write fails."""

WORK = "import time; (base / 'processing/out').mkdir(parents=True, exist_ok=True); "
FILLS = WORK + "(base / 'processing/out/large').write_bytes(bytes(1 << 30))"
SMALL = WORK + "(base / 'processing/out/small').write_text('small')"


class SmallDisk:
    """A file system of some MiB that only processes in its own namespace see; it is gone when `close` is called.

    Raises OSError: this machine lets nobody make one.
    """

    def __init__(self, folder, mebibytes):
        folder.mkdir(parents=True, exist_ok=True)
        mounts = f"mount -t tmpfs -o size={mebibytes}m,mode=700 none {folder} && echo mounted && exec cat"
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounts],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        if self._holder.stdout.readline() != b"mounted\n":
            said = self._holder.communicate()[1].decode().strip()
            raise OSError(said or "unshare failed")
        self.prefix = ["nsenter", "--preserve-credentials", "--user", "--mount", f"--wd={Path.cwd()}"]
        self.prefix.append(f"--target={self._holder.pid}")
        self.seen_from_here = Path(f"/proc/{self._holder.pid}/root{folder.absolute()}")

    def fill(self, leave=0):
        """Fill it up, but for some bytes."""
        self.free()
        with (self.seen_from_here / "ballast").open("wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(MEBI))
            if leave:
                file.truncate(max(0, file.tell() - leave))

    def free(self):
        """Take away what filled it."""
        (self.seen_from_here / "ballast").unlink(missing_ok=True)

    def close(self):
        """Let it go."""
        self._holder.communicate()


class ServerOn(Server):
    """A localaws that sees a small disk, with a reserve of its own."""

    def __init__(self, small, state, logs, *options, reserve=disk.RESERVE):
        self._small, self._logs = small, logs
        self._program = f"from localaws import __main__, disk; disk.RESERVE = {reserve}; __main__.main()"
        super().__init__(state, *options)

    def start(self):
        command = [sys.executable, "-c", self._program, "serve", "--state", self.state, "--port", "0", "--until-closed"]
        with (self._logs / "errors").open("ab") as errors:
            self.process = subprocess.Popen(
                [*self._small.prefix, *command, *self._options],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        line = self.process.stdout.readline().decode()
        assert line, self.errors()
        self.address = line.split()[-1]

    def errors(self):
        return said_of_itself(self._logs)


@pytest.fixture
def images(tmp_path):
    """An image map whose every image runs the code that it is given."""
    (tmp_path / "step.py").write_text(STEP)
    entry = {"pattern": "*", "directory": ".", "command": [sys.executable, "step.py"]}
    (tmp_path / "images.json").write_text(json.dumps({"images": [entry]}))
    return str(tmp_path / "images.json")


@pytest.fixture
def small_disk():
    """Makes small disks."""
    with contextlib.ExitStack() as stack:

        def make(folder, mebibytes):
            try:
                made = SmallDisk(folder, mebibytes)
            except OSError as error:
                why = f"A full disk needs a small file system, which can't be mounted here: {error}"
                if os.environ.get("CI") == "true":
                    pytest.fail(why)
                pytest.skip(why)
            stack.callback(made.close)
            return made

        yield make


def job(account, name, code, bucket=None):
    """Create a processing job; what describes it."""
    request = {
        "ProcessingJobName": name,
        "RoleArn": f"arn:aws:iam::{account.number}:role/works",
        "AppSpecification": {"ImageUri": "any"},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "Environment": {"CODE": code},
    }
    if bucket:
        place = {"S3Uri": f"s3://{bucket}/{name}", "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}
        request["ProcessingOutputConfig"] = {"Outputs": [{"OutputName": "out", "S3Output": place}]}
    sagemaker = account.client("sagemaker")
    sagemaker.create_processing_job(**request)
    return lambda: sagemaker.describe_processing_job(ProcessingJobName=name)


def test_a_job_that_fills_its_folder_fails_with_a_sentence_and_the_next_one_succeeds(tmp_path, images, small_disk):
    state = tmp_path / "state"
    server = ServerOn(small_disk(state / "scratch", 24), state, tmp_path, "--images", images)
    try:
        account = server.account("111111111111")
        account.role("works", allow(["s3:*", "logs:*"]))
        found = ended(job(account, "fills", FILLS), "ProcessingJobStatus")
        assert found["ProcessingJobStatus"] == "Failed"
        assert found["FailureReason"].startswith("ClientError: The disk that holds the job's folder is full.")
        account.bucket("large")
        for number in range(4):
            account.client("s3").put_object(Bucket="large", Key=f"in/{number}", Body=bytes(8 * MEBI))
        role = f"arn:aws:iam::{account.number}:role/works"
        sagemaker = account.client("sagemaker")
        source = {"S3Uri": "s3://large/in", "S3DataType": "S3Prefix", "LocalPath": "/opt/ml/processing/in",
                  "S3InputMode": "File"}  # fmt: skip
        sagemaker.create_processing_job(
            ProcessingJobName="takes-too-much",
            RoleArn=role,
            AppSpecification={"ImageUri": "any"},
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            ProcessingInputs=[{"InputName": "in", "S3Input": source}],
        )
        found = ended(
            lambda: sagemaker.describe_processing_job(ProcessingJobName="takes-too-much"), "ProcessingJobStatus"
        )
        assert found["ProcessingJobStatus"] == "Failed"
        assert "Data download failed: s3://large/in/" in found["FailureReason"]
        assert "No space left on device" in found["FailureReason"]
        assert ended(job(account, "next", SMALL), "ProcessingJobStatus")["ProcessingJobStatus"] == "Completed"
        assert "Traceback" not in server.errors()
    finally:
        server.close()


def changes(account, number):
    """One call of each kind of service, all under names of the number; whoever succeeds returns its name."""
    name = f"call-{number}"
    s3, sagemaker = account.client("s3"), account.client("sagemaker")
    return {
        "s3": lambda: s3.put_object(Bucket="kept", Key=name, Body=name.encode() * 1000),
        "iam": lambda: account.role(name),
        "sqs": lambda: account.client("sqs").create_queue(QueueName=name),
        "sns": lambda: account.client("sns").create_topic(Name=name),
        "events": lambda: account.client("events").put_rule(Name=name, EventPattern='{"source": ["x"]}'),
        "sagemaker": lambda: sagemaker.create_model_package_group(ModelPackageGroupName=name),
        "execution": lambda: sagemaker.start_pipeline_execution(
            PipelineName="works", ClientRequestToken=f"{name:x<36}", PipelineExecutionDisplayName=name
        ),
    }


def listed(account):
    """The names that each service knows."""
    sagemaker = account.client("sagemaker")
    return {
        "s3": {item["Key"] for item in account.client("s3").list_objects_v2(Bucket="kept").get("Contents", [])},
        "iam": {item["RoleName"] for item in account.client("iam").list_roles()["Roles"]},
        "sqs": {url.rsplit("/", 1)[1] for url in account.client("sqs").list_queues().get("QueueUrls", [])},
        "sns": {topic["TopicArn"].rsplit(":", 1)[1] for topic in account.client("sns").list_topics()["Topics"]},
        "events": {rule["Name"] for rule in account.client("events").list_rules()["Rules"]},
        "sagemaker": {
            group["ModelPackageGroupName"]
            for group in sagemaker.list_model_package_groups(MaxResults=100)["ModelPackageGroupSummaryList"]
        },
        "execution": {
            item["PipelineExecutionDisplayName"]
            for item in sagemaker.list_pipeline_executions(PipelineName="works")["PipelineExecutionSummaries"]
        },
    }


@pytest.mark.parametrize("reserve", [disk.RESERVE, NO_LOOK])
def test_a_full_disk_refuses_calls_and_keeps_every_accepted_one(tmp_path, images, small_disk, reserve):
    state = tmp_path / "state"
    small = small_disk(state, 64)
    server = ServerOn(small, state, tmp_path, "--images", images, reserve=reserve)
    try:
        account = server.account("222222222222")
        prepare(account)
        accepted = {service: set() for service in changes(account, 0)}
        refused = {service: set() for service in accepted}

        def call_all(number):
            for service, act in changes(account, number).items():
                try:
                    act()
                    accepted[service].add(f"call-{number}")
                except ClientError as error:
                    assert "is full; free some space there." in error.response["Error"]["Message"], error
                    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 507
                    refused[service].add(f"call-{number}")

        call_all(0)
        assert not any(refused.values())
        assert outcomes(account) == ["Succeeded"]
        # Below the reserve nothing is taken any more, and at the very end there is room for nothing at all.
        for number, left in enumerate((max(reserve - MEBI, 0), 0), 1):
            small.fill(left)
            call_all(number)
        assert all(len(names) == 2 for names in refused.values()), refused
        account.client("s3").get_object(Bucket="kept", Key="call-0")
        small.free()
        call_all(3)
        server.kill()
        server.start()
        account = server.account("222222222222")
        found = listed(account)
        for service, names in accepted.items():
            assert names == {"call-0", "call-3"}
            assert names <= found[service], service
            # Without the reserve a call is refused after it had an effect in memory, which may be kept later on.
            assert reserve == NO_LOOK or not refused[service] & found[service], service
        for key in found["s3"]:
            assert account.client("s3").get_object(Bucket="kept", Key=key)["Body"].read() == key.encode() * 1000
        assert outcomes(account) == ["Succeeded"] * 2
        assert "Traceback" not in server.errors()
    finally:
        server.close()


def test_executions_end_though_a_step_fills_the_disk_that_their_state_is_on(tmp_path, images, small_disk):
    state = tmp_path / "state"
    small = small_disk(state, 64)
    server = ServerOn(small, state, tmp_path, "--images", images, "--slots", "2")
    try:
        account = server.account("333333333333")
        prepare(account)
        fills = job(account, "fills", FILLS, "kept")
        others = [job(account, f"other-{number}", SMALL) for number in range(3)]
        assert ended(fills, "ProcessingJobStatus")["ProcessingJobStatus"] == "Failed"
        assert [
            ended(other, "ProcessingJobStatus")["ProcessingJobStatus"] in ("Completed", "Failed") for other in others
        ]
        # While somebody else fills the disk, a job's end waits for room; it isn't lost.
        waits = job(account, "waits", WORK + "time.sleep(2); " + SMALL, "kept")
        while waits()["ProcessingJobStatus"] != "InProgress" or "ProcessingStartTime" not in waits():
            time.sleep(0.05)
        small.fill()
        time.sleep(4)
        small.free()
        found = ended(waits, "ProcessingJobStatus")
        assert found["ProcessingJobStatus"] == "Failed" and "full" in found["FailureReason"]
        assert ended(job(account, "last", SMALL, "kept"), "ProcessingJobStatus")["ProcessingJobStatus"] == "Completed"
        assert "kept" in [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]]
        assert "Traceback" not in server.errors()
    finally:
        server.close()


def test_an_event_that_finds_no_room_at_its_target_is_delivered_later(tmp_path, images, small_disk):
    state = tmp_path / "state"
    small = small_disk(state, 64)
    server = ServerOn(small, state, tmp_path, "--images", images)
    try:
        account = server.account("444444444444")
        prepare(account)
        sqs, events = account.client("sqs"), account.client("events")
        url = sqs.create_queue(QueueName="told")["QueueUrl"]
        events.put_rule(Name="ends", EventPattern='{"detail": {"ProcessingJobStatus": ["Completed"]}}')
        events.put_targets(Rule="ends", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:444444444444:told"}])
        runs, go = tmp_path / "runs", tmp_path / "go"
        waits = f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)"
        describe = job(account, "slow", f"import time\npathlib.Path({str(runs)!r}).touch()\n{waits}")
        while not runs.exists():
            time.sleep(0.05)
        small.fill(disk.RESERVE - MEBI)
        go.write_text("")
        assert ended(describe, "ProcessingJobStatus")["ProcessingJobStatus"] == "Completed"
        # A first attempt has failed once nothing waits for one any more.
        seen = Path(f"/proc/{server.process.pid}/root{server.state}")  # only it sees its small disk
        while process.status(seen, server.address)["undelivered_events"]:
            time.sleep(0.05)
        waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        assert waiting["Attributes"]["ApproximateNumberOfMessages"] == "0"
        small.free()
        told = []
        while not told:
            told = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])
        assert json.loads(told[0]["Body"])["detail"]["ProcessingJobName"] == "slow"
        assert "Traceback" not in server.errors()
    finally:
        server.close()


def prepare(account):
    """A bucket, a role that may use it, and a pipeline of one step."""
    account.bucket("kept")
    role = account.role("works", allow(["s3:*", "sagemaker:*", "iam:PassRole", "logs:*"]))
    one_step(account.client("sagemaker"), role, SMALL)


def outcomes(account):
    """How the executions end."""
    sagemaker, found = account.client("sagemaker"), []
    for item in sagemaker.list_pipeline_executions(PipelineName="works")["PipelineExecutionSummaries"]:
        arn = item["PipelineExecutionArn"]
        describe = functools.partial(sagemaker.describe_pipeline_execution, PipelineExecutionArn=arn)
        found.append(ended(describe, "PipelineExecutionStatus")["PipelineExecutionStatus"])
    return found
