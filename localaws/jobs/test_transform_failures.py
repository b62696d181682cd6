"""Transform jobs that fail, or are stopped: what is told, and what is left."""

import pytest

REFUSES_B = """
def post(body, headers):
    if b"bad" in body:
        return 400, b"row 1, column age: not a number."
    return 200, body
"""


def test_a_record_that_the_container_rejects_fails_the_job_with_its_message(bucket, serving, job, transform):
    serving(REFUSES_B)
    bucket.fill({"in/a.csv": "good\n" * 3, "in/b.csv": "good\nbad\ngood\n"})
    outcome = job.run("TransformJob", transform(BatchStrategy="SingleRecord"))
    assert outcome.status == "Failed"
    assert outcome.failure_reason == (
        f"ClientError: See job logs for more information. {bucket.uri('in/b.csv')}, line 2: Bad HTTP status received "
        "from algorithm: 400: row 1, column age: not a number."
    )
    assert bucket.keys("out") == ["out/a.csv.out"], "AWS keeps the outputs of the objects that could be transformed"


def test_a_request_that_fails_in_the_container_is_tried_again(bucket, serving, job, transform):
    serving("""
        tried = []
        def post(body, headers):
            tried.append(1)
            return (503, b"later") if len(tried) < 3 else (200, str(len(tried)).encode())
    """)
    bucket.put("in/a.csv", "a\n")
    body = transform(ModelClientConfig={"InvocationsMaxRetries": 2})
    assert job.run("TransformJob", body).status == "Completed"
    assert bucket.get("out/a.csv.out") == b"3\n"


def test_a_request_is_tried_again_as_often_as_the_job_says(bucket, serving, job, transform):
    serving("""
        tried = []
        def post(body, headers):
            tried.append(1)
            return 500, f"attempt {len(tried)}".encode()
    """)
    bucket.put("in/a.csv", "a\n")
    outcome = job.run("TransformJob", transform(ModelClientConfig={"InvocationsMaxRetries": 1}))
    assert outcome.failure_reason.startswith("AlgorithmError: See job logs for more information.")
    assert outcome.failure_reason.endswith("line 1: Bad HTTP status received from algorithm: 500: attempt 2")


def test_an_answer_that_takes_too_long_fails_the_object(bucket, serving, job, transform):
    serving("""
        def post(body, headers):
            time.sleep(10000)
    """)
    bucket.put("in/a.csv", "a\n")
    config = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}
    outcome = job.run("TransformJob", transform(ModelClientConfig=config))
    assert outcome.failure_reason.endswith("Unable to get response from algorithm: no answer within 1 seconds")


def test_a_connection_that_the_container_closes_after_each_answer_is_no_failure(bucket, serving, job, transform):
    serving("""
        Handler.protocol_version = "HTTP/1.0"
    """)
    bucket.put("in/a.csv", "a\nbb\nccc\n")
    body = transform(BatchStrategy="SingleRecord", ModelClientConfig={"InvocationsMaxRetries": 0})
    assert job.run("TransformJob", body).status == "Completed"
    assert bucket.get("out/a.csv.out") == b"1\n2\n3\n"


def test_a_container_that_dies_leaves_no_output_at_all(bucket, serving, job, transform):
    serving("""
        def post(body, headers):
            if b"bad" in body:
                os.kill(os.getpid(), signal.SIGKILL)
            return 200, body
    """)
    bucket.fill({"in/a.csv": "good\n", "in/b.csv": "bad\n"})
    outcome = job.run("TransformJob", transform())
    assert (outcome.status, outcome.failure_reason) == (
        "Failed",
        "AlgorithmError: The model's container ended; see job logs for more information, exit code: 137",
    )
    assert bucket.keys("out") == []


def test_a_container_that_cant_start_says_why(bucket, serving, job, transform):
    serving("""
        (ML / "output").mkdir()
        (ML / "output/failure").write_text("model archive: xgboost-model is missing.")
        sys.exit(1)
    """)
    bucket.put("in/a.csv", "a\n")
    outcome = job.run("TransformJob", transform())
    assert outcome.failure_reason == "AlgorithmError: model archive: xgboost-model is missing., exit code: 1"


def test_the_container_is_waited_for_until_it_says_that_it_is_ready(bucket, serving, job, transform):
    serving("""
        asked = []
        def get(path):
            asked.append(path)
            return (200 if asked.count("/ping") >= 3 else 503), b""
        def post(body, headers):
            return 200, str(asked.count("/ping")).encode()
    """)
    bucket.put("in/a.csv", "a\n")
    assert job.run("TransformJob", transform()).status == "Completed"
    assert bucket.get("out/a.csv.out") == b"3\n"


@pytest.mark.parametrize("where", ["start", "request"])
def test_a_stopped_job_ends_its_container_and_leaves_no_output(bucket, serving, job, transform, where):
    serving(
        """
        def post(body, headers):
            print("request", flush=True)
            time.sleep(10000)
    """
        if where == "request"
        else """
        print("start")
        time.sleep(10000)
    """
    )
    bucket.fill({"in/a.csv": "a\n"})
    job.when(where, job.stopped.set)
    assert job.run("TransformJob", transform()).status == "Stopped"
    assert bucket.keys("out") == []


def test_a_model_without_an_archive_and_one_by_prefix(bucket, serving, job, transform):
    source = {"S3Uri": bucket.uri("weights/"), "S3DataType": "S3Prefix", "CompressionType": "None"}
    serving(
        """
        def post(body, headers):
            return 200, (ML / "model/deep/a").read_bytes()
    """,
        ModelDataSource={"S3DataSource": source},
    )
    bucket.fill({"weights/deep/a": "w", "in/a.csv": "a\n"})
    assert job.run("TransformJob", transform()).status == "Completed"
    assert bucket.get("out/a.csv.out") == b"w\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lambda pack: b"not a tar", "is truncated or damaged; a gzip-compressed tar is needed."),
        (lambda pack: pack({"w": "w" * 100_000})[:-20], "is truncated or damaged; a gzip-compressed tar is needed."),
        (lambda pack: pack({"../outside": "w"}), "leads out of its folder; a gzip-compressed tar is needed."),
    ],
)
def test_an_archive_that_cant_be_unpacked_is_named(bucket, serving, job, transform, archive, content, sentence):
    uri = bucket.put("model.tar.gz", content(archive))
    serving(ModelDataUrl=uri)
    bucket.put("in/a.csv", "a\n")
    assert job.run("TransformJob", transform()).failure_reason == f"ClientError: The archive {uri} {sentence}"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"split": "RecordIO"}, "SplitType RecordIO isn't supported here; use Line or None."),
        ({"split": "TFRecord"}, "SplitType TFRecord isn't supported here; use Line or None."),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://b/c"}}, "DataCaptureConfig isn't supported here."),
        ({"ModelName": "other"}, 'Could not find model "other".'),
        (
            {"MaxConcurrentTransforms": 60, "MaxPayloadInMB": 2},
            "MaxConcurrentTransforms * MaxPayloadInMB must not exceed 100.",
        ),
    ],
)
def test_settings_that_cant_be_followed_are_named(bucket, serving, job, transform, change, sentence):
    serving()
    bucket.put("in/a.csv", "a\n")
    outcome = job.run("TransformJob", transform(**change))
    assert (outcome.status, outcome.failure_reason) == ("Failed", f"ClientError: {sentence}")


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"PrimaryContainer": {"Image": "image", "Mode": "MultiModel"}}, "A multi-model container can't be used by a"),
        ({"PrimaryContainer": {"ModelDataUrl": "s3://b/c"}}, "A container of the model names no image."),
        (
            {
                "Containers": [{"Image": "image"}, {"Image": "image"}],
                "InferenceExecutionConfig": {"Mode": "Direct"},
            },
            "A model whose containers are invoked directly can't be used by a transform job.",
        ),
    ],
)
def test_a_model_that_cant_be_hosted_is_refused(bucket, serving, job, transform, model, sentence):
    serving()
    job.models["model"] = model
    outcome = job.run("TransformJob", transform())
    assert outcome.failure_reason.startswith(f"ClientError: {sentence}")


@pytest.mark.parametrize(
    ("objects", "split", "settings", "sentence"),
    [
        ({}, "Line", {}, 'No S3 objects found under S3 URL "{in}"'),
        ({"a.csv": ""}, "Line", {}, "{in}a.csv has no record."),
        (
            {"a.csv": "a\n" + "b" * 1_100_000},
            "Line",
            {},
            "{in}a.csv, line 2: longer than MaxPayloadInMB allows (1 MB).",
        ),
        ({"a.csv": "b" * 1_100_000}, "None", {}, "{in}a.csv has 1100000 bytes, more than MaxPayloadInMB allows"),
        (
            {"a.csv": "not gzip"},
            "Line",
            {"CompressionType": "Gzip"},
            "{in}a.csv is truncated or isn't gzip-compressed.",
        ),
    ],
)
def test_an_object_that_cant_be_sent_is_named(bucket, serving, job, transform, objects, split, settings, sentence):
    serving()
    bucket.fill({f"in/{name}": content for name, content in objects.items()})
    body = transform(split, MaxPayloadInMB=1)
    body["TransformInput"] |= settings
    outcome = job.run("TransformJob", body)
    assert outcome.status == "Failed"
    assert outcome.failure_reason.startswith(f"ClientError: {sentence.replace('{in}', bucket.uri('in/'))}")
    assert bucket.keys("out") == []


def test_an_answer_to_execution_parameters_that_isnt_valid_is_told(bucket, serving, job, transform):
    serving("PARAMETERS = {'MaxPayloadInMB': 'a lot'}")
    bucket.put("in/a.csv", "a\n")
    outcome = job.run("TransformJob", transform())
    assert outcome.failure_reason == "AlgorithmError: The container's answer to /execution-parameters isn't valid."
