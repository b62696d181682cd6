"""What a plan refuses: one clear sentence each, and nothing is changed."""

import json
import os
import re
import socket
import subprocess
from dataclasses import replace

import pytest

from promotion import accounts, build, registry, source
from promotion.releases import Releases
from rehearsal import provision
from tests.terraform.conftest import ROOT


@pytest.fixture(scope="module")
def prepared(other):
    """Accounts that hold what a release needs, and three releases: signed, unsigned and tampered with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", other.address)
        patch.setenv("BATON_REGISTRIES", str(other.folder / "none"))
        accounts.account.cache_clear()
        provision.foundation(other.accounts.values())
        digests = source.register("dev")
        releases = Releases(accounts.account("registry"))
        for version in ("good", "unsigned", "tampered"):
            build.build(version, digests)
            if version != "unsigned":
                releases.sign(version)
        key = "versions/tampered/manifest.json"
        _, etag, _, _ = releases.objects.look(key)
        content = json.loads(releases.objects.get(key)) | {"git_commit": "0" * 40}
        releases.objects.replace(key, json.dumps(content, sort_keys=True, separators=(",", ":")).encode(), etag)
        accounts.account.cache_clear()
    return other


def refused(world, *arguments: str, **environment: str) -> str:
    """Run a plan that must be refused; return its one sentence."""
    before = _buckets(world)
    done = world.run("plan", *arguments, **environment)
    assert done.code == 1, done.said
    lines = done.complained.strip().splitlines()
    assert len(lines) == 1, done.complained
    assert "Plan:" not in done.said
    assert _buckets(world) == before
    return lines[0]


def _buckets(world) -> list[str]:
    return [b["Name"] for a in world.accounts.values() for b in a.client("s3").list_buckets()["Buckets"]]


def _edit(file, **changes) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_missing_environment_file(prepared, checkout):
    (checkout / "environments" / "dev.tfvars.json").unlink()

    assert "dev.tfvars.json: can't be read" in refused(replace(prepared, root=checkout), "dev")


def test_a_malformed_environment_file(prepared, checkout):
    (checkout / "environments" / "shared.tfvars.json").write_text('{"project": ')

    assert "shared.tfvars.json: not JSON" in refused(replace(prepared, root=checkout), "dev")


def test_an_account_id_that_is_not_12_digits(prepared, checkout):
    _edit(
        checkout / "environments" / "local.tfvars.json",
        accounts={"dev": "11111111111", "registry": "222222222222", "prod": "333333333333"},
    )

    sentence = refused(replace(prepared, root=checkout), "dev")
    assert "local.tfvars.json: setting accounts.dev isn't a 12-digit account id" in sentence


def test_a_definition_that_sagemaker_would_refuse(prepared, checkout):
    shared = checkout / "environments" / "shared.tfvars.json"
    hyperparameters = json.loads(shared.read_text())["hyperparameters"] | {"objective": "x" * 2501}
    _edit(shared, hyperparameters=hyperparameters)

    sentence = refused(replace(prepared, root=checkout), "dev")
    assert sentence.startswith("dev: train definition: Steps.Train") and "objective" in sentence


def test_a_release_that_nobody_built(prepared):
    assert refused(prepared, "dev", "--release", "none") == "Release none doesn't exist in the registry account."


def test_a_release_without_a_signature(prepared):
    assert refused(prepared, "dev", "--release", "unsigned") == "Release unsigned is not signed."


def test_a_manifest_whose_signature_fails(prepared):
    sentence = refused(prepared, "dev", "--release", "tampered")

    assert sentence == "Release tampered: the manifest isn't what alias/mammography-releases signed."


def test_a_release_whose_digest_is_not_in_the_registry(prepared):
    sentence = refused(prepared, "prod", "--release", "good")

    assert (
        "333333333333.dkr.ecr.us-east-1.amazonaws.com/mammography/" in sentence and "doesn't hold sha256:" in sentence
    )


def test_credentials_of_another_account(prepared):
    prod = prepared.accounts["prod"]
    keys = prod.client("sts").assume_role(RoleArn=prod.names.role("ci"), RoleSessionName="tests")["Credentials"]
    # Not AWS_ENDPOINT_URL: then the account would be taken for granted, as on one's own machine.
    sentence = refused(
        prepared,
        "dev",
        AWS_ENDPOINT_URL="",
        AWS_ENDPOINT_URL_STS=prepared.address,
        AWS_ENDPOINT_URL_S3=prepared.address,
        AWS_ACCESS_KEY_ID=keys["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=keys["SecretAccessKey"],
        AWS_SESSION_TOKEN=keys["SessionToken"],
        AWS_REGION="us-east-1",
    )

    assert sentence == "dev is account 111111111111, and the credentials don't lead there (AccessDenied)."


def test_no_credentials_at_all(prepared, tmp_path):
    sentence = refused(
        prepared,
        "dev",
        AWS_ENDPOINT_URL="",
        AWS_CONFIG_FILE=str(tmp_path / "none"),
        AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "none"),
        AWS_EC2_METADATA_DISABLED="true",
        AWS_REGION="us-east-1",
    )

    assert sentence.startswith("dev is account 111111111111, and the credentials don't lead there")


def test_a_state_that_another_machine_holds(prepared, _terraform):
    dev = prepared.accounts["dev"]
    s3, bucket, key = dev.client("s3"), dev.names.state_bucket, "foundation.tfstate.tflock"
    lock = {"ID": "1", "Operation": "OperationTypeApply", "Who": "ann@far-away", "Created": "2026-11-24T10:00:00Z"}
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(lock).encode())
    try:
        sentence = refused(prepared, "dev")
        unlocked = prepared.run("unlock", "dev")
        left = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    finally:
        s3.delete_object(Bucket=bucket, Key=key)
        s3.delete_bucket(Bucket=bucket)

    assert sentence.startswith("dev's foundation is locked by ann@far-away since 2026-11-24T10:00")
    assert sentence.endswith("make unlock/dev")
    assert unlocked.code == 0, unlocked.complained
    assert unlocked.said.startswith("dev's foundation: taken away from ann@far-away") and left == []


@pytest.mark.parametrize(
    ("name", "bucket"), [("dev", "mammography-data-111111111111"), ("registry", "mammography-models-222222222222")]
)
def test_accounts_that_terraform_did_not_make(prepared, name, bucket):
    sentence = refused(prepared, name)

    assert sentence == (
        f"{name} holds {bucket}, which Terraform didn't make: it begins in empty accounts; "
        "`python -m localaws up` with a state folder of its own gives empty ones."
    )
    assert prepared.run("apply", name).complained.strip() == sentence


def test_the_page_on_accounts_makes_empty_ones(_terraform, tmp_path):
    page = (ROOT / "docs" / "accounts.md").read_text()
    (block,) = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (stop,) = re.findall(r"`(\S+ -m localaws down [^`]*)`", page)
    port = free_port()
    state, known = str(tmp_path / "empty"), {name: v for name, v in os.environ.items() if not name.startswith("AWS_")}
    known |= {"LOCALAWS_PORT": port, "BATON_TERRAFORM": str(tmp_path / "terraform")}
    script = "\n".join([block, "make plan/dev LAYER=bootstrap", stop])
    done = subprocess.run(
        ["sh", "-eu", "-c", script.replace(":4566", f":{port}").replace(".baton/empty", state)],
        cwd=ROOT, env=known, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}\n" in done.stdout
    assert re.search(r"Plan: [1-9]\d* to add, 0 to change, 0 to destroy", done.stdout)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_a_registry_that_is_asked_is_the_accounts_own(prepared, monkeypatch):
    """The digest counts as present only where it is looked for by the account's own name."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", prepared.address)
    accounts.account.cache_clear()
    manifest = Releases(accounts.account("registry")).verified("good")
    names = build.repositories(manifest)

    assert all(registry.of(accounts.account("dev")).holds(name, "manifests", found) for name, found in names.items())
    accounts.account.cache_clear()


def test_destroying_what_is_protected(prepared, checkout):
    _edit(checkout / "environments" / "local.tfvars.json", protected=True)
    done = replace(prepared, root=checkout).run("destroy", "dev")

    assert done.code == 1
    assert done.complained.strip() == (
        "dev is protected; protected = false in its environment file lets it be destroyed."
    )
