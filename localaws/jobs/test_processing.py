"""Processing jobs, run for real: files from S3, processes, files to S3."""

import json
import threading
import time

import pytest

INPUT, OUTPUT = "/opt/ml/processing/input", "/opt/ml/processing/output"


def request(bucket, inputs=("in/",), instances=1, **more):
    """CreateProcessingJob's arguments, with one output."""
    return {
        "ProcessingJobName": "job",
        "ProcessingJobArn": "arn:aws:sagemaker:us-east-1:111111111111:processing-job/job",
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": instances, "VolumeSizeInGB": 1}
        },
        "AppSpecification": {"ImageUri": "image"},
        "RoleArn": "arn:aws:iam::111111111111:role/job",
        "ProcessingInputs": [s3_input(f"input-{n}", bucket.uri(key), f"{INPUT}/{n}") for n, key in enumerate(inputs)],
        "ProcessingOutputConfig": {"Outputs": [s3_output(bucket)]},
        **more,
    }


def s3_input(name, uri, path=INPUT, **more):
    return {"InputName": name, "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", **more}}


def s3_output(bucket, mode="EndOfJob"):
    return {
        "OutputName": "result",
        "S3Output": {"S3Uri": bucket.uri("out"), "LocalPath": OUTPUT, "S3UploadMode": mode},
    }


LIST = """
found = sorted(p.relative_to(ML).as_posix() for p in (ML / "processing/input").rglob("*") if p.is_file())
host = json.loads((ML / "config/resourceconfig.json").read_text())["current_host"]
(ML / f"processing/output/{host}.json").write_text(json.dumps(found))
"""


def test_files_arrive_where_the_inputs_say_and_outputs_go_below_their_prefix(bucket, image, job):
    image(LIST)
    bucket.fill({"in/a.csv": "1", "in/deep/b.csv": "2", "one/file.txt": "3", "one/file.txt.not": "4"})
    outcome = job.run("ProcessingJob", request(bucket, ["in/", "one/file.txt"]))
    assert outcome.status == "Completed"
    assert json.loads(bucket.get("out/algo-1.json")) == [
        "processing/input/0/a.csv",
        "processing/input/0/deep/b.csv",
        "processing/input/1/file.txt",
        "processing/input/1/file.txt.not",
    ]


def test_a_manifest_names_the_objects(bucket, image, job):
    image(LIST)
    bucket.fill({"in/a.csv": "1", "in/b.csv": "2", "in/deep/c.csv": "3"})
    bucket.put("manifest", json.dumps([{"prefix": bucket.uri("in/")}, "a.csv", "deep/c.csv"]))
    body = request(bucket, ["manifest"])
    body["ProcessingInputs"][0]["S3Input"]["S3DataType"] = "ManifestFile"
    assert job.run("ProcessingJob", body).status == "Completed"
    assert json.loads(bucket.get("out/algo-1.json")) == ["processing/input/0/a.csv", "processing/input/0/deep/c.csv"]


def test_an_object_that_a_manifest_names_has_to_be_there(bucket, image, job):
    image(LIST)
    bucket.fill({"in/a.csv": "1", "in/b.csv.not": "2"})
    bucket.put("manifest", json.dumps([{"prefix": bucket.uri("in/")}, "a.csv", "b.csv"]))
    body = request(bucket, ["manifest"])
    body["ProcessingInputs"][0]["S3Input"]["S3DataType"] = "ManifestFile"
    outcome = job.run("ProcessingJob", body)
    assert outcome.failure_reason.startswith(
        f"ClientError: Data download failed: NoSuchKey at GetObject of {bucket.uri('in/b.csv')}"
    )
    assert job.log == [], "no container may run without its input"


def test_hosts_share_the_sharded_inputs_and_each_see_the_replicated(bucket, image, job):
    image(LIST)
    bucket.fill({f"in/{letter}.csv": letter for letter in "abcde"} | {"all/x": "x"})
    body = request(bucket, ["in/", "all/"], instances=2)
    body["ProcessingInputs"][0]["S3Input"]["S3DataDistributionType"] = "ShardedByS3Key"
    assert job.run("ProcessingJob", body).status == "Completed"
    shares = [json.loads(bucket.get(f"out/algo-{host}.json")) for host in (1, 2)]
    assert shares[0] == [*(f"processing/input/0/{letter}.csv" for letter in "ace"), "processing/input/1/x"]
    assert shares[1] == [*(f"processing/input/0/{letter}.csv" for letter in "bd"), "processing/input/1/x"]


def test_the_container_is_told_what_sagemaker_tells_it(bucket, image, job):
    image("""
        told = {file.name: json.loads(file.read_text()) for file in (ML / "config").iterdir()}
        told["arguments"], told["variable"], told["region"] = sys.argv[1:], os.environ["ONE"], os.environ["AWS_REGION"]
        (ML / "processing/output/told.json").write_text(json.dumps(told))
    """)
    bucket.put("in/a", "1")
    body = request(bucket, Environment={"ONE": "1"})
    body["AppSpecification"]["ContainerArguments"] = ["--rows", "7"]
    assert job.run("ProcessingJob", body).status == "Completed"
    told = json.loads(bucket.get("out/told.json"))
    assert told["resourceconfig.json"] == {"current_host": "algo-1", "hosts": ["algo-1"]}
    config = told["processingjobconfig.json"]
    assert {name: config[name] for name in body if name in config} == config
    assert config["AppSpecification"] == body["AppSpecification"]
    assert (told["arguments"], told["variable"], told["region"]) == (["--rows", "7"], "1", "us-east-1")


def test_an_entrypoint_replaces_the_images_own(bucket, image, job, tmp_path):
    image("raise SystemExit('not this')")
    bucket.put("in/a", "1")
    body = request(bucket)
    body["AppSpecification"] |= {
        "ContainerEntrypoint": ["sh", "-c", 'echo "$0 $1" > "$SAGEMAKER_BASE_DIR/processing/output/said"'],
        "ContainerArguments": ["two", "words"],
    }
    assert job.run("ProcessingJob", body).status == "Completed"
    assert bucket.get("out/said") == b"two words\n"


def test_outputs_are_encrypted_with_the_jobs_key(bucket, image, job):
    image('(ML / "processing/output/a").write_text("1")')
    bucket.put("in/a", "1")
    body = request(bucket)
    body["ProcessingOutputConfig"]["KmsKeyId"] = "arn:aws:kms:us-east-1:111111111111:key/of-the-job"
    job.run("ProcessingJob", body)
    head = bucket.client.head_object(Bucket=bucket.name, Key="out/a")
    assert head["ServerSideEncryption"] == "aws:kms" and head["SSEKMSKeyId"].endswith("key/of-the-job")


def test_a_failing_container_has_its_message_and_leaves_no_output(bucket, image, job):
    image("""
        (ML / "processing/output/half").write_text("half")
        (ML / "output/message").write_text("part-1.csv, row 3: 4 columns." + "x" * 2000)
        sys.exit(3)
    """)
    bucket.put("in/a", "1")
    outcome = job.run("ProcessingJob", request(bucket))
    assert outcome.status == "Failed"
    assert outcome.failure_reason == "AlgorithmError: See job logs for more information"
    assert outcome.exit_message.startswith("part-1.csv, row 3: 4 columns.") and len(outcome.exit_message) == 1024
    assert bucket.keys("out") == []


def test_a_completed_job_has_its_message_too(bucket, image, job):
    image('(ML / "output/message").write_text("7 rows left out.\\n")')
    bucket.put("in/a", "1")
    outcome = job.run("ProcessingJob", request(bucket))
    assert (outcome.status, outcome.exit_message) == ("Completed", "7 rows left out.")


def test_a_killed_container_leaves_no_output(bucket, image, job):
    image("""
        (ML / "processing/output/whole").write_text("whole")
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    bucket.put("in/a", "1")
    outcome = job.run("ProcessingJob", request(bucket))
    assert (outcome.status, outcome.exit_message) == ("Failed", None)
    assert bucket.keys("out") == []


def test_when_one_host_fails_the_others_are_ended_and_its_message_counts(bucket, image, job):
    image("""
        host = json.loads((ML / "config/resourceconfig.json").read_text())["current_host"]
        (ML / f"processing/output/{host}").write_text(host)
        if host == "algo-1":
            (ML / "output/message").write_text("not this")
            time.sleep(10000)
        (ML / "output/message").write_text("algo-2 has no rows.")
        sys.exit(1)
    """)
    bucket.put("in/a", "1")
    outcome = job.run("ProcessingJob", request(bucket, instances=2))
    assert (outcome.status, outcome.exit_message) == ("Failed", "algo-2 has no rows.")
    assert bucket.keys("out") == []


def test_a_stopped_job_ends_its_container_and_leaves_no_output(bucket, image, job):
    image("""
        (ML / "processing/output/half").write_text("half")
        print("begun")
        time.sleep(10000)
    """)
    bucket.put("in/a", "1")
    job.when("begun", job.stopped.set)
    assert job.run("ProcessingJob", request(bucket)).status == "Stopped"
    assert bucket.keys("out") == []


def test_a_job_that_was_stopped_before_it_began_starts_no_container(bucket, image, job):
    image('print("begun")')
    bucket.put("in/a", "1")
    job.stopped.set()
    assert job.run("ProcessingJob", request(bucket)).status == "Stopped"
    assert job.log == []


def test_a_job_that_runs_too_long_is_stopped(bucket, image, job):
    image('(ML / "processing/output/half").write_text("half"); time.sleep(10000)')
    bucket.put("in/a", "1")
    outcome = job.run("ProcessingJob", request(bucket, StoppingCondition={"MaxRuntimeInSeconds": 1}))
    assert outcome.status == "Stopped"
    assert bucket.keys("out") == []


def test_continuous_outputs_are_there_before_the_job_ends(bucket, image, job):
    image("""
        (ML / "processing/output/early").write_text("early")
        while not (ML / "processing/output/seen").exists():
            time.sleep(0.05)
        (ML / "processing/output/late").write_text("late")
        sys.exit(1)
    """)
    bucket.put("in/a", "1")
    body = request(bucket)
    body["ProcessingOutputConfig"]["Outputs"] = [s3_output(bucket, "Continuous")]

    def answer():
        while bucket.keys("out") != ["out/early"]:
            time.sleep(0.05)
        (job.folder / "algo-1/processing/output/seen").write_text("")

    watcher = threading.Thread(target=answer)
    watcher.start()
    outcome = job.run("ProcessingJob", body)
    watcher.join()
    assert outcome.status == "Failed"
    assert bucket.keys("out") == ["out/early", "out/late", "out/seen"]


def test_when_an_upload_fails_nothing_of_it_stays(bucket, image, job):
    image("""
        for number in range(20):
            (ML / f"processing/output/{number:02}").write_text("x")
        (ML / "processing/output/zz").symlink_to("/etc/hostname")
    """)
    bucket.put("in/a", "1")
    outcome = job.run("ProcessingJob", request(bucket))
    assert outcome.failure_reason == "ClientError: output/zz is a link to something outside of output."
    assert bucket.keys("out") == []


def test_an_output_bucket_that_is_missing_is_named(bucket, image, job):
    image('(ML / "processing/output/a").write_text("1")')
    bucket.put("in/a", "1")
    body = request(bucket)
    body["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = "s3://no-such-bucket/out"
    outcome = job.run("ProcessingJob", body)
    assert outcome.status == "Failed"
    assert outcome.failure_reason.startswith(
        "ClientError: Data upload failed: NoSuchBucket at PutObject of s3://no-such"
    )


def test_logs_have_the_streams_that_sagemaker_gives_them(bucket, image, job):
    image('print("from", json.loads((ML / "config/resourceconfig.json").read_text())["current_host"])')
    bucket.put("in/a", "1")
    job.run("ProcessingJob", request(bucket, instances=2))
    streams = {line: stream for stream, line in job.log}
    for host in ("algo-1", "algo-2"):
        name, _, second = streams[f"from {host}"].rpartition("-")
        assert name == host and second.isdigit()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"S3InputMode": "Pipe"}, "input x: S3InputMode Pipe isn't supported here; use File."),
        ({"S3CompressionType": "Gzip"}, "input x: S3CompressionType Gzip can only be used with S3InputMode Pipe."),
        ({"path": "/opt/ml/model"}, "input x: LocalPath must begin with /opt/ml/processing/."),
        ({"path": "/opt/ml/processing/../../../tmp"}, "input x: the path /opt/ml/processing/../../../tmp doesn't lie"),
        ({"uri": "s3://{bucket}/nothing/"}, 'No S3 objects found under S3 URL "s3://{bucket}/nothing/"'),
        ({"uri": "s3://no-such-bucket/a"}, "Data download failed: NoSuchBucket at ListObjectsV2 of s3://no-such-buck"),
        ({"uri": "s3://{bucket}/in/a", "S3DataType": "ManifestFile"}, "The manifest s3://{bucket}/in/a isn't a JSON"),
        ({"uri": "https://example.org/a"}, "https://example.org/a isn't an S3 URI."),
    ],
)
def test_an_input_that_cant_be_brought_is_told_by_name(bucket, image, job, change, sentence):
    image('print("begun")')
    bucket.put("in/a", "1")
    uri = change.pop("uri", "s3://{bucket}/in/").replace("{bucket}", bucket.name)
    path = change.pop("path", INPUT)
    outcome = job.run("ProcessingJob", request(bucket, (), ProcessingInputs=[s3_input("x", uri, path, **change)]))
    assert outcome.status == "Failed"
    assert outcome.failure_reason.startswith(f"ClientError: {sentence.replace('{bucket}', bucket.name)}")
    assert job.log == [], "no container may run without its input"


def test_what_isnt_supported_is_said(bucket, image, job):
    image('print("begun")')
    dataset = {"InputName": "x", "DatasetDefinition": {"LocalPath": INPUT}}
    outcome = job.run("ProcessingJob", request(bucket, (), ProcessingInputs=[dataset]))
    assert outcome.failure_reason == ("ClientError: input x: only S3Input is supported here, not DatasetDefinition.")


def test_a_feature_store_output_is_refused(bucket, image, job):
    image('print("begun")')
    output = {"OutputName": "x", "FeatureStoreOutput": {"FeatureGroupName": "g"}}
    outcome = job.run("ProcessingJob", request(bucket, (), ProcessingOutputConfig={"Outputs": [output]}))
    assert outcome.failure_reason == "ClientError: output x: only S3Output is supported here."


def test_an_output_outside_of_opt_ml_is_refused(bucket, image, job):
    image('print("begun")')
    body = request(bucket, ())
    body["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["LocalPath"] = "/tmp/out"
    outcome = job.run("ProcessingJob", body)
    assert outcome.failure_reason == "ClientError: output result: the path /tmp/out doesn't lie below /opt/ml."


def test_inputs_and_outputs_that_the_application_manages_are_left_to_it(bucket, image, job):
    image("print(sorted(path.name for path in ML.iterdir()))")
    body = request(
        bucket,
        (),
        ProcessingInputs=[{"InputName": "x", "AppManaged": True, "DatasetDefinition": {}}],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "y", "AppManaged": True, "FeatureStoreOutput": {}}]},
    )
    assert job.run("ProcessingJob", body).status == "Completed"
    assert job.text() == "['config', 'output']"


def test_an_image_that_isnt_mapped_is_named(bucket, image, job):
    image("", name="another")
    outcome = job.run("ProcessingJob", request(bucket, ()))
    assert outcome.failure_reason == (
        "ClientError: The image image isn't mapped to anything on this machine: add an entry to the image map."
    )
