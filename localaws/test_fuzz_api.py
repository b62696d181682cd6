"""Requests of every answered operation, made from botocore's shapes and then spoilt, against a running localaws.

Whatever is sent is answered, never with a failure of localaws' own: FUZZ says how many requests per operation,
`make soak/localaws-fuzz` takes many.
"""

import copy
import http.client
import json
import os
import random
import re
from urllib.parse import urlsplit

import pytest

from localaws import api, wire
from localaws.conftest import REGION, Account, Server, signed
from localaws.test_wire import EXAMPLES

FUZZ = int(os.environ.get("FUZZ", "25"))
SEED = os.environ.get("SEED", "0")
HANGS_AFTER = 300
"""Seconds without an answer that count as none; far above what the slowest answer takes."""

ACCOUNT = "666666666666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/runs"
NAMES = ("one", "two")
MORE_EXAMPLES = (
    "fs-01234567", "sha256:" + "0" * 64, "text/csv", "/metrics", "1.0", "8K",
    f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-plan/p", f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:mlflow-app/p",
    f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", f"arn:aws:sagemaker:{REGION}:aws:hub-content/a/DataSet/b",
    f"arn:aws:sagemaker:{REGION}:aws:hub-content/a/Model/b",
)  # fmt: skip
END = {"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "It was meant to."}}
DEFINITION = json.dumps({"Version": "2020-12-01", "Steps": [END]})
DEEP = 3000


def nested(depth, opening="[", closing="]"):
    """A JSON text that is nested as deep."""
    return opening * depth + closing * depth


TEXTS = (
    "", " ", "x" * 300, "x" * 70_000, "\x00",
    "a\x00b", "\ud800", "💥" * 40, "é", "²", "٣", "-1", "null", "NaN", "9" * 5000,
    "a\nb",
    "../../etc/passwd", "'; DROP TABLE records; --", "%s%n{0}${a}", "arn:aws:sagemaker:::pipeline/", "arn:" * 400,
    "s3://", "s3:///", "{", "[1]", '"x"', "null", nested(DEEP), '{"a":' * DEEP + "1" + "}" * DEEP,
    "W10=", "W251bGwsIG51bGwsIG51bGxd", "WyJjcmVhdGVkIiwgMSwgMWU0MDBd",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 10**400, 1e308, -1e308, 5e-324, 1.5, -0.0)
OTHERS = (None, True, False, [], {}, [None], {"": None}, {"a": {"b": [1, "2"]}}, [[[[]]]], ["x"] * 3000)
ODD = (*TEXTS, *NUMBERS, *OTHERS)


class Generator:
    """Requests from shapes, by chance, with names and ARNs of what there is where the shape allows it."""

    def __init__(self, chance, known):
        self.chance, self.known = chance, known

    def value(self, shape, depth=0, stack=()):
        """A value that the model takes. Raises NoExample."""
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape, depth, stack)
        if kind == "list":
            least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 3)
            count = min(most, max(least, self.chance.randrange(3)))
            return [self.value(shape.member, depth + 1, stack) for _ in range(count)]
        if kind == "map":
            return {self.value(shape.key): self.value(shape.value, depth + 1, stack)}
        if kind in ("integer", "long", "float", "double"):
            least = shape.metadata.get("min", 1)
            return self.chance.randint(least, max(least, min(shape.metadata.get("max", 3), least + 2)))
        if kind == "boolean":
            return self.chance.random() < 0.5
        if kind == "timestamp":
            return self.chance.choice([0, 1_700_000_000, 1_700_000_000.5, "2026-01-01T00:00:00Z", 4_000_000_000])
        return self.chance.choice(shape.enum) if shape.enum else self._text(shape)

    def _structure(self, shape, depth, stack):
        if shape.name in stack:
            raise NoExample(shape.name)
        made = {}
        for name, member in shape.members.items():
            wanted = name in shape.required_members
            if wanted or self.chance.random() < 0.6 / (1 + depth):
                try:
                    made[name] = self._known(name, member) or self.value(member, depth + 1, (*stack, shape.name))
                except NoExample:
                    if wanted:
                        raise
        return made

    def _known(self, name, shape):
        """What such a member is likely called here; None where nothing is known."""
        fitting = [text for text in self.known.get(name, ()) if fits(shape, text)]
        return self.chance.choice(fitting) if fitting and self.chance.random() < 0.8 else None

    def _text(self, shape):
        examples = [*EXAMPLES, *MORE_EXAMPLES]
        self.chance.shuffle(examples)
        for example in examples:
            text = example.ljust(shape.metadata.get("min", 1), "a")
            if fits(shape, text):
                return text
        raise NoExample(shape.name)

    def spoilt(self, request, shape):
        """The request with one to three places changed: replaced, removed, added to or renamed."""
        request = copy.deepcopy(request)
        for _ in range(self.chance.randint(1, 3)):
            *path, last = self.chance.choice([place for place in places(request) if place] or [("Nonsense",)])
            parent = request
            for key in path:
                parent = parent[key]
            change = self.chance.randrange(6)
            if change == 0 and last in (parent if isinstance(parent, dict) else range(len(parent))):
                del parent[last]
            elif change == 1 and isinstance(parent, dict):
                parent[self.chance.choice([*shape.members, "Nonsense", "", "__type"])] = self.odd()
            elif change == 2 and isinstance(parent, list):
                parent += [copy.deepcopy(parent[0]) for _ in range(self.chance.choice([1, 100]))]
            else:
                parent[last] = self.odd()
        return request

    def odd(self):
        """A value that few members take."""
        return copy.deepcopy(self.chance.choice(ODD))

    def broken(self, text, shape):
        """A body that is no JSON, or one that is hard to read."""
        middle = self.chance.randrange(len(text) + 1)
        member = self.chance.choice(list(shape.members)).encode()
        depth = self.chance.choice([50, 400, 900, 5000])
        return self.chance.choice(
            [
                text[:middle], text[:middle] + b"\xff\xfe" + text[middle:], text + text, b"\x00" + text, b"", b" ",
                text.decode().encode("utf-16"), nested(100_000).encode(), nested(100_000, '{"a":').encode(), b"null",
                b"NaN", b"-Infinity", b"1" * 100_000, b'{"MaxResults": ' + b"9" * 10_000 + b"}", b"[]", b'"x"',
                b'{"PipelineName": "a", "PipelineName": 1}',
                b'{"%s": %s}' % (member, nested(depth).encode()),
                b'{"%s": %s1%s}' % (member, b'{"a":' * depth, b"}" * depth),
                b"\xef\xbb\xbf" + text, b"Action=ListPipelines&Version=1",
            ]
        )  # fmt: skip


class NoExample(Exception):
    """A shape that we know no example of."""


def fits(shape, value):
    if shape.type_name != "string":
        return False
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 10**6)
    pattern = shape.metadata.get("pattern")
    return least <= len(value) <= most and (pattern is None or wire.patterns.matches(pattern, value))


def places(value, path=()):
    """Every place within a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


class Wire:
    """A connection that sends bytes and holds every answer to what clients can read."""

    def __init__(self, address):
        self._host = urlsplit(address).netloc
        self._connection = None

    def send(self, target, body, key=ACCOUNT, **headers):
        """The status and the answer's object."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, timeout=HANGS_AFTER)
        headers = {"X-Amz-Target": target, "Content-Type": wire.CONTENT_TYPE, **signed("sagemaker", key)} | headers
        sent = {name: value for name, value in headers.items() if value is not None}
        try:
            self._connection.request("POST", "/", body, sent)
            answer = self._connection.getresponse()
            content = answer.read()
        except BaseException:
            self._connection.close()
            raise
        return answer.status, read(answer.status, content)


def read(status, content):
    """Hold an answer to AWS's form, and return it."""
    assert status in (200, 400), (status, content[:2000])
    answer = json.loads(content)
    assert isinstance(answer, dict)
    if status == 400:
        assert set(answer) == {"__type", "message"}, answer
        assert answer["__type"] and answer["__type"].isalnum(), answer
        assert answer["message"].strip() and len(answer["message"]) < 100_000
        assert "Traceback" not in answer["message"] and ".py" not in answer["message"], answer
    return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A localaws of its own, whose containers do nothing, and which has said nothing of failures at the end."""
    state = tmp_path_factory.mktemp("fuzzed")
    entry = {"pattern": "*", "directory": ".", "command": ["true"]}
    (state / "images.json").write_text(json.dumps({"images": [entry]}))
    server = Server(state, "--images", str(state / "images.json"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def known(server):
    """Names and ARNs of resources that there are, by the members that take them."""
    account = Account(server.address, ACCOUNT)
    account.role("runs")
    account.bucket("bucket")
    client = account.client("sagemaker")
    found = {"RoleArn": [ROLE], "ExecutionRoleArn": [ROLE], "PipelineDefinition": [DEFINITION]}
    pipelines, executions, packages = [], [], []
    for name in NAMES:
        made = client.create_pipeline(
            PipelineName=name, ClientRequestToken=name.ljust(32, "x"), RoleArn=ROLE, PipelineDefinition=DEFINITION
        )
        pipelines.append(made["PipelineArn"])
        started = client.start_pipeline_execution(PipelineName=name, ClientRequestToken=name.ljust(32, "x"))
        executions.append(started["PipelineExecutionArn"])
        client.create_model_package_group(ModelPackageGroupName=name)
        client.create_model(ModelName=name, PrimaryContainer={"Image": "any"}, ExecutionRoleArn=ROLE)
        packages.append(client.create_model_package(ModelPackageGroupName=name)["ModelPackageArn"])
        client.create_processing_job(
            ProcessingJobName=name,
            RoleArn=ROLE,
            AppSpecification={"ImageUri": "any"},
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
        )
    for member in ("PipelineName", "ModelPackageGroupName", "ModelName", "ProcessingJobName", "TrainingJobName",
                   "TransformJobName", "HyperParameterTuningJobName"):  # fmt: skip
        found[member] = [*NAMES, *(f"made-{number}" for number in range(4))]
    found |= {
        "PipelineExecutionArn": executions,
        "SourcePipelineExecutionArn": executions,
        "ModelPackageName": [*packages, *NAMES],
        "ModelPackageArn": packages,
        "ResourceArn": [*pipelines, *executions, *packages],
        "PipelineArn": pipelines,
        "S3Uri": ["s3://bucket/a"],
        "S3OutputPath": ["s3://bucket/out"],
        "StepName": ["End"],
    }
    return found


@pytest.fixture(scope="module")
def line(server, known):
    """A connection to the server, once it has what `known` names."""
    return Wire(server.address)


def encoded(request):
    """A request as JSON; what Python calls Infinity is left out of it by a number that is too large."""
    return json.dumps(request).encode()


@pytest.mark.parametrize("operation", api.answered())
def test_whatever_is_sent_is_answered(line, known, operation):
    chance = random.Random(f"{SEED} {operation}")
    generator, shape = Generator(chance, known), wire.operation(operation).input_shape
    for number in range(FUZZ):
        request = generator.value(shape)
        _, answer = line.send(f"SageMaker.{operation}", encoded(request))
        assert answer.get("__type") != "SerializationException", (request, answer)
        assert "failed to satisfy constraint" not in answer.get("message", ""), (request, answer)
        line.send(f"SageMaker.{operation}", encoded(generator.spoilt(request, shape)))
        line.send(f"SageMaker.{operation}", encoded(generator.spoilt(request, shape)))
        if number % 5 == 0:
            line.send(f"SageMaker.{operation}", generator.broken(encoded(request), shape))


def test_an_operation_that_is_not_answered_says_so_by_name(line):
    for operation in sorted(set(wire.service().operation_names) - set(api.answered())):
        status, answer = line.send(f"SageMaker.{operation}", b"{}")
        assert (status, answer["__type"]) == (400, "UnknownOperationException")
        assert answer["message"] == f"localaws does not answer {operation}"


@pytest.mark.parametrize(
    "target",
    ["SageMaker.", "SageMaker.MakeCoffee", "SageMaker.listpipelines", "SageMaker.ListPipelines.x", "SageMaker. x", "",
     "SageMaker", "Other.ListPipelines", "SageMaker." + "x" * 5000, "SageMaker.__init__", "SageMaker.\xff", None],
)  # fmt: skip
def test_a_target_that_is_none_is_refused(line, target):
    status, answer = line.send(target, b"{}")
    assert (status, answer["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": None}, "AccessDeniedException"),
        ({"Authorization": ""}, "IncompleteSignatureException"),
        ({"Authorization": "Basic eDp5"}, "IncompleteSignatureException"),
        ({"Authorization": "x" * 5000}, "IncompleteSignatureException"),
        (signed("sagemaker", ""), "IncompleteSignatureException"),
        (signed("sagemaker", "AKIANOBODY"), "AccessDeniedException"),
        (signed("sagemaker", "ASIANOBODY"), "UnrecognizedClientException"),
        (signed("sagemaker", "ASIANOBODY") | {"X-Amz-Security-Token": "x"}, "AccessDeniedException"),
        (signed("s3", ACCOUNT), "InvalidSignatureException"),
    ],
)
@pytest.mark.parametrize("operation", ["ListPipelines", "CreatePipeline", "DescribeModel"])
def test_a_request_that_nobody_signed_is_refused(line, operation, headers, code):
    status, answer = line.send(f"SageMaker.{operation}", b"{}", **headers)
    assert (status, answer["__type"]) == (400, code)


def training(**changed):
    """A training job's request, changed."""
    whole = {
        "TrainingJobName": "refused",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "any", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    } | changed
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    ("operation", "request_", "code", "message"),
    [
        ("CreateTrainingJob", training(AlgorithmSpecification=None), "ValidationException", "Algorithm.* is needed"),
        ("CreateTrainingJob", training(ResourceConfig=None), "ValidationException", "ResourceConfig is needed"),
        ("CreateTrainingJob", training(ResourceConfig={"InstanceCount": 0}), "ValidationException", "at least one"),
        ("CreateTrainingJob", training(ResourceConfig={"InstanceCount": 10**6}), "ResourceLimitExceeded",
         "at most 100 instances; this one asks for 1000000"),
        ("CreateTrainingJob", training(ResourceConfig={"InstanceCount": 2**31}), "SerializationException", "integer"),
        ("ListPipelines", {"MaxResults": 10**400}, "SerializationException", "maxResults is not a number"),
        ("ListPipelines", {"NextToken": "²"}, "ValidationException", "NextToken"),
        ("CreateNotebookInstance", {"Nonsense": "x"}, "UnknownOperationException", "CreateNotebookInstance"),
    ],
)  # fmt: skip
def test_what_has_failed_before_is_refused(line, operation, request_, code, message):
    status, answer = line.send(f"SageMaker.{operation}", encoded(request_))
    assert (status, answer["__type"]) == (400, code)
    assert re.search(message, answer["message"])


@pytest.mark.parametrize("megabytes", [1, 15, 17, 64])
@pytest.mark.parametrize("operation", ["CreatePipeline", "ListPipelines"])
def test_a_large_body_is_read_or_refused(line, operation, megabytes):
    body = json.dumps({"PipelineDefinition": "x" * (megabytes << 20)}).encode()
    status, answer = line.send(f"SageMaker.{operation}", body)
    if megabytes > 16:
        assert (status, answer["message"]) == (400, "The request's body is too large.")
    elif operation == "CreatePipeline":
        assert (status, answer["__type"]) == (400, "ValidationException")
    else:
        assert status == 200


def test_what_was_left_behind_can_still_be_read_and_nothing_failed_unseen(server, line):
    """Runs last: the lists hold what all the requests before have made."""
    account = Account(server.address, ACCOUNT)
    client = account.client("sagemaker")
    for operation in ("list_pipelines", "list_models", "list_model_package_groups", "list_model_packages",
                      "list_processing_jobs", "list_training_jobs", "list_transform_jobs",
                      "list_hyper_parameter_tuning_jobs"):  # fmt: skip
        for page in client.get_paginator(operation).paginate():
            assert page["ResponseMetadata"]["HTTPStatusCode"] == 200
    for job in client.get_paginator("list_training_jobs").paginate():
        for summary in job["TrainingJobSummaries"]:
            client.describe_training_job(TrainingJobName=summary["TrainingJobName"])
    said = (server.state / "errors").read_text()
    assert "Traceback" not in said, said[-5000:]
