import json
import random

import pytest

from localaws import api, wire
from localaws.errors import ApiError, Invalid, Malformed, NotFound, UnknownOperation

START = {"PipelineName": "p", "ClientRequestToken": "t" * 32}


def read(operation, body):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.request(wire.operation(operation), text)


def sample(shape, depth=0):
    """The smallest value that the model takes; a lower limit counts, a pattern is met by an example of ours."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name], depth + 1) for name in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member, depth + 1)] * max(1, shape.metadata.get("min", 1))
    if shape.type_name == "map":
        return {sample(shape.key): sample(shape.value, depth + 1)}
    if shape.type_name in ("integer", "long", "float", "double"):
        return shape.metadata.get("min", 1)
    if shape.type_name == "boolean":
        return True
    if shape.type_name == "timestamp":
        return 1_700_000_000
    if shape.enum:
        return shape.enum[0]
    least, most = shape.metadata.get("min", 1), shape.metadata.get("max", 10**6)
    for example in EXAMPLES:
        text = example.ljust(least, "a")
        if len(text) <= most and (
            "pattern" not in shape.metadata or wire.patterns.matches(shape.metadata["pattern"], text)
        ):
            return text
    raise AssertionError(f"no example for {shape.name}: {shape.metadata}")


EXAMPLES = (
    "a",
    "a" * 32,
    "1" * 12,
    "s3://bucket/key",
    "arn:aws:iam::111111111111:role/r",
    *(
        f"arn:aws:sagemaker:us-east-1:111111111111:{kind}"
        for kind in ("pipeline/p", "pipeline/p/execution/abcdefghijkl", "model-package/g/1", "model-package-group/g")
    ),
    "arn:aws:kms:us-east-1:111111111111:key/1",
    "{}",
)


@pytest.mark.parametrize(
    ("operation", "change", "problem"),
    [
        ("StartPipelineExecution", {"PipelineName": None},
         "Value null at 'pipelineName' failed to satisfy constraint: Member must not be null"),
        ("StartPipelineExecution", {"PipelineName": "-x"},
         "Value '-x' at 'pipelineName' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
        ("StartPipelineExecution", {"ClientRequestToken": "short"},
         "Value 'short' at 'clientRequestToken' failed to satisfy constraint: "
         "Member must have length greater than or equal to 32"),
        ("StartPipelineExecution", {"PipelineExecutionDescription": "x" * 3073},
         f"Value '{'x' * 100}…' at 'pipelineExecutionDescription' failed to satisfy constraint: "
         "Member must have length less than or equal to 3072"),
        ("StartPipelineExecution", {"ParallelismConfiguration": {"MaxParallelExecutionSteps": 0}},
         "Value '0' at 'parallelismConfiguration.maxParallelExecutionSteps' failed to satisfy constraint: "
         "Member must have value greater than or equal to 1"),
        ("StartPipelineExecution", {"PipelineParameters": [{"Name": "a", "Value": "1"}, {"Name": "b"}]},
         "Value null at 'pipelineParameters.2.member.value' failed to satisfy constraint: Member must not be null"),
        ("StartPipelineExecution", {"PipelineParameters": [None]},
         "Value null at 'pipelineParameters.1.member' failed to satisfy constraint: Member must not be null"),
        ("ListPipelines", {"SortOrder": "Sideways"},
         "Value 'Sideways' at 'sortOrder' failed to satisfy constraint: "
         "Member must satisfy enum value set: [Ascending, Descending]"),
        ("ListPipelines", {"MaxResults": 101},
         "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"),
    ],
)  # fmt: skip
def test_what_breaks_the_model_is_told_in_aws_words(operation, change, problem):
    body = {**(START if operation == "StartPipelineExecution" else {}), **change}
    with pytest.raises(Invalid) as raised:
        read(operation, body)
    assert raised.value.message.startswith(f"1 validation error detected: {problem}")
    assert raised.value.code == "ValidationException"


def test_several_problems_are_counted_and_at_most_ten_shown():
    with pytest.raises(Invalid, match=r"^2 validation errors detected: .*pipelineName.*; .*clientRequestToken"):
        read("StartPipelineExecution", {"PipelineName": "-", "ClientRequestToken": "-"})
    with pytest.raises(Invalid) as raised:
        read("AddTags", {"ResourceArn": "arn:aws:x", "Tags": [{"Key": "", "Value": ""}] * 30})
    assert raised.value.message.startswith("31 validation errors detected")
    assert raised.value.message.count("failed to satisfy") == 10


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"\xff", b"[]", b"1", b'"x"', b"nul", b'{"a": NaN}', b'{"a": Infinity}', b"[" * 100_000,
        b'{"PipelineName": 1}', b'{"PipelineParameters": {}}', b'{"PipelineParameters": [1]}',
        b'{"ParallelismConfiguration": []}', b'{"ParallelismConfiguration": {"MaxParallelExecutionSteps": "1"}}',
        b'{"ParallelismConfiguration": {"MaxParallelExecutionSteps": true}}',
        b'{"ParallelismConfiguration": {"MaxParallelExecutionSteps": 1.5}}',
    ],
)  # fmt: skip
def test_what_is_no_request_is_malformed(body):
    with pytest.raises(Malformed) as raised:
        read("StartPipelineExecution", body)
    assert raised.value.code == "SerializationException"


@pytest.mark.parametrize("value", ["yesterday", True, [], 1e300, "2026-13-01", float("1e18")])
def test_a_time_that_is_none_is_malformed(value):
    with pytest.raises(Malformed, match="createdAfter is not a timestamp"):
        read("ListPipelines", {"CreatedAfter": value})


@pytest.mark.parametrize("value", [1767225600, 1767225600.0, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"])
def test_times_become_seconds(value):
    assert read("ListPipelines", {"CreatedAfter": value}) == {"CreatedAfter": 1767225600.0}


def test_members_that_nobody_knows_and_nulls_are_left_out():
    assert read("ListPipelines", {"Nonsense": 1, "MaxResults": None, "SortBy": "Name"}) == {"SortBy": "Name"}
    assert read("ListPipelines", b"") == {}


def test_unknown_operations_are_named():
    with pytest.raises(UnknownOperation, match="SageMaker has no operation MakeCoffee"):
        wire.operation("MakeCoffee")
    with pytest.raises(UnknownOperation, match="localaws does not answer CreateNotebookInstance"):
        api.handler("CreateNotebookInstance")


def test_an_answer_has_what_the_model_knows_and_nothing_else():
    model = wire.operation("DescribePipelineExecution")
    result = {"PipelineArn": "a", "_role": "secret", "CreationTime": 1.23456, "FailureReason": None, "Nonsense": 1}
    assert json.loads(wire.answer(model, result)) == {"PipelineArn": "a", "CreationTime": 1.235}
    assert wire.answer(wire.operation("StopProcessingJob"), {"x": 1}) == b"{}"


def test_a_refusal_has_code_and_sentence():
    assert json.loads(wire.refusal(NotFound("gone"))) == {"__type": "ResourceNotFound", "message": "gone"}


@pytest.mark.parametrize("operation", api.answered())
def test_the_smallest_request_passes_and_every_required_member_is_missed(operation):
    model = wire.operation(operation)
    whole = sample(model.input_shape)
    assert read(operation, whole) == whole
    for member in model.input_shape.required_members:
        with pytest.raises(Invalid, match=f"at '{member[0].lower()}{member[1:]}' failed.*must not be null"):
            read(operation, {name: value for name, value in whole.items() if name != member})


@pytest.mark.parametrize("operation", api.answered())
def test_whatever_is_sent_is_read_or_refused(operation):
    chance, model = random.Random(operation), wire.operation(operation)
    whole = sample(model.input_shape)
    odd = [None, True, -1, 1.5, 10**30, "", "x" * 5000, "\x00", "💥", [], [None], {}, {"": ""}, [[[]]]]
    for _ in range(200):
        body = json.loads(json.dumps(whole))
        for _ in range(chance.randrange(1, 4)):
            body[chance.choice([*model.input_shape.members, "Nonsense"])] = chance.choice(odd)
        try:
            read(operation, body)
        except ApiError as error:
            assert error.status == 400
            assert len(error.message) < 20_000
