import pytest

from functions.common import place as places
from functions.common.place import LostRace, pipeline_and_id, read_json, split, write_json

EXECUTION = "arn:aws:sagemaker:us-east-1:333333333333:pipeline/mammography-train/execution/abc123"


def test_an_execution_arn_gives_pipeline_and_id(place):
    assert pipeline_and_id(EXECUTION) == ("mammography-train", "abc123")
    assert place.run(EXECUTION, "monitor", "verdict.json") == "runs/mammography-train/abc123/monitor/verdict.json"


def test_names_follow_from_the_functions_variables(place):
    assert place.group == "arn:aws:sagemaker:us-east-1:222222222222:model-package-group/mammography"
    assert place.topic == "arn:aws:sns:us-east-1:333333333333:mammography-notifications"
    assert place.pipeline("train") == "mammography-train"


@pytest.mark.parametrize("url", ["data/x.csv", "https://bucket/x", "s3://", ""])
def test_what_is_no_s3_url_is_refused(url):
    with pytest.raises(ValueError, match="not an S3 URL"):
        split(url)


def test_an_s3_url_gives_bucket_and_key():
    assert split("s3://bucket/a/b.csv") == ("bucket", "a/b.csv")
    assert split("s3://bucket") == ("bucket", "")


def test_a_new_object_is_written_once(place):
    write_json(place.data_bucket, "ledger/x.json", {"n": 1})
    with pytest.raises(LostRace):
        write_json(place.data_bucket, "ledger/x.json", {"n": 2})
    assert read_json(place.data_bucket, "ledger/x.json")[0] == {"n": 1}


def test_a_changed_object_is_not_overwritten(place):
    first = write_json(place.data_bucket, "x", {"n": 1})
    second = write_json(place.data_bucket, "x", {"n": 2}, first)
    with pytest.raises(LostRace):
        write_json(place.data_bucket, "x", {"n": 3}, first)
    assert read_json(place.data_bucket, "x") == ({"n": 2}, second)


def test_an_object_that_is_gone_has_changed(place):
    etag = write_json(place.data_bucket, "x", {"n": 1})
    places.client("s3").delete_object(Bucket=place.data_bucket, Key="x")
    with pytest.raises(LostRace):
        write_json(place.data_bucket, "x", {"n": 2}, etag)
    assert read_json(place.data_bucket, "x") is None


def test_a_bucket_that_is_not_there_is_no_missing_object(place):
    with pytest.raises(places.client("s3").exceptions.NoSuchBucket):
        read_json("mammography-data-999999999999", "x")
