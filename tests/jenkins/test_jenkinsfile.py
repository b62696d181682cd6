"""The Jenkinsfile: which stages run when, with what environment, under which lock, after whose approval."""

import os

import pytest

from tests.jenkins.conftest import ROOT
from tests.jenkins.jenkins import Build

ROLE = {"BATON_ROLE": "ci", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}
APPROVED = {"by": "ann", "values": {"REASON": "dev has run it for a week"}}


@pytest.fixture
def build(interpreter, tmp_path):
    """A build whose commands are only written down."""
    for name, content in {"release/version": "1.0-abc\n", "plans/prod.json": "{}"}.items():
        (tmp_path / "checkout" / ".baton" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "checkout" / ".baton" / name).write_text(content)

    def make(**more):
        more = {"credentials": {"baton-aws": "/token"}, "run": (), **more}
        return Build(interpreter, tmp_path / "checkout", tmp_path / "jenkins", **more)

    return make


def play(build, file=ROOT / "Jenkinsfile"):
    return build.play(dict(os.environ), file)


def in_aws(event):
    return {name: event["env"].get(name) for name in ROLE}


def test_a_branch_is_checked_and_tested_without_any_role(build):
    branch = build(branch="feature", credentials={})
    assert play(branch) == "SUCCESS"
    assert branch.commands() == ["make lint", "make test"]
    assert [in_aws(event) for event in branch.events("sh")] == [dict.fromkeys(ROLE)] * 2
    assert [event["event"] for event in branch.events("junit", "archiveArtifacts")] == ["junit", "archiveArtifacts"]


def test_main_is_built_once_and_goes_to_prod_after_its_approval(build):
    main = build(answers={"To prod": APPROVED})
    assert play(main) == "SUCCESS"
    assert main.commands() == [
        "make lint", "make test", "make build", "make push", "make release", "make deploy", "make rehearse",
        "make plan-release", "make promote",
    ]  # fmt: skip
    for script in ("make push", "make release", "make deploy", "make rehearse", "make plan-release", "make promote"):
        assert in_aws(main.command(script)) == ROLE
    for script in ("make lint", "make test", "make build"):
        assert in_aws(main.command(script)) == dict.fromkeys(ROLE)
    assert main.command("make deploy")["holds"] == ["baton-dev"]
    promote = main.command("make promote")
    assert promote["holds"] == ["baton-prod"]
    given = {name: promote["env"][name] for name in ("RELEASE", "PLAN", "APPROVED_BY", "REASON", "BUILD_TAG")}
    assert given == {
        "RELEASE": "1.0-abc",
        "PLAN": ".baton/plans/prod.json",
        "APPROVED_BY": "ann",
        "REASON": "dev has run it for a week",
        "BUILD_TAG": "jenkins-baton/main-1",
    }


def test_nobody_waits_on_an_agent_or_under_a_lock_for_an_approval(build):
    main = build(answers={"To prod": APPROVED})
    play(main)
    (asked,) = main.events("input")
    assert (asked["node"], asked["holds"], asked["submitter"]) == (False, [], "baton-approvers")


def test_what_is_approved_is_what_was_planned(build):
    main = build(answers={"To prod": APPROVED})
    play(main)
    order = [event["event"] for event in main.events("stash", "input", "unstash")]
    assert order == ["stash", "input", "unstash"]
    assert [event["given"]["artifacts"] for event in main.events("archiveArtifacts")][-1] == ".baton/plans/*.json"


def test_a_promotion_builds_nothing(build):
    second = build(params={"ACTION": "promote", "RELEASE": "0.9"}, answers={"To prod": APPROVED})
    assert play(second) == "SUCCESS"
    assert second.commands() == ["make plan-release", "make promote"]
    assert {event["env"]["RELEASE"] for event in second.events("sh")} == {"0.9"}


def test_a_rollback_asks_and_builds_nothing(build):
    back = build(params={"ACTION": "rollback", "RELEASE": "0.8"}, answers={"Back": APPROVED})
    assert play(back) == "SUCCESS"
    assert back.commands() == ["make rollback"]
    called = back.command("make rollback")
    assert (called["holds"], called["env"]["TO"], called["env"]["APPROVED_BY"]) == (["baton-prod"], "0.8", "ann")


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"by": "ann", "abort": True}, "ABORTED"),
        ({"by": "bob", "values": {"REASON": "I want it"}}, "FAILURE"),
    ],
)
def test_without_an_approver_nothing_is_promoted_and_people_are_notified(build, answer, result):
    refused = build(params={"ACTION": "promote", "RELEASE": "0.9"}, answers={"To prod": answer})
    assert play(refused) == result
    assert refused.commands() == ["make plan-release"]
    (mail,) = refused.events("mail")
    assert mail["to"] == "team@example.org"
    assert "promote 0.9" in mail["body"]


def test_a_failing_test_ends_the_build_with_its_report_stored(build, tmp_path):
    (tmp_path / "checkout" / "Makefile").write_text("test:\n\texit 3\n")
    failing = build(run=("make test",))
    assert play(failing) == "FAILURE"
    assert failing.commands() == ["make lint", "make test"]
    assert failing.events("junit")


def test_a_missing_credential_ends_the_build_before_anything_is_pushed(build):
    main = build(credentials={})
    assert play(main) == "FAILURE"
    assert main.commands() == ["make lint", "make test", "make build"]
    assert "baton-aws" in main.events("error")[0]["said"]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("steps { sh 'make lint' }", "stepz { sh 'make lint' }", "stage 'Lint' has no stepz"),
        ("  post {\n    unsuccessful", "  post {\n    unsuccesful", "post of pipeline has no unsuccesful"),
        ("submitter 'baton-approvers'", "submiter 'baton-approvers'", "input of 'To prod' has no submiter"),
        ("sh 'make lint'", "shell 'make lint'", "steps of 'Lint' has no shell"),
        ("agent none", "", "pipeline has no agent"),
        ("branch 'main'", "branch 'main' ||", "Unexpected input"),
        ("lock('baton-dev')", "locked('baton-dev')", "options of stage 'Dev' has no locked"),
    ],
)
def test_what_jenkins_would_refuse_is_refused(build, tmp_path, right, wrong, said):
    text = (ROOT / "Jenkinsfile").read_text()
    assert right in text
    (tmp_path / "Jenkinsfile").write_text(text.replace(right, wrong, 1))
    broken = build(answers={"To prod": APPROVED})
    assert said in play(broken, tmp_path / "Jenkinsfile")
