"""The names that clients and tests may rely on."""

import dataclasses

from pipeline.names import FUNCTIONS, PIPELINES, STEPS, Names
from pipeline.settings import load


def test_names_are_those_that_clients_rely_on(prod):
    names = Names(prod)
    assert [names.name(pipeline) for pipeline in PIPELINES] == [
        "mammography-train", "mammography-inference", "mammography-quality",
    ]  # fmt: skip
    assert names.data_bucket == "mammography-data-333333333333"
    assert names.models_bucket == "mammography-models-222222222222"
    assert names.group == "arn:aws:sagemaker:us-east-1:222222222222:model-package-group/mammography"
    assert [names.repository(step) for step in STEPS] == [
        "mammography/preprocess", "mammography/train", "mammography/evaluate", "mammography/monitor",
        "mammography/infer",
    ]  # fmt: skip


def test_names_are_of_the_account_that_they_lie_in(prod):
    names = Names(prod)
    assert names.data_key == "arn:aws:kms:us-east-1:333333333333:alias/mammography-data"
    assert names.models_key == "arn:aws:kms:us-east-1:222222222222:alias/mammography-models"
    assert names.role("on_failure") == "arn:aws:iam::333333333333:role/mammography-on-failure"
    assert names.function("resolve", "7") == "arn:aws:lambda:us-east-1:333333333333:function:mammography-resolve:7"
    assert names.topic() == "arn:aws:sns:us-east-1:333333333333:mammography-notifications"
    assert names.image("train", "sha256:ab") == (
        "333333333333.dkr.ecr.us-east-1.amazonaws.com/mammography/train@sha256:ab"
    )


def test_another_project_has_other_names_everywhere():
    settings = dataclasses.replace(load("prod", local=False), project="retina", region="eu-central-1")
    for name, value in Names(settings).variables().items():
        assert "mammography" not in value or name == "ci_external_id"
    assert Names(settings).topic() == "arn:aws:sns:eu-central-1:333333333333:retina-notifications"


def test_names_that_aws_limits_stay_within_their_limits():
    settings = dataclasses.replace(load("prod", local=False), project="p" * 25)
    names = Names(settings)
    assert len(names.models_bucket) <= 63
    assert len(names.state_bucket) <= 63
    assert max(len(names.name(part)) for part in (*FUNCTIONS, *PIPELINES, *STEPS)) <= 64
