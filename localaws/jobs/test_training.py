"""Training jobs, run for real: channels from S3, processes, archives to S3."""

import hashlib
import io
import json
import tarfile
import time

import pytest

MODEL = "models/job/output/model.tar.gz"
DATA = "models/job/output/output.tar.gz"


def request(bucket, channels=("train",), instances=1, **more):
    """CreateTrainingJob's arguments; channel `x` has the objects below x/."""
    return {
        "TrainingJobName": "job",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:111111111111:training-job/job",
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::111111111111:role/job",
        "InputDataConfig": [channel(bucket, name) for name in channels],
        "OutputDataConfig": {"S3OutputPath": bucket.uri("models/")},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": instances, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **more,
    }


def channel(bucket, name, source=(), **more):
    where = {"S3DataType": "S3Prefix", "S3Uri": bucket.uri(f"{name}/"), **dict(source)}
    return {"ChannelName": name, "DataSource": {"S3DataSource": where}, **more}


def members(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name: tar.extractfile(member).read().decode() for member in tar.getmembers()}


def outcome_of(bucket, image, job, program, **more):
    image(program)
    bucket.put("train/a.csv", "1")
    return job.run("TrainingJob", request(bucket, **more))


TELL = """
told = {}
for file in (ML / "input").rglob("*"):
    if file.is_file():
        told[file.relative_to(ML).as_posix()] = file.read_text()
told["arguments"] = sys.argv[1:]
told["environment"] = dict(os.environ)
host = json.loads((ML / "input/config/resourceconfig.json").read_text())["current_host"]
(ML / "model" / f"{host}.json").write_text(json.dumps(told))
"""


def told(bucket, host="algo-1"):
    return json.loads(members(bucket.get(MODEL))[f"{host}.json"])


def test_the_container_finds_channels_and_configuration_as_documented(bucket, image, job):
    image(TELL)
    bucket.fill({"train/a.csv": "1", "train/deep/b.csv": "2", "validation/c.csv": "3"})
    body = request(bucket, HyperParameters={"num_round": "5"}, Environment={"ONE": "1"})
    body["InputDataConfig"] = [
        channel(bucket, "train", ContentType="text/csv"),
        channel(bucket, "validation", {"S3DataDistributionType": "ShardedByS3Key"}, InputMode="FastFile"),
    ]
    outcome = job.run("TrainingJob", body)
    assert outcome.status == "Completed"
    assert job.statuses == ["Downloading", "Training", "Uploading"]
    assert outcome.fields["ModelArtifacts"] == {"S3ModelArtifacts": bucket.uri(MODEL)}
    found = told(bucket)
    assert found["arguments"] == ["train"]
    assert found["input/data/train/a.csv"] == "1"
    assert found["input/data/train/deep/b.csv"] == "2"
    assert found["input/data/validation/c.csv"] == "3"
    assert json.loads(found["input/config/hyperparameters.json"]) == {"num_round": "5"}
    assert json.loads(found["input/config/inputdataconfig.json"]) == {
        "train": {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
            "ContentType": "text/csv",
        },
        "validation": {
            "TrainingInputMode": "FastFile",
            "S3DistributionType": "ShardedByS3Key",
            "RecordWrapperType": "None",
        },
    }
    assert json.loads(found["input/config/resourceconfig.json"]) == {
        "current_host": "algo-1",
        "current_instance_type": "ml.m5.large",
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [
            {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
        ],
        "network_interface_name": "eth0",
    }
    environment = found["environment"]
    assert environment["TRAINING_JOB_NAME"] == "job"
    assert environment["TRAINING_JOB_ARN"] == body["TrainingJobArn"]
    assert (environment["ONE"], environment["AWS_REGION"]) == ("1", "us-east-1")


def test_entrypoint_and_arguments_replace_the_images_own(bucket, image, job):
    image("raise SystemExit('not this')")
    bucket.put("train/a", "1")
    body = request(bucket)
    body["AlgorithmSpecification"] |= {
        "ContainerEntrypoint": ["sh", "-c", 'echo "$0" "$@" > "$SAGEMAKER_BASE_DIR/model/said"'],
        "ContainerArguments": ["a", "b"],
    }
    assert job.run("TrainingJob", body).status == "Completed"
    assert members(bucket.get(MODEL)) == {"said": "a b\n"}


def test_hosts_share_a_sharded_channel(bucket, image, job):
    image(TELL)
    bucket.fill({f"train/{letter}": letter for letter in "abc"})
    body = request(bucket, instances=2)
    body["InputDataConfig"] = [channel(bucket, "train", {"S3DataDistributionType": "ShardedByS3Key"})]
    assert job.run("TrainingJob", body).status == "Completed"
    shares = [{name for name in told(bucket, host) if "data/train" in name} for host in ("algo-1", "algo-2")]
    assert shares == [{"input/data/train/a", "input/data/train/c"}, {"input/data/train/b"}]


def test_instance_groups_have_their_own_channels(bucket, image, job):
    image(TELL)
    bucket.fill({"train/a": "1", "serve/b": "2"})
    body = request(bucket)
    body["ResourceConfig"] = {
        "VolumeSizeInGB": 1,
        "InstanceGroups": [
            {"InstanceGroupName": "big", "InstanceType": "ml.m5.4xlarge", "InstanceCount": 1},
            {"InstanceGroupName": "small", "InstanceType": "ml.m5.large", "InstanceCount": 1},
        ],
    }
    body["InputDataConfig"] = [
        channel(bucket, "train", {"InstanceGroupNames": ["big"]}),
        channel(bucket, "serve", {"InstanceGroupNames": ["small"]}),
    ]
    assert job.run("TrainingJob", body).status == "Completed"
    big, small = told(bucket, "algo-1"), told(bucket, "algo-2")
    assert "input/data/train/a" in big and "input/data/serve/b" not in big
    assert "input/data/serve/b" in small and "input/data/train/a" not in small
    resources = json.loads(small["input/config/resourceconfig.json"])
    assert (resources["current_group_name"], resources["current_instance_type"]) == ("small", "ml.m5.large")


def test_a_channel_of_an_unknown_group_is_named(bucket, image, job):
    image("")
    bucket.put("train/a", "1")
    body = request(bucket, InputDataConfig=[channel(bucket, "train", {"InstanceGroupNames": ["big"]})])
    outcome = job.run("TrainingJob", body)
    assert outcome.failure_reason == "ClientError: channel train: no instance group is named big."


def test_the_same_files_are_the_same_archive_whenever_they_were_written(bucket, image, job):
    program = """
        for name in ("b", "a", "deep/c"):
            file = ML / "model" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(name)
            os.utime(file, (%d, %d))
        (ML / "output/data/metrics").write_text("1")
    """
    digests = []
    for second in (1, 10**9):
        outcome_of(bucket, image, job, program % (second, second))
        digests.append([hashlib.sha256(bucket.get(key)).hexdigest() for key in (MODEL, DATA)])
        job.folder.rename(job.folder.with_name(f"done-{second}"))
    assert digests[0] == digests[1]
    assert list(members(bucket.get(MODEL))) == ["a", "b", "deep/c"]
    assert members(bucket.get(DATA)) == {"metrics": "1"}


def test_all_hosts_files_are_in_one_archive_and_the_first_host_wins(bucket, image, job):
    outcome_of(
        bucket,
        image,
        job,
        """
        host = json.loads((ML / "input/config/resourceconfig.json").read_text())["current_host"]
        (ML / "model" / host).write_text(host)
        (ML / "model/both").write_text(host)
        """,
        instances=2,
    )
    assert members(bucket.get(MODEL)) == {"algo-1": "algo-1", "algo-2": "algo-2", "both": "algo-1"}


def test_a_job_may_leave_its_model_unpacked(bucket, image, job):
    image('(ML / "model/deep").mkdir(); (ML / "model/deep/a").write_text("1")')
    bucket.put("train/a", "1")
    body = request(bucket)
    body["OutputDataConfig"]["CompressionType"] = "NONE"
    outcome = job.run("TrainingJob", body)
    assert outcome.fields["ModelArtifacts"]["S3ModelArtifacts"] == bucket.uri("models/job/output/model/")
    assert bucket.get("models/job/output/model/deep/a") == b"1"


def test_archives_are_encrypted_with_the_jobs_key(bucket, image, job):
    image("")
    bucket.put("train/a", "1")
    body = request(bucket)
    body["OutputDataConfig"]["KmsKeyId"] = "arn:aws:kms:us-east-1:111111111111:key/of-the-job"
    job.run("TrainingJob", body)
    head = bucket.client.head_object(Bucket=bucket.name, Key=MODEL)
    assert head["ServerSideEncryption"] == "aws:kms" and head["SSEKMSKeyId"].endswith("key/of-the-job")


def test_the_failure_file_becomes_the_failure_reason(bucket, image, job):
    outcome = outcome_of(
        bucket,
        image,
        job,
        """
        (ML / "model/half").write_text("half")
        (ML / "output/failure").write_text("channel train, column 1: no row has the label 1.")
        sys.exit(1)
        """,
    )
    assert outcome.status == "Failed"
    assert outcome.failure_reason == "AlgorithmError: channel train, column 1: no row has the label 1., exit code: 1"
    assert bucket.keys("models") == []


def test_a_long_failure_is_cut_to_what_sagemaker_keeps(bucket, image, job):
    outcome = outcome_of(bucket, image, job, '(ML / "output/failure").write_text("x" * 5000); sys.exit(42)')
    assert len(outcome.failure_reason) == 1024
    assert outcome.failure_reason.startswith("AlgorithmError: xxx") and outcome.failure_reason.endswith("exit code: 42")


def test_a_container_that_is_killed_leaves_no_model(bucket, image, job):
    outcome = outcome_of(
        bucket, image, job, '(ML / "model/half").write_text("half"); os.kill(os.getpid(), signal.SIGKILL)'
    )
    assert (outcome.status, outcome.failure_reason) == ("Failed", "AlgorithmError: , exit code: 137")
    assert bucket.keys("models") == []


def test_metrics_are_found_in_the_log(bucket, image, job):
    image("""
        print("[0] validation-auc:0.5")
        print("[1] validation-auc:0.75 loss=1e-3")
        print("validation-auc:nonsense")
    """)
    bucket.put("train/a", "1")
    body = request(bucket)
    body["AlgorithmSpecification"]["MetricDefinitions"] = [
        {"Name": "validation:auc", "Regex": r"validation-auc:(\S+)"},
        {"Name": "loss", "Regex": r"loss=([0-9e.\-]+)"},
        {"Name": "never", "Regex": "never=(.*)"},
    ]
    metrics = job.run("TrainingJob", body).fields["FinalMetricDataList"]
    assert [(metric["MetricName"], metric["Value"]) for metric in metrics] == [
        ("validation:auc", 0.75),
        ("loss", 0.001),
    ]


def test_a_metric_that_isnt_an_expression_is_named(bucket, image, job):
    image("")
    body = request(bucket, ())
    body["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "auc", "Regex": "auc=("}]
    assert job.run("TrainingJob", body).failure_reason.startswith("ClientError: The Regex of metric auc can't be read")


@pytest.mark.parametrize("image_uri", ["1.dkr.ecr/xgboost:1", "1.dkr.ecr/sagemaker-xgboost:1.7-1"])
def test_the_built_in_xgboost_has_metrics_of_its_own(bucket, image, job, image_uri):
    image('print("[3]#011train-auc:0.9#011validation-auc:0.8#011validation-ndcg@5:1e-1")', image_uri)
    body = request(bucket, ())
    body["AlgorithmSpecification"]["TrainingImage"] = image_uri
    metrics = job.run("TrainingJob", body).fields["FinalMetricDataList"]
    found = {metric["MetricName"]: metric["Value"] for metric in metrics}
    assert found == {"train:auc": 0.9, "validation:auc": 0.8, "validation:ndcg@5": 0.1}


SAVES_WHEN_ASKED = """
def stop(*_):
    (ML / "model/so-far").write_text("so far")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("begun")
while True:
    time.sleep(0.05)
"""


def test_a_stopped_job_keeps_the_model_so_far(bucket, image, job):
    job.when("begun", job.stopped.set)
    outcome = outcome_of(bucket, image, job, SAVES_WHEN_ASKED)
    assert outcome.status == "Stopped"
    assert outcome.fields == {"ModelArtifacts": {"S3ModelArtifacts": bucket.uri(MODEL)}}
    assert members(bucket.get(MODEL)) == {"so-far": "so far"}


def test_a_job_that_runs_too_long_keeps_the_model_so_far(bucket, image, job):
    outcome = outcome_of(bucket, image, job, SAVES_WHEN_ASKED, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (outcome.status, outcome.fields["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert members(bucket.get(MODEL)) == {"so-far": "so far"}


def test_a_container_that_ignores_sigterm_is_killed(bucket, image, job, monkeypatch):
    monkeypatch.setattr("localaws.jobs.training.GRACE", 0.2)
    job.when("begun", job.stopped.set)
    program = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('begun'); time.sleep(10000)"
    assert outcome_of(bucket, image, job, program).status == "Stopped"


def test_a_spot_jobs_waiting_counts(bucket, image, job):
    now = time.time()
    spot = {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600},
        "CreationTime": now - 3599,
        "TrainingStartTime": now,
    }
    outcome = outcome_of(bucket, image, job, SAVES_WHEN_ASKED, **spot)
    assert (outcome.status, outcome.fields["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")


def test_a_spot_job_that_waited_too_long_doesnt_begin(bucket, image, job):
    spot = {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        "CreationTime": 1000,
        "TrainingStartTime": 1061,
    }
    outcome = outcome_of(bucket, image, job, "print('begun')", **spot)
    assert (outcome.status, outcome.fields) == ("Stopped", {"SecondaryStatus": "MaxWaitTimeExceeded"})
    assert job.log == [] and bucket.keys("models") == []


def test_checkpoints_are_brought_back_and_kept(bucket, image, job):
    bucket.fill({"checkpoints/round-1": "1", "checkpoints-of-another/x": "x"})
    outcome = outcome_of(
        bucket,
        image,
        job,
        """
        folder = ML / "checkpoints"
        assert [file.name for file in folder.iterdir()] == ["round-1"]
        (folder / "round-2").write_text("2")
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        CheckpointConfig={"S3Uri": bucket.uri("checkpoints")},
    )
    assert outcome.status == "Failed", "checkpoints are for jobs that don't end well"
    assert bucket.keys("checkpoints/") == ["checkpoints/round-1", "checkpoints/round-2"]


@pytest.mark.parametrize("whole", [False, True])
def test_checkpoints_that_are_links_out_of_the_jobs_folder_are_passed_over(bucket, image, job, tmp_path, whole):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    code = f"""
        folder = ML / "checkpoints"
        (folder / "round-1").write_text("1")
        (folder / "inside").symlink_to("round-1")
        (folder / "file").symlink_to({str(outside / "secret")!r})
        (folder / "folder").symlink_to({str(outside)!r})
        (folder / "nowhere").symlink_to("/nowhere/at/all")
    """
    if whole:
        code = f"""
        folder = ML / "checkpoints"
        folder.rename(ML / "moved")
        folder.symlink_to({str(outside)!r})
        """
    outcome = outcome_of(bucket, image, job, code, CheckpointConfig={"S3Uri": bucket.uri("checkpoints")})
    assert outcome.status == "Completed", outcome.failure_reason
    assert bucket.keys("checkpoints/") == ([] if whole else ["checkpoints/inside", "checkpoints/round-1"])


def test_checkpoints_may_lie_elsewhere(bucket, image, job):
    outcome = outcome_of(
        bucket,
        image,
        job,
        '(ML / "mine/round-1").write_text("1")',
        CheckpointConfig={"S3Uri": bucket.uri("checkpoints"), "LocalPath": "/opt/ml/mine"},
    )
    assert outcome.status == "Completed"
    assert bucket.get("checkpoints/round-1") == b"1"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"InputMode": "Pipe"}, "channel x: input mode Pipe isn't supported here; use File or FastFile."),
        ({"CompressionType": "Gzip"}, "channel x: CompressionType Gzip can only be used with input mode Pipe."),
        ({"RecordWrapperType": "RecordIO"}, "channel x: RecordWrapperType RecordIO can only be used with input mode"),
        ({"source": {"S3DataType": "AugmentedManifestFile"}}, "channel x: S3DataType AugmentedManifestFile can only"),
        ({"source": {"S3Uri": "s3://no-such-bucket/x"}}, "Data download failed: NoSuchBucket at ListObjectsV2 of s3:"),
        ({"DataSource": {"FileSystemDataSource": {}}}, "channel x: only S3DataSource is supported here, not a file"),
        ({}, "No S3 objects found under S3 URL"),
    ],
)
def test_a_channel_that_cant_be_brought_is_told_by_name(bucket, image, job, change, sentence):
    image("print('begun')")
    outcome = job.run("TrainingJob", request(bucket, InputDataConfig=[channel(bucket, "x", **change)]))
    assert outcome.status == "Failed"
    assert outcome.failure_reason.startswith(f"ClientError: {sentence}")
    assert job.log == []


def test_an_algorithm_by_name_is_refused(bucket, image, job):
    image("")
    body = request(bucket, (), AlgorithmSpecification={"AlgorithmName": "mine", "TrainingInputMode": "File"})
    reason = job.run("TrainingJob", body).failure_reason
    assert reason == "ClientError: AlgorithmName isn't supported here; name a TrainingImage."


def test_a_job_without_channels_runs(bucket, image, job):
    image('(ML / "model/a").write_text(str(list((ML / "input/data").iterdir())))')
    assert job.run("TrainingJob", request(bucket, ())).status == "Completed"
    assert members(bucket.get(MODEL)) == {"a": "[]"}
