"""Three accounts from nothing and back to nothing: applied, planned clean, used, compared and destroyed.

The tests of this file are acts of one play, in their order; each stands on the one before.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from pipeline.release import Release
from promotion import accounts, build, deployers, images, registry, source
from promotion.releases import Releases
from rehearsal import provision, stages
from rehearsal.life import Life, _mailbox
from rehearsal.view import View
from terraform import lint
from terraform.root import Root
from tests.terraform import snapshot
from tests.terraform.conftest import ENVIRONMENTS, ROOT, World

pytestmark = pytest.mark.random_order(disabled=True)

VERSION = "terraform-test"
MADE = re.compile(r"Resources: (?:(\d+) imported, )?(\d+) added, (\d+) changed, (\d+) destroyed")


@pytest.fixture(autouse=True)
def _here(world, monkeypatch):
    """Let promotion and the life of a model act in the world's accounts."""
    for name in [name for name in os.environ if name.startswith("AWS_") and "BUNDLE" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.address)
    monkeypatch.setenv("BATON_REGISTRIES", str(world.folder / "none"))
    monkeypatch.setenv("BUILD_TAG", "tests")
    monkeypatch.setenv("BATON_TERRAFORM", str(world.folder))
    monkeypatch.setenv("BATON_DEPLOYER", "terraform")
    accounts.account.cache_clear()
    yield
    accounts.account.cache_clear()


@pytest.fixture
def ci(world, monkeypatch):
    """Let promotion act by CI's role in every account, from Jenkins' own role; give the variables that say so."""
    registry_account = world.accounts["registry"]
    iam, role = registry_account.client("iam"), registry_account.settings.ci.role
    root = {"AWS": f"arn:aws:iam::{registry_account.settings.account}:root"}
    for_all = [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]
    trust = [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": root}]
    made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=_policy(trust))["Role"]
    iam.put_role_policy(RoleName=role, PolicyName="assume", PolicyDocument=_policy(for_all))
    sts = registry_account.client("sts")
    keys = sts.assume_role(RoleArn=made["Arn"], RoleSessionName="tests")["Credentials"]
    variables = {
        "BATON_ROLE": "ci",
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield variables
    iam.delete_role_policy(RoleName=role, PolicyName="assume")
    iam.delete_role(RoleName=role)


def _policy(statements: list[dict]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_a_plan_of_empty_accounts_shows_everything_and_changes_nothing(world, tell):
    for name, done in world.everywhere("plan", "--detailed-exitcode", code=2, names=("registry", "prod")).items():
        planned = re.findall(r"^Plan: (\d+) to add, 0 to change, 0 to destroy", done.said, re.MULTILINE)
        assert len(planned) == (3 if name == "registry" else 2), done.said
        assert world.accounts[name].client("s3").list_buckets()["Buckets"] == []
        tell(f"\n{name}: {' + '.join(planned)} resources to make")


def test_the_policies_as_they_will_be_pass_the_scan(world, tell):
    files = []
    for name in ("registry", "prod"):
        for layer in ("bootstrap", "foundation"):
            root = Root(layer, accounts.account(name))
            copied = root.work / "copy" / root.folder.relative_to(ROOT)
            file = world.folder / f"{name}-{layer}.json"
            file.write_text(json.dumps(root.show(root.work / "plan.tfplan", copied)))
            files += ["--file", str(file)]
    passed, excepted = lint.scan(["--framework", "terraform_plan", *files])

    assert passed > 300
    tell(f"\nscan of the plans: {passed} checks passed, {len(excepted)} exceptions")


def test_accounts_are_made_from_nothing_also_after_an_apply_that_was_killed_halfway(world, tell):
    killed = _killed_halfway(world, "registry", 15)
    done = world.everywhere("apply")

    adopted = re.findall(r"takes over (\S+)", done["registry"].said)
    assert "the run before this one was killed" in done["registry"].said
    tell(f"\nregistry: killed after {killed} resources; the next apply took {len(adopted)} over")
    for name, run in done.items():
        _tell_counts(tell, name, run)


def test_a_release_is_deployed_by_ci(world, ci, tell):
    manifest = build.build(VERSION, source.register("dev"))
    Releases(accounts.account("registry")).sign(VERSION)

    first = world.run("apply", "dev", "--release", VERSION, "--layer", "release", **ci)
    assert first.code == 0, first.said[-4000:] + first.complained
    images.copy(*(registry.of(accounts.account(n)) for n in ("dev", "prod")), build.repositories(manifest), VERSION)
    _tell_counts(tell, "dev", first)


def test_a_release_is_deployed_by_the_very_plan_that_was_approved(world, ci, tell):
    releases = Releases(accounts.account("registry"))
    manifest = releases.verified(VERSION)
    folder = releases.fetch(manifest, world.folder / "releases")
    deployer = deployers.of(accounts.account("prod"))

    begun = time.monotonic()
    plan = deployer.plan(manifest, folder)
    assert 'module.pipelines[0].aws_sagemaker_pipeline.this["train"]: create' in plan.changes
    deployer.apply(plan, manifest, folder)

    assert deployer.plan(manifest, folder).changes == ()
    tell(f"prod: {len(plan.changes)} resources made by an approved plan in {time.monotonic() - begun:.0f} s")


def test_the_second_plan_is_clean(world, tell):
    for name, done in world.everywhere("plan", "--layer", "all", "--detailed-exitcode").items():
        assert done.said.count("No changes.") == 3, done.said
        tell(f"{name}: nothing to change in 3 layers ({done.seconds:.0f} s)")


def test_the_local_run_makes_the_same(world, other, tell):
    manifest = Releases(accounts.account("registry")).verified(VERSION)
    provision.foundation(other.accounts.values())
    for account in other.accounts.values():
        provision.deploy(account, Release(VERSION, manifest.git_commit, manifest.images))

    for name in ENVIRONMENTS:
        made, local = (snapshot.of(one.accounts[name].client) for one in (world, other))
        bucket, key = world.accounts[name].names.state_bucket, f"alias/{world.accounts[name].names.name('terraform')}"
        # Only Terraform needs a bucket for its state.
        assert made["buckets"].pop(bucket) and made["keys"].pop(key)
        for kind, things in made.items():
            assert things == local[kind], f"{name}: {kind}"
        tell(f"{name}: the same by Terraform and by the local run: {_counts(made)}")


def test_what_is_changed_by_hand_shows_in_the_plan(world):
    dev = world.accounts["dev"]
    iam, role = dev.client("iam"), dev.names.name("train")
    everything = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
    iam.put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=everything)

    planned = world.run("plan", "dev", "--detailed-exitcode")
    applied = world.run("apply", "dev", "--layer", "foundation")

    assert planned.code == 2 and "by-hand" in planned.said, planned.said
    assert applied.code == 0, applied.complained
    assert "by-hand" not in iam.list_role_policies(RoleName=role)["PolicyNames"]


class Made(Life):
    """The life of a model in accounts that Terraform has made and put a release into."""

    def resources(self) -> None:
        """Only the mailboxes are missing."""
        for account in self.accounts.values():
            _mailbox(account)

    def build(self) -> Release:
        """Return the deployed release."""
        manifest = Releases(accounts.account("registry")).verified(VERSION)
        self.story.release = Release(VERSION, manifest.git_commit, manifest.images)
        return self.story.release


def test_the_whole_life_of_a_model_runs_on_what_terraform_made(world, tell, monkeypatch):
    # Terraform has put the release into prod; promoting only has to find every image there.
    monkeypatch.setattr(provision, "deploy", lambda account, release: release)
    begun = time.monotonic()
    life = Made(world.address)
    stages._stages(life, View())

    assert sorted(life.story.versions) == [1, 2]
    assert {name: (entry.state, entry.version) for name, entry in life.story.batches.items()} == {
        "clean.csv": ("scored", 1),
        "shifted.csv": ("scored", 2),
    }
    tell(f"the whole loop: {time.monotonic() - begun:.0f} s, AUC {life.story.auc}")


def test_nothing_that_costs_is_left_after_a_destroy(world, tell):
    for account in world.accounts.values():
        account.client("sqs").delete_queue(
            QueueUrl=account.client("sqs").get_queue_url(QueueName="rehearsal-mailbox")["QueueUrl"]
        )
    for name, done in world.everywhere("destroy").items():
        gone = sum(int(found[4]) for found in MADE.finditer(done.said))
        tell(f"{name}: {gone} resources destroyed in {done.seconds:.0f} s")
        for line in done.said.splitlines():
            if line.startswith("left: "):
                tell(f"  {line}")

    for name, account in world.accounts.items():
        left = {kind: things for kind, things in snapshot.of(account.client).items() if things}
        assert left == {"buses": {"default": None}}, name
        sagemaker = account.client("sagemaker")
        assert sagemaker.list_models()["Models"] == []
        kms = account.client("kms")
        states = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] for key in kms.list_keys()["Keys"]]
        assert set(states) == {"PendingDeletion"}, name


def _killed_halfway(world: World, name: str, resources: int) -> int:
    """Begin an apply in a foundation and kill it, with all it has started, once so many resources are there."""
    done = world.run("apply", name, "--layer", "bootstrap")
    assert done.code == 0, done.said[-4000:] + done.complained
    process = subprocess.Popen(
        [sys.executable, "-m", "terraform", "apply", name, "--layer", "foundation"],
        cwd=world.root,
        env=world.environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    made = 0
    assert process.stdout is not None
    for line in process.stdout:
        made += "Creation complete" in line
        if made == resources:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert made == resources
    return made


def _tell_counts(tell, name: str, done) -> None:
    made = sum(int(found[1] or 0) + int(found[2]) for found in MADE.finditer(done.said))
    tell(f"{name}: {made} resources made in {done.seconds:.0f} s")


def _counts(made: dict) -> str:
    return ", ".join(f"{len(things)} {kind}" for kind, things in made.items() if things)
