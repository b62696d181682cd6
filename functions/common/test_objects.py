import re
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from functions.common.context import client
from functions.common.objects import batch_id, contents, list_objects, training_set
from functions.conftest import bucket, put


def keys(url):
    return [item.key for item in list_objects(url)]


def test_objects_are_listed_by_prefix_sorted_and_without_folders(context):
    for key in ("data/batches/b.csv", "data/batches/a.csv", "data/other.csv"):
        put(context.data_bucket, key)
    put(context.data_bucket, "data/batches/", b"")
    put(context.data_bucket, "data/batches/empty.csv", b"")
    assert keys(f"s3://{context.data_bucket}/data/batches/") == [
        "data/batches/a.csv", "data/batches/b.csv", "data/batches/empty.csv",
    ]  # fmt: skip


def test_only_the_current_version_of_an_object_counts(context):
    url = put(context.data_bucket, "a.csv", b"1\n")
    (first,) = list_objects(url)
    put(context.data_bucket, "a.csv", b"2\n")
    (second,) = list_objects(url)
    assert first.version != second.version
    client("s3").delete_object(Bucket=context.data_bucket, Key="a.csv")
    assert list_objects(url) == []


def test_without_versions_an_etag_stands_for_the_version(context):
    plain = bucket("plain", versions=False)
    url = put(plain, "a.csv", b"1\n")
    (item,) = list_objects(url)
    assert re.fullmatch(r"[0-9a-f]{32}", item.version)


def test_more_objects_than_a_page_holds(context):
    names = [f"many/{number:04}" for number in range(1003)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put(context.data_bucket, key), names))
    assert keys(f"s3://{context.data_bucket}/many/") == names


def test_equal_bytes_have_one_content_in_every_bucket_and_under_every_name(context):
    other = bucket("mammography-data-other")
    put(context.data_bucket, "data/labelled/part-1.csv", b"1,2\n")
    put(other, "elsewhere/renamed.csv", b"1,2\n")
    put(other, "elsewhere/changed.csv", b"1,3\n")
    here = contents(f"s3://{context.data_bucket}/data/labelled/")
    there = contents(f"s3://{other}/elsewhere/")
    assert here["data/labelled/part-1.csv"] == there["elsewhere/renamed.csv"] != there["elsewhere/changed.csv"]


def test_the_strongest_checksum_is_the_content(context):
    s3 = client("s3")
    s3.put_object(Bucket=context.data_bucket, Key="a", Body=b"1,2\n", ChecksumAlgorithm="SHA256")
    assert contents(f"s3://{context.data_bucket}/a")["a"].startswith("sha256 ")


def test_an_object_without_a_checksum_is_known_by_its_etag(context, monkeypatch):
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    boto3.Session().client("s3").put_object(Bucket=context.data_bucket, Key="a", Body=b"1,2\n")
    found = contents(f"s3://{context.data_bucket}/a")["a"]
    assert found.startswith("etag ") and found.endswith(" 4")


def test_a_training_set_is_its_contents_whatever_their_order():
    assert training_set(["a", "b"]) == training_set(["b", "a"]) != training_set(["a", "c"])


def test_a_batch_is_its_objects_keys_and_versions(context):
    url = put(context.data_bucket, "data/batches/Januar 2026.csv")
    name = batch_id(list_objects(url))
    assert re.fullmatch(r"Januar-2026-[0-9a-f]{12}", name)
    assert batch_id(list_objects(url)) == name
    put(context.data_bucket, "data/batches/Januar 2026.csv")
    assert batch_id(list_objects(url)) != name


@pytest.mark.parametrize("key", ["data/batches/äöü.csv", "data/batches/" + "x" * 300 + ".csv"])
def test_a_batchs_name_fits_everywhere(context, key):
    assert re.fullmatch(r"[A-Za-z0-9-]{1,53}", batch_id(list_objects(put(context.data_bucket, key))))
