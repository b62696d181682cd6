"""Sessions of localstack-client, which only know one port, against whatever the local accounts are served by."""

from urllib.parse import urlsplit

import pytest
from localstack_client.session import Session


@pytest.fixture
def session(address, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return Session(aws_access_key_id="444444444444", localstack_host=urlsplit(address).netloc)


def test_an_object_is_stored_and_read(session):
    s3 = session.client("s3")
    s3.create_bucket(Bucket="client-of-localstack")
    s3.put_object(Bucket="client-of-localstack", Key="key", Body=b"content")
    assert s3.get_object(Bucket="client-of-localstack", Key="key")["Body"].read() == b"content"
    s3.delete_object(Bucket="client-of-localstack", Key="key")
    s3.delete_bucket(Bucket="client-of-localstack")


def test_sagemaker_answers_on_the_same_port(session):
    assert session.client("sagemaker").list_pipelines()["PipelineSummaries"] == []
    assert session.client("sts").get_caller_identity()["Account"] == "444444444444"
