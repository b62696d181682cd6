"""Sessions: CI acts by its role of each account, people locally by their keys."""

import pytest

from promotion.accounts import account


@pytest.fixture
def roles(local, monkeypatch):
    """CI's own identity, which may do nothing but assume its roles."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "999999999999")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("BATON_ROLE", "ci")
    account.cache_clear()
    yield
    account.cache_clear()


def caller(environment):
    return account(environment).client("sts").get_caller_identity()["Arn"]


def test_local_people_act_as_the_account(local):
    assert [account(name).id for name in ("dev", "registry", "prod")] == [
        account(name).client("sts").get_caller_identity()["Account"] for name in ("dev", "registry", "prod")
    ]


@pytest.mark.parametrize("environment", ["dev", "registry", "prod"])
def test_ci_acts_by_its_role_in_each_account(roles, environment):
    assert caller(environment) == f"arn:aws:sts::{account(environment).id}:assumed-role/mammography-ci/promotion-tests"


def test_ci_may_come_with_a_token_instead_of_an_identity(roles, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text("eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2IifQ.")
    assert ":assumed-role/mammography-ci/" in caller("prod")


def test_other_programs_get_the_same_session(roles):
    here = account("prod")
    assert here.variables().keys() == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"}
