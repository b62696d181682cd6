"""Promotion between local accounts, with the commands that people and Jenkins use."""

import json
import time

import pytest

from promotion import running
from promotion.accounts import account
from tests.jenkins.conftest import check_out, edit, signed


def approved(stage, target="promote", **more):
    variables = {"APPROVED_BY": "Ann", "REASON": 'It\'s good: $$5 "saved"', **more}
    return stage.make(target, *(f"{name}={value}" for name, value in variables.items()))


def test_a_release_goes_to_prod_and_back(stage, second):
    approved(stage, RELEASE="second")
    newest = stage.history()[0]
    assert (newest["what"], newest["action"], newest["release"], newest["who"], newest["why"]) == (
        "serving", "promote", "second", "Ann", 'It\'s good: $5 "saved"',
    )  # fmt: skip
    said = approved(stage, RELEASE="second")
    assert "runs release second already" in said, said

    found = json.loads(stage.make("digests", "RELEASE=second"))
    assert [len(set(line.values())) for line in found.values()] == [1] * 5
    assert all(len(line) == 4 for line in found.values())
    running.demand(account("prod"), *signed("second"))

    before = len(stage.history())
    approved(stage, "rollback", REASON="Just to see")
    assert stage.serving() == "first"
    since = stage.history()[: len(stage.history()) - before]
    assert {event["why"] for event in since if event["action"] == "rollback"} == {"Just to see"}


def test_a_bad_release_is_taken_back_by_itself(stage, bad, capsys):
    began = time.monotonic()
    said = stage.make("promote", f"RELEASE={bad}", "APPROVED_BY=Ann", "REASON=Looks fine", fails=True)
    took = time.monotonic() - began
    assert "prod runs release first again" in said
    assert "The smoke-test batch wasn't scored: step" in said
    events = stage.history()
    assert [(event["action"], event["what"], event["release"]) for event in events[:4]] == [
        ("automatic-rollback", "serving", "first"), ("promote", "failed", bad), ("promote", "applied", bad),
        ("promote", "approved", bad),
    ]  # fmt: skip
    running.demand(account("prod"), *signed("first"))
    subject = f"Release {bad} failed in prod; first serves again"
    (mail,) = (mail for mail in stage.life.collect() if mail.subject == subject)
    assert "marked as failed and will not be promoted again" in mail.text
    with capsys.disabled():
        print(f"\nbad release: {took:.1f} s in all; notification: {subject}")

    assert f"Release {bad} failed in prod at" in stage.make("promote", f"RELEASE={bad}", fails=True)
    assert stage.serving() == "first"


@pytest.mark.parametrize(
    "decision",
    [(), ("APPROVED_BY=Ann",), ("REASON=good",), ("APPROVED_BY= ", "REASON=good"), ("APPROVED_BY=Ann", "REASON= ")],
)
def test_an_approval_has_a_name_and_a_reason(stage, second, decision):
    said = stage.make("promote", "RELEASE=second", *decision, fails=True)
    assert "Release second was not approved for prod" in said
    assert stage.serving() == "first"
    assert stage.history()[0]["what"] in ("refused", "serving")


def test_a_plan_is_approved_as_it_was_shown(stage, second):
    shown = stage.make("plan-release", "RELEASE=second")
    assert "pipeline mammography-inference: PipelineDefinition" in shown
    stage.client("prod", "events").put_rule(
        Name="mammography-batch-schedule", ScheduleExpression="rate(9 hours)", State="ENABLED"
    )
    said = stage.make(
        "promote", "RELEASE=second", "PLAN=.baton/plans/prod.json", "APPROVED_BY=Ann", "REASON=seen", fails=True
    )
    assert "prod has changed since the plan was made; plan again" in said
    assert stage.serving() == "first"

    shown = stage.make("plan-release", "RELEASE=second")
    assert "rule mammography-batch-schedule: ScheduleExpression" in shown
    approved(stage, RELEASE="second", PLAN=".baton/plans/prod.json")
    assert stage.serving() == "second"


def test_what_the_environment_says_of_approvals_is_what_they_start(stage, tmp_path):
    events = stage.client("prod", "events")
    names = [rule["Name"] for rule in events.list_rules(EventBusName="mammography")["Rules"]]
    assert sorted(names) == ["mammography-version-arrived", "mammography-version-scores"]
    quiet = check_out(tmp_path / "quiet")
    edit(quiet, "environments/shared.tfvars.json", '"score_on_approval": true', '"score_on_approval": false')
    decided = ("APPROVED_BY=Ann", "REASON=Approvals start nothing now")
    assert "rule mammography-version-scores: gone" in stage.make("promote", "RELEASE=first", *decided, folder=quiet)
    names = [rule["Name"] for rule in events.list_rules(EventBusName="mammography")["Rules"]]
    assert names == ["mammography-version-arrived"]
    assert "rule mammography-version-scores: new" in stage.make("promote", "RELEASE=first", *decided)


def test_a_plan_for_another_release_is_stale(stage, second, bad):
    stage.make("plan-release", "RELEASE=second")
    said = stage.make(
        "promote", "RELEASE=first", "PLAN=.baton/plans/prod.json", "APPROVED_BY=Ann", "REASON=seen", fails=True
    )
    assert "The plan is for prod and release second" in said
    (stage.checkout / ".baton/plans/prod.json").unlink()
    said = stage.make("promote", "RELEASE=second", "PLAN=.baton/plans/prod.json", fails=True)
    assert "can't be read (No such file or directory); plan again" in said


def test_an_unknown_release_and_a_rollback_to_one_that_never_served_are_named(stage):
    assert "Release 9.9 doesn't exist" in stage.make("promote", "RELEASE=9.9", fails=True)
    said = stage.make("rollback", "TO=9.9", "APPROVED_BY=Ann", "REASON=try", fails=True)
    assert "Release 9.9 hasn't served in prod" in said


def test_people_see_what_ran_where(stage):
    said = stage.make("releases")
    assert "dev: " in said
    assert "prod: first" in said
    (line,) = (line for line in said.splitlines() if "There was none before" in line)
    assert all(part in line for part in ("promote: serving", "first", "Ann"))
