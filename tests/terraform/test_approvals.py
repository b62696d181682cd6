"""Nobody but a person approves: no role of ours reaches a decided version, whatever verb, step or account it tries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.model import Shape

from localaws.access import policies
from pipeline import settings, templates
from rehearsal import local, provision
from tests.terraform.arrows import GROUP, PACKAGE

ACCOUNTS = ("dev", "registry", "prod")
EVERYTHING = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ROLES = [(account, role) for account in ACCOUNTS for role in templates.roles(settings.load(account, local=True))]
DECISIONS = (
    {"sagemaker:ModelApprovalStatus": "Approved"},
    {"sagemaker:ModelApprovalStatus": "Rejected"},
    {"sagemaker:modelapprovalstatus": "Approved"},
    {"sagemaker:ModelLifeCycle:Stage": "Production", "sagemaker:ModelLifeCycle:StageStatus": "Approved"},
    {"sagemaker:ModelLifeCycle:stage": "Production"},
    {"sagemaker:ModelLifeCycle:stageStatus": "Approved"},
)
"""Each a state that only a person may bring about, as the condition keys of the request that does it."""


def holds(shape: Shape, names: set[str], seen: tuple[str, ...] = ()) -> bool:
    """Whether a shape is, or has somewhere, one of these names."""
    if shape.name in names:
        return True
    if shape.name in seen:
        return False
    below: list[Shape] = []
    if shape.type_name == "structure":
        below = list(shape.members.values())
    elif shape.type_name == "list":
        below = [shape.member]
    elif shape.type_name == "map":
        below = [shape.value]
    return any(holds(item, names, (*seen, shape.name)) for item in below)


def deciding() -> Iterator[str]:
    """Give SageMaker's operations that write a version's status or stage; a list only filters by it."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        if shape and not name.startswith("List") and holds(shape, {"ModelApprovalStatus", "ModelLifeCycle"}):
            yield name


VERBS = tuple(deciding())


def test_the_verbs_that_decide_are_the_known_ones():
    """A new one in botocore's model has to be denied before it is added here."""
    assert set(VERBS) == {"CreateModelPackage", "UpdateModelPackage"}


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda keys: "+".join(f"{k}={v}" for k, v in keys.items()))
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("account", "name"), ROLES)
def test_no_role_decides(account, name, verb, decision):
    """Its own policies deny it, and so does the boundary, should somebody widen them."""
    chosen = settings.load(account, local=True)
    own = list(templates.roles(chosen)[name]["policies"].values())
    for resource in (GROUP, PACKAGE, "arn:aws:sagemaker:us-east-1:111111111111:model-package-group/own"):
        for documents in ([EVERYTHING, *own], [EVERYTHING, templates.policy("boundary", chosen)]):
            assert policies.decide(documents, f"sagemaker:{verb}", resource, decision) == "Deny"


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda keys: "+".join(f"{k}={v}" for k, v in keys.items()))
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("member", ["dev", "prod"])
def test_the_group_denies_it_too(member, verb, decision):
    group = templates.policy("group", settings.load("registry", local=True))
    for who in ("root", "role/mammography-pipeline", "role/somebody", "user/ann"):
        principal = f"arn:aws:iam::{settings.load(member, local=True).account}:{who}"
        assert policies.decide_resource(group, principal, f"sagemaker:{verb}", GROUP, decision) == "Deny"


def test_a_version_that_waits_may_be_registered():
    """A negated condition would deny a call that names no status."""
    own = list(templates.roles(settings.load("dev", local=True))["pipeline"]["policies"].values())
    for status in ({}, {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}):
        assert policies.decide(own, "sagemaker:CreateModelPackage", GROUP, status) == "Allow"


@pytest.fixture(scope="module")
def accounts(tmp_path_factory) -> Iterator[dict[str, Any]]:
    """Three local accounts with their foundations."""
    with local.serving(tmp_path_factory.mktemp("accounts")) as address:
        found = {
            name: provision.local_account(settings.load(name, local=True), address) for name in ("dev", "registry")
        }
        provision.foundation(found.values())
        yield found


def version(**more: Any) -> dict[str, Any]:
    """CreateModelPackage's arguments for a nonsense model."""
    image = "111111111111.dkr.ecr.us-east-1.amazonaws.com/mammography/infer:nonsense"
    specification = {
        "Containers": [{"Image": image, "ModelDataUrl": "s3://mammography-models-222222222222/nonsense.tar.gz"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    return {"InferenceSpecification": specification, **more}


def acting(account: Any, role: str, service: str) -> Any:
    """Return a client that acts as a role of an account."""
    trust = templates.roles(account.settings)[role]["trust"]
    opened = {"Effect": "Allow", "Principal": {"AWS": account.id}, "Action": "sts:AssumeRole"}
    iam, arn = account.client("iam"), account.names.role(role)
    document = json.dumps({**trust, "Statement": [*trust["Statement"], opened]})
    iam.update_assume_role_policy(RoleName=arn.rsplit("/", 1)[1], PolicyDocument=document)
    keys = account.client("sts").assume_role(RoleArn=arn, RoleSessionName="attack")["Credentials"]
    return account.session.client(
        service,
        endpoint_url=account.endpoint,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


@pytest.mark.parametrize(
    "decision",
    [
        {"ModelApprovalStatus": "Approved"},
        {"ModelApprovalStatus": "Rejected"},
        {"ModelLifeCycle": {"Stage": "Production", "StageStatus": "Approved"}},
    ],
    ids=str,
)
def test_role_pipeline_registers_nothing_as_decided(accounts, decision):
    sagemaker = acting(accounts["dev"], "pipeline", "sagemaker")
    with pytest.raises(ClientError, match=r"CreateModelPackage.*explicit deny") as refused:
        sagemaker.create_model_package(**version(ModelPackageGroupName=GROUP, **decision))
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert (
        not accounts["registry"]
        .client("sagemaker")
        .list_model_packages(ModelPackageGroupName="mammography")["ModelPackageSummaryList"]
    )


def test_a_definition_that_ci_changed_registers_nothing_as_approved(accounts):
    """The pipeline runs as its role, which is denied it, whatever definition CI puts there."""
    dev = accounts["dev"]
    step = {"Name": "Register", "Type": "RegisterModel",
            "Arguments": version(ModelPackageGroupName=GROUP, ModelApprovalStatus="Approved")}  # fmt: skip
    definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
    sagemaker = acting(dev, "ci", "sagemaker")
    sagemaker.create_pipeline(
        PipelineName="mammography-train",
        PipelineDefinition=definition,
        RoleArn=dev.names.role("pipeline"),
        ClientRequestToken="x" * 32,
    )
    started = sagemaker.start_pipeline_execution(PipelineName="mammography-train")["PipelineExecutionArn"]
    look = dev.client("sagemaker")
    while look.describe_pipeline_execution(PipelineExecutionArn=started)["PipelineExecutionStatus"] == "Executing":
        pass
    (said,) = look.list_pipeline_execution_steps(PipelineExecutionArn=started)["PipelineExecutionSteps"]
    assert said["StepStatus"] == "Failed"
    assert "sagemaker:CreateModelPackage" in said["FailureReason"]
    assert "explicit deny" in said["FailureReason"]
