"""Scripts that the SDK leaves in S3 for its framework images: fetched for the stand-in, which can't reach S3."""

import os
import sys

import pytest

from localaws.runtimes import namespaces


@pytest.fixture(autouse=True)
def script_mode(image):
    """Images `framework` (in script mode) and `own` (not)."""
    if not namespaces.own_root():
        message = "this system lets nobody make a mount namespace (unshare -Urm), so no script can be run"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    image(name="framework", command=[sys.executable], script_mode=True)
    image("print((ML / 'code').exists())", name="own")


def training(bucket, submit, image="framework"):
    return {
        "TrainingJobName": "job",
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "HyperParameters": {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": f'"{submit}"',
            "greeting": '"hello"',
        },
        "OutputDataConfig": {"S3OutputPath": bucket.uri("models")},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
    }


SCRIPT = "import os, sys, helper; print(os.environ['SM_CURRENT_HOST'], helper.NAME, sys.argv)"


def test_a_training_script_is_brought_to_every_host(bucket, job, archive):
    code = bucket.put("source/sourcedir.tar.gz", archive({"train.py": SCRIPT, "helper.py": "NAME = 'helper'"}))
    outcome = job.run("TrainingJob", training(bucket, code))
    assert outcome.status == "Completed", job.text()
    lines = [f"algo-{host} helper ['train.py', '--greeting', 'hello']" for host in (1, 2)]
    assert sorted(line for _, line in job.log) == lines


def test_source_code_may_come_by_a_channel(bucket, job, archive):
    bucket.put("source/sourcedir.tar.gz", archive({"train.py": SCRIPT, "helper.py": "NAME = 'helper'"}))
    body = training(bucket, "/opt/ml/input/data/code/sourcedir.tar.gz")
    channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": bucket.uri("source/")}}
    body["InputDataConfig"] = [{"ChannelName": "code", "DataSource": channel}]
    assert job.run("TrainingJob", body).status == "Completed"


def test_source_code_that_is_missing_is_named(bucket, job):
    outcome = job.run("TrainingJob", training(bucket, bucket.uri("none.tar.gz")))
    uri = bucket.uri("none.tar.gz")
    assert outcome.failure_reason.startswith(f"ClientError: Data download failed: NoSuchKey at GetObject of {uri}")


def test_images_that_know_nothing_of_scripts_get_none(bucket, job):
    assert job.run("TrainingJob", training(bucket, bucket.uri("none.tar.gz"), "own")).status == "Completed"
    assert job.text() == "False\nFalse"


def test_a_models_script_is_brought_too(bucket, job, archive, transform):
    script = """
def model_fn(folder):
    return open(folder + "/weights").read()
def transform_fn(model, body, content_type, accept):
    return model + body.decode()
"""
    job.models["model"] = {
        "PrimaryContainer": {
            "Image": "framework",
            "ModelDataUrl": bucket.put("model.tar.gz", archive({"weights": "w"})),
            "Environment": {
                "SAGEMAKER_PROGRAM": "inference.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": bucket.put("sourcedir.tar.gz", archive({"inference.py": script})),
            },
        }
    }
    bucket.put("in/a.csv", "1\n")
    outcome = job.run("TransformJob", transform())
    assert outcome.status == "Completed", job.text()
    assert bucket.get("out/a.csv.out") == b"w1\n"
