"""Approving a version is an act of its own: recorded, denied to everybody who trains, and undone by rejecting."""

import pytest
from botocore.exceptions import ClientError

from functions.common import ledger
from promotion import accounts as sessions

GROUP = "arn:aws:sagemaker:us-east-1:222222222222:model-package/mammography"


@pytest.fixture(scope="module")
def version(accounts):
    """A second version that waits for approval."""
    accounts.make("rehearse")
    listed = accounts.client("registry", "sagemaker").list_model_packages(ModelPackageGroupName="mammography")
    newest = max(item["ModelPackageVersion"] for item in listed["ModelPackageSummaryList"])
    yield newest
    decide(accounts, newest, "Rejected")


def decide(stage, version, status):
    """What a person does in the registry's own page."""
    stage.client("registry", "sagemaker").update_model_package(
        ModelPackageArn=f"{GROUP}/{version}", ModelApprovalStatus=status, ApprovalDescription="As the test says"
    )


def score(stage, name):
    """Let a batch arrive in prod; return the version that scored it, as the ledger says beside its output."""
    key = f"batches/{name}.csv"
    stage.life.files[key] = stage.life.files["batches/clean.csv"]
    entry = stage.life._settled(stage.life.put("prod", key), ledger.SCORED)
    assert entry.predictions
    return entry.version


def test_an_approval_is_recorded_and_people_are_notified(stage, version):
    stage.make("approve", f"MODEL={version}", "REASON=Better calibrated")
    package = stage.client("registry", "sagemaker").describe_model_package(ModelPackageName=f"{GROUP}/{version}")
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Approved", "Better calibrated")
    stage.life.collect(lambda mails: any(f"Version {version} of mammography was approved" in m.text for m in mails))


@pytest.mark.parametrize("status", ["Rejected", "PendingManualApproval"])
def test_without_the_newest_the_next_batch_is_scored_by_the_one_before(stage, version, status):
    # Only a signed approval counts, and the registry's own page signs none.
    decide(stage, version, "PendingManualApproval")
    stage.make("approve", f"MODEL={version}", "REASON=As the test says")
    assert score(stage, f"with-{status}") == version
    decide(stage, version, status)
    assert score(stage, f"without-{status}") == 1


@pytest.mark.parametrize("environment", ["dev", "registry", "prod"])
def test_ci_may_not_approve(stage, version, token, environment, monkeypatch):
    monkeypatch.setenv("BATON_ROLE", "ci")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    sessions.account.cache_clear()
    try:
        sagemaker = sessions.account(environment).client("sagemaker")
    finally:
        sessions.account.cache_clear()
    with pytest.raises(ClientError, match="AccessDenied"):
        sagemaker.update_model_package(ModelPackageArn=f"{GROUP}/{version}", ModelApprovalStatus="Approved")


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_no_account_that_trains_may_approve(stage, version, environment):
    with pytest.raises(ClientError, match="AccessDenied"):
        stage.client(environment, "sagemaker").update_model_package(
            ModelPackageArn=f"{GROUP}/{version}", ModelApprovalStatus="Approved"
        )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("MODEL=1", "REASON=again"), "version 1: approved already (The only one there is)"),
        (("MODEL=99", "REASON=good"), "version 99: mammography has no such version"),
        (("MODEL=1", "REASON= "), "--reason: a reason has to be given"),
        (("REASON=good",), "--model"),
    ],
)
def test_what_cannot_be_approved_is_named(stage, given, said):
    assert said in stage.make("approve", *given, fails=True)
