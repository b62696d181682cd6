"""What makes two steps the same ("Default cache key attributes by pipeline step type"), and for how long."""

import copy
import datetime
from types import SimpleNamespace

import pytest

from localaws.definition import CacheConfig, Step
from localaws.engine import cache
from localaws.store import Key, Record, Store

PIPELINE = "arn:aws:sagemaker:us-east-1:111111111111:pipeline/p"
PROCESSING = {
    "ProcessingJobName": "name",
    "RoleArn": "arn:aws:iam::111111111111:role/r",
    "AppSpecification": {"ImageUri": "image", "ContainerArguments": ["--a"]},
    "Environment": {"A": "1"},
    "ProcessingInputs": [{"InputName": "i", "S3Input": {"S3Uri": "s3://b/i"}}],
    "ProcessingOutputConfig": {"Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": "s3://b/o"}}]},
    "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1}},
    "Tags": [{"Key": "a", "Value": "b"}],
}
TRAINING = {
    "TrainingJobName": "name",
    "RoleArn": "arn:aws:iam::111111111111:role/r",
    "AlgorithmSpecification": {"TrainingImage": "image"},
    "HyperParameters": {"eta": "0.1"},
    "InputDataConfig": [{"ChannelName": "train"}],
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
    "ResourceConfig": {"InstanceCount": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "Environment": {"A": "1"},
}
TUNING = {
    "HyperParameterTuningJobConfig": {"Strategy": "Random"},
    "TrainingJobDefinition": {
        "AlgorithmSpecification": {"TrainingImage": "image"},
        "StaticHyperParameters": {"eta": "0.1"},
        "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
        "RoleArn": "arn:aws:iam::111111111111:role/r",
    },
}
TRANSFORM = {
    "ModelName": "m",
    "TransformInput": {"ContentType": "text/csv"},
    "TransformOutput": {"S3OutputPath": "s3://b/o"},
    "TransformResources": {"InstanceCount": 1},
    "Environment": {"A": "1"},
}


def signature(kind, arguments, settings=None, name="Step", pipeline=PIPELINE):
    return cache.key(pipeline, Step(name, kind, arguments), arguments, settings or {})


def changed(document, path, value="other"):
    document = copy.deepcopy(document)
    *way, last = path.split(".")
    place = document
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = value
    return document


@pytest.mark.parametrize(
    ("kind", "arguments", "path", "counts"),
    [
        ("Processing", PROCESSING, "AppSpecification.ImageUri", True),
        ("Processing", PROCESSING, "AppSpecification.ContainerArguments", True),
        ("Processing", PROCESSING, "Environment.A", True),
        ("Processing", PROCESSING, "ProcessingInputs.0.S3Input.S3Uri", True),
        ("Processing", PROCESSING, "ProcessingOutputConfig.Outputs.0.S3Output.S3Uri", False),
        ("Processing", PROCESSING, "ProcessingResources.ClusterConfig.InstanceCount", False),
        ("Processing", PROCESSING, "RoleArn", False),
        ("Processing", PROCESSING, "ProcessingJobName", False),
        ("Processing", PROCESSING, "Tags", False),
        ("Training", TRAINING, "AlgorithmSpecification.TrainingImage", True),
        ("Training", TRAINING, "HyperParameters.eta", True),
        ("Training", TRAINING, "InputDataConfig.0.ChannelName", True),
        ("Training", TRAINING, "Environment.A", True),
        ("Training", TRAINING, "OutputDataConfig.S3OutputPath", False),
        ("Training", TRAINING, "ResourceConfig.InstanceCount", False),
        ("Training", TRAINING, "StoppingCondition.MaxRuntimeInSeconds", False),
        ("Tuning", TUNING, "HyperParameterTuningJobConfig.Strategy", True),
        ("Tuning", TUNING, "TrainingJobDefinition.StaticHyperParameters.eta", True),
        ("Tuning", TUNING, "TrainingJobDefinition.OutputDataConfig.S3OutputPath", False),
        ("Transform", TRANSFORM, "ModelName", True),
        ("Transform", TRANSFORM, "TransformInput.ContentType", True),
        ("Transform", TRANSFORM, "TransformOutput.S3OutputPath", False),
        ("Lambda", {"a": "1"}, "a", True),
        ("Callback", {"a": "1"}, "a", True),
    ],
)
def test_documented_attributes_count_and_others_do_not(kind, arguments, path, counts):
    before = signature(kind, arguments)
    assert before == signature(kind, copy.deepcopy(arguments))
    assert (before != signature(kind, changed(arguments, path))) is counts


def test_pipeline_name_and_type_of_the_step_count():
    before = signature("Lambda", {})
    assert before != signature("Callback", {})
    assert before != signature("Lambda", {}, name="Other")
    assert before != signature("Lambda", {}, pipeline=f"{PIPELINE}-2")


def test_what_stands_beside_the_arguments_counts_for_functions_and_checks():
    assert signature("Lambda", {}, {"FunctionArn": "f:1"}) != signature("Lambda", {}, {"FunctionArn": "f:2"})
    assert signature("Lambda", {}, {"CacheConfig": 1}) == signature("Lambda", {}, {"CacheConfig": 2})
    quality = {"SkipCheck": True, "RegisterNewBaseline": False}
    assert signature("QualityCheck", PROCESSING, quality) != signature(
        "QualityCheck", PROCESSING, quality | {"SkipCheck": False}
    )


def test_the_order_of_members_does_not_count():
    assert signature("Processing", PROCESSING) == signature("Processing", dict(reversed(PROCESSING.items())))


class Clock:
    """A clock that is set by hand."""

    time = 1000.0

    def now(self):
        return self.time


@pytest.fixture
def app(tmp_path):
    made = SimpleNamespace(store=Store(tmp_path / "db"), clock=Clock())
    yield made
    made.store.close()


def keep(app, execution, status="Succeeded", hit=None):
    place = Key("PipelineExecution", "1" * 12, "us-east-1", execution)
    body = {
        "StepName": "Step", "_signature": "s", "_properties": {"from": execution}, "Metadata": {"m": 1},
        "StepStatus": status, "CacheHitResult": hit,
    }  # fmt: skip
    with app.store.transaction():
        cache.keep(app, Record(place, {"PipelineExecutionArn": execution}), Record(place, body))


def step(enabled=True, **age):
    expiry = datetime.timedelta(**age) if age else None
    return Step("Step", "Lambda", {}, cache_config=CacheConfig(enabled, expiry))


def test_the_newest_result_is_found_until_it_expires(app):
    assert cache.find(app, step(), "s") is None
    keep(app, "one")
    app.clock.time += 100
    keep(app, "two")
    found = cache.find(app, step(), "s")
    assert (found["Source"], found["Properties"], found["Metadata"]) == ("two", {"from": "two"}, {"m": 1})
    app.clock.time += 59
    assert cache.find(app, step(minutes=1), "s")["Source"] == "two"
    app.clock.time += 2
    assert cache.find(app, step(minutes=1), "s") is None
    assert cache.find(app, step(), "s")["Source"] == "two"
    assert cache.find(app, step(days=365_000), "s")["Source"] == "two"


def test_a_step_without_caching_finds_nothing(app):
    keep(app, "one")
    assert cache.find(app, step(enabled=False), "s") is None
    assert cache.find(app, Step("Step", "Lambda", {}), "s") is None
    assert cache.find(app, step(), "another") is None


def test_a_result_from_the_cache_isn_t_kept_as_a_new_one(app):
    keep(app, "one")
    keep(app, "two", hit={"SourcePipelineExecutionArn": "one"})
    assert cache.find(app, step(), "s")["Source"] == "one"
