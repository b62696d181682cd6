import pytest

from functions.common import context as contexts
from functions.common.context import LostRace, pipeline_and_id, read_json, split, write_json

EXECUTION = "arn:aws:sagemaker:us-east-1:333333333333:pipeline/mammography-train/execution/abc123"


def test_an_execution_arn_gives_pipeline_and_id(context):
    assert pipeline_and_id(EXECUTION) == ("mammography-train", "abc123")
    assert context.run(EXECUTION, "monitor", "verdict.json") == "runs/mammography-train/abc123/monitor/verdict.json"


def test_names_follow_from_the_functions_variables(context):
    assert context.group == "arn:aws:sagemaker:us-east-1:222222222222:model-package-group/mammography"
    assert context.topic == "arn:aws:sns:us-east-1:333333333333:mammography-notifications"
    assert context.pipeline("train") == "mammography-train"


@pytest.mark.parametrize("url", ["data/x.csv", "https://bucket/x", "s3://", ""])
def test_what_is_no_s3_url_is_refused(url):
    with pytest.raises(ValueError, match="not an S3 URL"):
        split(url)


def test_an_s3_url_gives_bucket_and_key():
    assert split("s3://bucket/a/b.csv") == ("bucket", "a/b.csv")
    assert split("s3://bucket") == ("bucket", "")


def test_a_new_object_is_written_once(context):
    write_json(context.data_bucket, "ledger/x.json", {"n": 1})
    with pytest.raises(LostRace):
        write_json(context.data_bucket, "ledger/x.json", {"n": 2})
    assert read_json(context.data_bucket, "ledger/x.json")[0] == {"n": 1}


def test_a_changed_object_is_not_overwritten(context):
    first = write_json(context.data_bucket, "x", {"n": 1})
    second = write_json(context.data_bucket, "x", {"n": 2}, first)
    with pytest.raises(LostRace):
        write_json(context.data_bucket, "x", {"n": 3}, first)
    assert read_json(context.data_bucket, "x") == ({"n": 2}, second)


def test_an_object_that_is_gone_has_changed(context):
    etag = write_json(context.data_bucket, "x", {"n": 1})
    contexts.client("s3").delete_object(Bucket=context.data_bucket, Key="x")
    with pytest.raises(LostRace):
        write_json(context.data_bucket, "x", {"n": 2}, etag)
    assert read_json(context.data_bucket, "x") is None


def test_a_bucket_that_is_not_there_is_no_missing_object(context):
    with pytest.raises(contexts.client("s3").exceptions.NoSuchBucket):
        read_json("mammography-data-999999999999", "x")
