"""What botocore sends is read back as what was called: for every operation of the services that are enforced."""

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from localaws.access import requests
from localaws.access.actions import PREFIXES, TABLE
from localaws.http import Request

SERVICES = ("s3", "lambda", "kms", "ecr", "sqs", "sns", "logs", "events", "sts", "iam", "cloudwatch", "dynamodb")
CONFIG = Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required")
TWINS = {
    "GetBucketNotification",
    "GetBucketLifecycle",
    "PutBucketNotification",
    "PutBucketLifecycle",
    "ListDirectoryBuckets",
    "WriteGetObjectResponse",
}
"""Older operations that can't be told from their successors, and one that has a host of its own in AWS."""


def client(service):
    return boto3.client(
        service, "us-east-1", endpoint_url="http://127.0.0.1:1", aws_access_key_id="1" * 12, aws_secret_access_key="x",
        config=CONFIG,
    )  # fmt: skip


def sample(shape, name=""):
    """The smallest value that a shape takes."""
    if shape.type_name == "structure":
        return {member: sample(shape.members[member], member) for member in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member)] * max(1, shape.metadata.get("min", 1))
    if shape.type_name == "map":
        return {sample(shape.key): sample(shape.value)}
    if shape.type_name in ("integer", "long", "float", "double"):
        return max(1, shape.metadata.get("min", 1))
    simple = {"boolean": True, "blob": b"{}", "timestamp": 1_700_000_000}
    if shape.type_name in simple:
        return simple[shape.type_name]
    if shape.enum:
        return shape.enum[0]
    return "bucket-1" if name == "Bucket" else "a" * max(3, shape.metadata.get("min", 3))


def sent(client, operation, params):
    """The service, request and body that a call makes, as they are read."""
    found = []

    def catch(request, **_):
        found.append(request)
        return AWSResponse(request.url, 400, {}, _Empty())

    client.meta.events.register("before-send.*.*", catch)
    try:
        client._make_api_call(operation, params)
    except Exception as error:
        if not found:
            pytest.skip(f"botocore itself refuses the sample: {error}")
    finally:
        client.meta.events.unregister("before-send.*.*", catch)
    prepared = found[0]
    path, _, query = prepared.url.split("127.0.0.1:1", 1)[1].partition("?")
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()
    }
    body = prepared.body.read() if hasattr(prepared.body, "read") else prepared.body or b""
    body = body.encode() if isinstance(body, str) else body
    service = client.meta.service_model.signing_name
    decoded = dict(requests.parse_qsl(query, keep_blank_values=True))
    method = prepared.method
    request = Request(method, path or "/", decoded, headers | {"host": "127.0.0.1:1"})
    return service, request, body if requests.needs_body(service, request) else b""


class _Empty:
    def read(self, *_):
        return b""

    def stream(self, *_, **__):
        return iter(())


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_is_told_from_the_others(service):
    made, wrong, tried = client(service), [], 0
    for operation in made.meta.service_model.operation_names:
        model = made.meta.service_model.operation_model(operation)
        params = sample(model.input_shape) if model.input_shape else {}
        try:
            request = sent(made, operation, params)
        except pytest.skip.Exception:
            continue
        tried += 1
        found, _ = requests.read(*request)
        if found != operation and operation not in TWINS:
            wrong.append((operation, found))
    assert not wrong
    assert tried > 0.9 * len(made.meta.service_model.operation_names)


@pytest.mark.parametrize("service", sorted(TABLE))
def test_the_table_names_operations_that_exist(service):
    assert set(TABLE[service]) <= set(client(PREFIXES.get(service, service)).meta.service_model.operation_names)


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("s3", "GetObject", {"Bucket": "bucket-1", "Key": "a b/ü+%.csv", "VersionId": "v1"}),
        ("s3", "PutObject", {"Bucket": "bucket-1", "Key": "x", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}),
        ("s3", "ListObjectsV2", {"Bucket": "bucket-1", "Prefix": "a/b c", "Delimiter": "/"}),
        ("s3", "CopyObject", {"Bucket": "bucket-1", "Key": "x", "CopySource": "bucket-2/y%20z"}),
        ("lambda", "Invoke", {"FunctionName": "arn:aws:lambda:us-east-1:111111111111:function:f", "Qualifier": "7"}),
        ("sqs", "SendMessage", {"QueueUrl": "http://127.0.0.1:1/111111111111/q", "MessageBody": "x"}),
        ("sns", "Publish", {"TopicArn": "arn:aws:sns:us-east-1:111111111111:t", "Message": "a&b=c"}),
        ("ecr", "BatchGetImage", {"repositoryName": "a/b", "registryId": "1" * 12, "imageIds": [{"imageTag": "x"}]}),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/a", "logStreamName": "b", "logEvents": [{"timestamp": 1, "message": "x"}]},
        ),
    ],
)
def test_parameters_come_back(service, operation, params):
    found, read = requests.read(*sent(client(service), operation, params))
    assert found == operation
    assert {name: read[name] for name in params if name in read and name != "Body"} == params


def test_keys_to_delete_are_read_from_the_body():
    objects = [{"Key": "a/1 & 2"}, {"Key": "b", "VersionId": "v"}]
    params = {"Bucket": "bucket-1", "Delete": {"Objects": objects}}
    _, read = requests.read(*sent(client("s3"), "DeleteObjects", params))
    assert read["Delete"]["Objects"] == objects


def test_a_bucket_in_the_host_s_name_is_found():
    request = Request("GET", "/a/b", {}, {"host": "bucket-1.localhost:4566"})
    assert requests.read("s3", request) == ("GetObject", {"Bucket": "bucket-1", "Key": "a/b"})


def test_what_cannot_be_told_is_unknown():
    assert requests.read("s3", Request("PATCH", "/x"))[0] == requests.UNKNOWN
    assert requests.read("lambda", Request("GET", "/nowhere"))[0] == requests.UNKNOWN
    assert requests.read("nosuchservice", Request("POST", "/"), b"\xff")[0] == requests.UNKNOWN
