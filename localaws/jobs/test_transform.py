"""Transform jobs, run for real: a container that serves, records to it, and its answers to S3."""

import gzip
import json

import pytest


def test_each_object_has_an_output_with_a_line_for_each_of_its_records(bucket, serving, job, transform):
    serving()
    bucket.fill({"in/a.csv": "1,2\n3,45\n", "in/deep/b.csv": "12345"})
    outcome = job.run("TransformJob", transform())
    assert (outcome.status, outcome.failure_reason) == ("Completed", None)
    assert bucket.keys("out") == ["out/a.csv.out", "out/deep/b.csv.out"]
    assert bucket.get("out/a.csv.out") == b"3\n4\n"
    assert bucket.get("out/deep/b.csv.out") == b"5\n"


def test_the_container_has_the_model_and_is_told_how_it_is_used(bucket, serving, job, transform, archive):
    serving(
        """
        def post(body, headers):
            names = ("SAGEMAKER_BATCH", "SAGEMAKER_MAX_PAYLOAD_IN_MB", "SAGEMAKER_BATCH_STRATEGY",
                     "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "ONE", "TWO", "AWS_REGION")
            return 200, json.dumps([
                (ML / "model/weights").read_text(), {name: os.environ.get(name) for name in names},
                headers["Content-Type"], headers["Accept"],
            ]).encode()
    """,
        ModelDataUrl=bucket.put("model.tar.gz", archive({"weights": "w"})),
        Environment={"ONE": "m", "TWO": "m"},
    )
    bucket.put("in/a.csv", "1\n")
    body = transform(
        BatchStrategy="SingleRecord", MaxPayloadInMB=2, MaxConcurrentTransforms=3, Environment={"TWO": "job"}
    )
    assert job.run("TransformJob", body).status == "Completed"
    assert json.loads(bucket.get("out/a.csv.out")) == [
        "w",
        {
            "SAGEMAKER_BATCH": "true",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": "2",
            "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
            "ONE": "m",
            "TWO": "job",
            "AWS_REGION": "us-east-1",
        },
        "text/csv",
        "text/csv",
    ]


ECHO = """
def post(body, headers):
    return 200, b"[" + body + b"]"
"""


@pytest.mark.parametrize(
    ("settings", "parameters", "expected"),
    [
        ({"BatchStrategy": "SingleRecord"}, {}, b"[a\n]\n[b\n]\n[c]\n"),
        ({"BatchStrategy": "MultiRecord"}, {}, b"[a\nb\nc]\n"),
        ({}, {}, b"[a\nb\nc]\n"),
        ({}, {"BatchStrategy": "SINGLE_RECORD"}, b"[a\n]\n[b\n]\n[c]\n"),
        ({"BatchStrategy": "MultiRecord"}, {"BatchStrategy": "SINGLE_RECORD"}, b"[a\nb\nc]\n"),
    ],
)
def test_the_jobs_strategy_goes_before_the_containers(bucket, serving, job, transform, settings, parameters, expected):
    serving(f"PARAMETERS = {parameters}\n{ECHO}")
    bucket.put("in/a.csv", "a\nb\nc")
    assert job.run("TransformJob", transform(**settings)).status == "Completed"
    assert bucket.get("out/a.csv.out") == expected


def test_what_sagemaker_logs_of_the_data_is_in_the_data_log(bucket, serving, job, transform):
    serving("PARAMETERS = {'MaxConcurrentTransforms': 4, 'MaxPayloadInMB': 3, 'BatchStrategy': 'MULTI_RECORD'}")
    bucket.put("in/a.csv", "a\n")
    job.run("TransformJob", transform())
    line = "[sagemaker logs]: MaxConcurrentTransforms=4, MaxPayloadInMB=3, BatchStrategy=MULTI_RECORD"
    assert [stream.rpartition("/")[2] for stream, text in job.log if text == line] == ["data-log"]


def test_payloads_hold_whole_lines_up_to_the_limit_and_answers_keep_their_order(bucket, serving, job, transform):
    serving("""
        def post(body, headers):
            assert len(body) <= 1 << 20 and body.endswith(b"\\n"), len(body)
            rows = body.splitlines()
            time.sleep(0.05 * (3 - int(rows[0].split(b",")[0]) % 3))
            return 200, b"".join(row.split(b",")[0] + b"\\n" for row in rows)
    """)
    rows = [f"{number}," + "x" * 300_000 for number in range(40)]
    bucket.put("in/a.csv", "\n".join(rows) + "\n")
    outcome = job.run("TransformJob", transform(MaxPayloadInMB=1, MaxConcurrentTransforms=4))
    assert (outcome.status, outcome.failure_reason) == ("Completed", None)
    assert bucket.get("out/a.csv.out").decode().split() == [str(number) for number in range(40)]


def test_as_many_requests_are_open_as_the_job_allows(bucket, serving, job, transform):
    serving("""
        import threading
        together = threading.Barrier(3)
        def post(body, headers):
            together.wait()
            return 200, body
    """)
    bucket.put("in/a.csv", "a\nb\nc\nd\ne\nf\n")
    body = transform(BatchStrategy="SingleRecord", MaxConcurrentTransforms=3)
    assert job.run("TransformJob", body).status == "Completed"
    assert bucket.get("out/a.csv.out") == b"a\nb\nc\nd\ne\nf\n"


def test_without_a_split_an_object_is_one_payload_and_answers_stay_as_they_are(bucket, serving, job, transform):
    serving(ECHO)
    bucket.put("in/picture", b"\x00\n\x01")
    body = transform("None")
    body["TransformOutput"]["AssembleWith"] = "None"
    assert job.run("TransformJob", body).status == "Completed"
    assert bucket.get("out/picture.out") == b"[\x00\n\x01]"


def test_payload_0_is_sent_in_chunks(bucket, serving, job, transform):
    serving("""
        def post(body, headers):
            return 200, headers["Transfer-Encoding"].encode() + b" " + body
    """)
    bucket.put("in/a.csv", "a\nb\n")
    assert job.run("TransformJob", transform(MaxPayloadInMB=0)).status == "Completed"
    assert bucket.get("out/a.csv.out") == b"chunked a\nb\n"


def test_gzipped_objects_are_unpacked(bucket, serving, job, transform):
    serving(ECHO)
    bucket.put("in/a.csv.gz", gzip.compress(b"a\n"))
    body = transform()
    body["TransformInput"]["CompressionType"] = "Gzip"
    assert job.run("TransformJob", body).status == "Completed"
    assert bucket.get("out/a.csv.gz.out") == b"[a\n]\n"


def test_outputs_are_encrypted_with_the_jobs_key(bucket, serving, job, transform):
    serving()
    bucket.put("in/a.csv", "a\n")
    body = transform()
    body["TransformOutput"]["KmsKeyId"] = "arn:aws:kms:us-east-1:111111111111:key/of-the-job"
    job.run("TransformJob", body)
    head = bucket.client.head_object(Bucket=bucket.name, Key="out/a.csv.out")
    assert head["ServerSideEncryption"] == "aws:kms" and head["SSEKMSKeyId"].endswith("key/of-the-job")


def test_instances_share_the_objects(bucket, serving, job, transform):
    serving("""
        def post(body, headers):
            return 200, str(ML.name).encode()
    """)
    bucket.fill({f"in/{letter}": letter for letter in "abc"})
    assert job.run("TransformJob", transform(instances=2)).status == "Completed"
    hosts = [bucket.get(f"out/{letter}.out").decode().strip() for letter in "abc"]
    assert hosts == ["algo-1", "algo-2", "algo-1"]


def test_a_request_goes_through_all_containers_of_a_model(bucket, serving, job, transform):
    serving(
        """
        def post(body, headers):
            return 200, body.upper(), "text/upper"
    """,
        "first",
    )
    serving(
        """
        def post(body, headers):
            return 200, json.dumps([body.decode(), headers["Content-Type"], headers["Accept"]]).encode()
    """,
        "second",
    )
    job.models["model"] = {"Containers": [{"Image": "first"}, {"Image": "second"}]}
    bucket.put("in/a.csv", "a")
    assert job.run("TransformJob", transform()).status == "Completed"
    assert json.loads(bucket.get("out/a.csv.out")) == ["A", "text/upper", "text/csv"]


SUM = """
def post(body, headers):
    return 200, b"".join(b"%d\\n" % sum(map(int, line.split(b","))) for line in body.splitlines())
"""


def test_answers_are_joined_to_filtered_csv_records(bucket, serving, job, transform):
    serving(SUM)
    bucket.put("in/a.csv", '"id, one",1,2\nid-2,3,4\n')
    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    assert job.run("TransformJob", transform(DataProcessing=processing)).status == "Completed"
    assert bucket.get("out/a.csv.out") == b'"id, one",3\nid-2,7\n'


def test_answers_are_joined_to_json_records(bucket, serving, job, transform):
    serving("""
        def post(body, headers):
            sums = [sum(json.loads(line)) for line in body.splitlines()]
            return 200, b"".join(b"%d\\n" % total for total in sums), "application/jsonlines"
    """)
    bucket.put("in/a.jsonl", '{"id": "x", "features": [1, 2]}\n{"id": "y", "features": [3, 4]}\n')
    processing = {"InputFilter": "$.features", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"}
    body = transform(DataProcessing=processing)
    body["TransformInput"]["ContentType"] = body["TransformOutput"]["Accept"] = "application/jsonlines"
    assert job.run("TransformJob", body).status == "Completed"
    assert bucket.get("out/a.jsonl.out") == b'{"id": "x", "SageMakerOutput": 3}\n{"id": "y", "SageMakerOutput": 7}\n'


def test_a_record_without_what_a_filter_selects_is_named_by_its_line(bucket, serving, job, transform):
    serving(SUM)
    bucket.put("in/a.csv", "1,2,3\n1,2\n")
    outcome = job.run("TransformJob", transform(DataProcessing={"InputFilter": "$[0,2]"}))
    uri = bucket.uri("in/a.csv")
    assert outcome.failure_reason == f"ClientError: {uri}, line 2: InputFilter can't be applied, for it has no index 2."


def test_an_answer_of_another_number_of_records_cant_be_joined(bucket, serving, job, transform):
    serving(ECHO.replace('b"[" + body + b"]"', 'b"1\\n"'))
    bucket.put("in/a.csv", "1\n2\n")
    outcome = job.run("TransformJob", transform(DataProcessing={"JoinSource": "Input"}))
    assert outcome.failure_reason.endswith("from line 1: 2 records have an answer of 1, which can't be joined.")
