"""The templates that Terraform and local runs share are whole: every variable known, every name theirs."""

import dataclasses
import json

import boto3
import pytest

from pipeline import templates
from pipeline.execution import render
from pipeline.names import FUNCTIONS, PIPELINES, STEPS, Names
from pipeline.release import Release
from pipeline.settings import ENVIRONMENTS, load
from pipeline.templates import ROOT, WrongTemplate, fill

FILES = sorted((ROOT / "events").rglob("*.json")) + sorted((ROOT / "policies").glob("*.json"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_template_can_be_filled_in(file, environment):
    assert "${" not in json.dumps(fill(file, load(environment, local=False)))


def test_an_unknown_variable_is_named(tmp_path, dev):
    file = tmp_path / "rule.json"
    file.write_text('{"Name": "${projekt}-rule"}')
    with pytest.raises(WrongTemplate, match=f"^{file}: variable projekt is unknown.$"):
        fill(file, dev)


def test_what_is_not_json_is_named(tmp_path, dev):
    file = tmp_path / "rule.json"
    file.write_text("{")
    with pytest.raises(WrongTemplate, match=f"^{file}: "):
        fill(file, dev)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_every_step_and_function_has_a_role(environment):
    assert {*STEPS, *FUNCTIONS, "pipeline"} <= set(templates.roles(load(environment, local=False)))


def test_only_jobs_in_a_network_may_make_interfaces(dev):
    inside = dataclasses.replace(
        dev, network=dataclasses.replace(dev.network, subnet_ids=("subnet-1",), security_group_ids=("sg-1",))
    )
    assert "network" not in templates.roles(dev)["train"]["policies"]
    assert "network" in templates.roles(inside)["train"]["policies"]
    assert "network" not in templates.roles(inside)["resolve"]["policies"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_rules_lead_to_this_environments_own_things(environment):
    settings = load(environment, local=False)
    names = Names(settings)
    found = list(templates.rules(settings))
    assert found
    for rule in found:
        assert rule["rule"]["Name"].startswith("mammography-")
        for target in rule["targets"]:
            account = target["Arn"].split(":")[4]
            # Only an approval leaves its account: it goes to prod's bus.
            assert account == settings.account or (environment, account) == ("registry", settings.accounts.prod)
            assert target["DeadLetterConfig"]["Arn"].endswith(names.name("dead-letters"))


def test_an_arrival_asks_for_its_own_batch_and_all_else_for_the_newest(prod):
    names = Names(prod)
    assert asked(prod, "inference") == {
        names.name("batch-arrived"): [{"Name": "BatchDataUrl", "Value": "$.detail.object.key"}],
        names.name("batch-schedule"): [{"Name": "BatchDataUrl", "Value": "newest"}],
        names.name("version-scores"): [{"Name": "BatchDataUrl", "Value": "newest"}],
    }


def test_labels_that_arrive_evaluate_the_model_by_all_that_are_there(prod):
    (parameters,) = asked(prod, "quality").values()
    (parameter,) = render(prod, "quality", Release()).render()["Parameters"][:1]
    assert parameters == [{"Name": "GroundTruthUrl", "Value": parameter["DefaultValue"]}]


@pytest.mark.parametrize(
    ("key", "size", "evaluates"),
    [
        ("data/ground-truth/clean.csv", 20, True),
        ("data/ground-truth/2026/clean.csv", 20, True),
        ("data/ground-truth/", 0, False),
        ("data/ground-truth/2026/", 0, False),
        ("data/ground-truth/empty.csv", 0, False),
        ("data/labelled/clean.csv", 20, False),
    ],
)
def test_folders_and_empty_files_evaluate_nothing(prod, emulator, key, size, evaluates):
    (pattern,) = [
        json.dumps(found["rule"]["EventPattern"])
        for found in templates.rules(prod)
        if found["rule"]["Name"] == Names(prod).name("ground-truth-arrived")
    ]
    event = {
        "id": "1", "source": "aws.s3", "detail-type": "Object Created", "account": prod.account, "region": prod.region,
        "time": "2026-01-31T15:30:00Z", "resources": [f"arn:aws:s3:::{Names(prod).data_bucket}"],
        "detail": {"bucket": {"name": Names(prod).data_bucket}, "object": {"key": key, "size": size}},
    }  # fmt: skip
    events = boto3.client(
        "events", prod.region, endpoint_url=emulator, aws_access_key_id=prod.account, aws_secret_access_key="local"
    )
    assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] is evaluates


@pytest.mark.parametrize(
    ("status", "fields", "announces"),
    [
        ("Approved", ["ModelApprovalStatus"], True),
        ("Approved", ["ApprovalDescription", "ModelApprovalStatus"], True),
        ("Approved", ["CustomerMetadataProperties"], False),
        ("Approved", ["ModelCard", "SourceUri"], False),
        ("Approved", None, False),
        ("Rejected", ["ModelApprovalStatus"], False),
    ],
)
def test_only_an_approval_is_announced_and_no_edit_of_an_approved_version(emulator, status, fields, announces):
    registry, prod = (load(name, local=False) for name in ("registry", "prod"))
    detail = {"ModelPackageGroupName": registry.project, "ModelPackageVersion": 1, "ModelApprovalStatus": status}
    event = {
        "id": "1", "source": "aws.sagemaker", "detail-type": "SageMaker Model Package State Change",
        "account": registry.account, "region": registry.region, "time": "2026-01-31T15:30:00Z", "resources": [],
        "detail": detail | ({"UpdatedModelPackageFields": fields} if fields else {}),
    }  # fmt: skip
    rules = [
        rule["rule"]
        for settings in (registry, prod)
        for rule in templates.rules(settings)
        if rule["rule"]["Name"].endswith(("-version-approved", "-version-arrived", "-version-scores"))
    ]
    events = boto3.client(
        "events", prod.region, endpoint_url=emulator, aws_access_key_id=prod.account, aws_secret_access_key="local"
    )
    for rule in rules:
        pattern = json.dumps(rule["EventPattern"])
        assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"] is announces
    assert len(rules) == 3


def asked(settings, pipeline):
    """The parameters with which each rule starts a pipeline, by the rule's name."""
    return {
        rule["rule"]["Name"]: target["SageMakerPipelineParameters"]["PipelineParameterList"]
        for rule in templates.rules(settings)
        for target in rule["targets"]
        if target["Arn"].endswith(f"-{pipeline}") and ":pipeline/" in target["Arn"]
    }


def test_every_pipeline_that_fails_is_dealt_with(prod):
    (rule,) = [found["rule"] for found in templates.rules(prod) if found["rule"]["Name"].endswith("-execution-failed")]
    failed = [arn.rsplit("-", 1)[-1] for arn in rule["EventPattern"]["detail"]["pipelineArn"]]
    assert failed == list(PIPELINES)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_alarms_tell_this_environments_people(environment):
    settings = load(environment, local=False)
    found = list(templates.alarms(settings))
    assert found
    assert all(alarm["AlarmActions"] == [Names(settings).topic()] for alarm in found)


def test_functions_get_the_gates_settings(prod):
    variables = templates.functions(prod)["environment"]
    assert (variables["RETRAIN_ENABLED"], variables["RETRAIN_COOLDOWN_HOURS"], variables["RETRAIN_DAILY_CAP"]) == (
        "true", "24", "1",
    )  # fmt: skip
    assert set(templates.functions(prod)["functions"]) == set(FUNCTIONS)


def test_people_are_notified_the_command_that_approves():
    texts = [
        target["InputTransformer"]["InputTemplate"]
        for rule in templates.rules(load("registry", local=False))
        for target in rule["targets"]
        if "InputTransformer" in target
    ]
    assert any("make approve MODEL=<version> REASON=" in text for text in texts)
