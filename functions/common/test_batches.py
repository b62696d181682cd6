import time

import pytest

from functions.common.batches import arrivals, named
from functions.common.context import client
from functions.common.failures import NoSuchBatch, WrongInput
from functions.conftest import put


def arrive(context, *names):
    for name in names:
        put(context.data_bucket, f"data/batches/{name}", name.encode())


def test_a_batch_is_named_by_an_object_or_by_a_prefix(context):
    arrive(context, "jan/a.csv", "jan/b.csv", "feb.csv")
    one = named(context, f"s3://{context.data_bucket}/data/batches/feb.csv")
    many = named(context, f"s3://{context.data_bucket}/data/batches/jan/")
    assert [key for key, _ in one.objects] == ["data/batches/feb.csv"]
    assert [key for key, _ in many.objects] == ["data/batches/jan/a.csv", "data/batches/jan/b.csv"]
    assert one.arrived.endswith("+00:00")


def test_a_batch_that_is_not_there_is_refused_by_name(context):
    url = f"s3://{context.data_bucket}/data/batches/none.csv"
    with pytest.raises(NoSuchBatch, match=f"^BatchDataUrl {url}: nothing lies there.$"):
        named(context, url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("newst", "BatchDataUrl newst: not an S3 URL."),
        (
            "s3://elsewhere/x.csv",
            "BatchDataUrl s3://elsewhere/x.csv: batches lie below s3://mammography-data-333333333333/.",
        ),
    ],
)
def test_what_is_no_url_of_the_data_bucket_is_refused(context, url, sentence):
    with pytest.raises(WrongInput) as refused:
        named(context, url)
    assert str(refused.value) == sentence


def test_the_newest_arrival_comes_first(context):
    arrive(context, "b.csv", "c.csv")
    time.sleep(1.1)  # S3 tells times in seconds
    arrive(context, "a.csv")
    assert [batch.objects[0][0].rsplit("/")[-1] for batch in arrivals(context)] == ["a.csv", "c.csv", "b.csv"]


def test_an_empty_object_is_an_arrival_too(context):
    put(context.data_bucket, "data/batches/empty.csv", b"")
    assert [batch.url for batch in arrivals(context)] == [f"s3://{context.data_bucket}/data/batches/empty.csv"]


def test_objects_in_folders_do_not_arrive_by_themselves(context):
    arrive(context, "folder/a.csv", "whole.csv")
    put(context.data_bucket, "data/batches/folder/", b"")
    assert [batch.url for batch in arrivals(context)] == [f"s3://{context.data_bucket}/data/batches/whole.csv"]


def test_what_a_job_would_read_by_prefix_belongs_to_the_batch(context):
    arrive(context, "a.csv", "a.csv.old")
    both = {batch.url.rsplit("/")[-1]: len(batch.objects) for batch in arrivals(context)}
    assert both == {"a.csv": 2, "a.csv.old": 1}


def test_another_version_of_an_object_is_another_batch(context):
    arrive(context, "a.csv")
    (before,) = arrivals(context)
    arrive(context, "a.csv")
    (after,) = arrivals(context)
    assert before.id != after.id
    client("s3").delete_object(Bucket=context.data_bucket, Key="data/batches/a.csv")
    assert list(arrivals(context)) == []
