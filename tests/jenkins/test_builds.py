"""The Jenkinsfile's stages executed for real, against local accounts: promoted, refused, taken back, killed halfway."""

import os
import signal

import pytest

from promotion import running
from promotion.accounts import account
from tests.jenkins.conftest import signed
from tests.jenkins.jenkins import Build

APPROVED = {"To prod": {"by": "ann", "values": {"REASON": "dev has run it"}}}
NOBODY = "999999999999"


@pytest.fixture
def build(interpreter, stage, token, tmp_path):
    """A build whose commands act by CI's role: Jenkins' own account may do nothing here."""
    numbers = iter(range(1, 100))

    def make(**more):
        number = next(numbers)
        more = {"credentials": {"baton-aws": str(token)}, "number": number, **more}
        return Build(interpreter, stage.checkout, tmp_path / f"build-{number}", **more)

    return make


@pytest.fixture
def environment(stage):
    return {**stage.environment, "AWS_ACCESS_KEY_ID": NOBODY, "AWS_SECRET_ACCESS_KEY": "none"}


def promoting(version):
    return {"ACTION": "promote", "RELEASE": version}


def test_main_goes_all_the_way(build, environment, stage):
    report = stage.checkout / ".baton" / "reports" / "whole.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text('<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>')
    main = build(answers=APPROVED)
    assert main.play(environment) == "SUCCESS", main.output
    version = (stage.checkout / ".baton/release/version").read_text().strip()
    assert stage.serving("dev") == stage.serving() == version
    newest = stage.history()[0]
    assert (newest["who"], newest["why"]) == ("ann", "dev has run it")
    assert {event["who"] for event in stage.history("dev")[:3]} == {"jenkins-baton/main-1"}
    assert [event["code"] for event in main.events("exit")] == [0] * 5
    assert all(event["env"]["BATON_ROLE"] == "ci" for event in main.events("sh") if event["real"])


def test_a_refused_approval_changes_nothing(build, environment, stage, second):
    refused = build(params=promoting(second), answers={"To prod": {"by": "ann", "abort": True}})
    assert refused.play(environment) == "ABORTED"
    assert refused.commands() == ["make plan-release"]
    assert stage.serving() == "first"


def test_an_approval_without_a_reason_is_none(build, environment, stage, second):
    empty = build(params=promoting(second), answers={"To prod": {"by": "ann", "values": {"REASON": " "}}})
    assert empty.play(environment) == "FAILURE"
    assert "an approval has a name and a reason" in empty.output
    assert stage.serving() == "first"


def test_a_failing_smoke_test_rolls_back_and_fails_the_build(build, environment, stage, bad):
    failing = build(params=promoting(bad), answers=APPROVED)
    assert failing.play(environment) == "FAILURE"
    assert "prod runs release first again" in failing.output
    assert stage.serving() == "first"
    assert f"Release {bad} failed in prod; first serves again" in [mail.subject for mail in stage.life.collect()]
    assert failing.events("mail")[0]["to"] == "team@example.org"


def test_a_promotion_killed_halfway_is_finished_by_the_next_build(build, environment, stage, second):
    killed = build(params=promoting(second), answers=APPROVED)
    process = killed.start(environment)
    for line in process.stdout:
        if line.startswith("images: "):
            os.killpg(process.pid, signal.SIGKILL)
            break
    else:
        pytest.fail("the promotion ended before it could be killed")
    process.communicate()
    assert stage.serving() == "first"
    assert [event["what"] for event in stage.history()][:1] == ["approved"]

    again = build(params=promoting(second), answers=APPROVED)
    assert again.play(environment) == "SUCCESS", again.output
    assert stage.serving() == "second"
    running.demand(account("prod"), *signed(second))


def test_a_rollback_by_jenkins_is_recorded(build, environment, stage, second):
    stage.make("promote", f"RELEASE={second}", "APPROVED_BY=Ann", "REASON=again")
    back = build(
        params={"ACTION": "rollback"}, answers={"Back": {"by": "ann", "values": {"REASON": "Too many refused"}}}
    )
    assert back.play(environment) == "SUCCESS", back.output
    newest = stage.history()[0]
    assert (newest["action"], newest["release"], newest["why"]) == ("rollback", "first", "Too many refused")
