"""What is protected can't be destroyed by accident; one setting is the way out."""

import json
import os
import subprocess
from dataclasses import replace

from terraform import cli


def _edit(file, **changes) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_leaving_on_purpose_is_one_setting(other, checkout, _terraform, tmp_path):
    local = checkout / "environments" / "local.tfvars.json"
    _edit(checkout / "environments" / "shared.tfvars.json", project="guarded")
    _edit(local, protected=True)
    guarded = replace(other, root=checkout, folder=tmp_path / "terraform")
    dev, bucket = other.accounts["dev"], "guarded-terraform-111111111111"

    made = guarded.run("apply", "dev", "--layer", "bootstrap")
    assert made.code == 0, made.said[-4000:] + made.complained
    by_make = guarded.run("destroy", "dev", "--layer", "bootstrap")
    by_hand = _plain_terraform(guarded, checkout, "plan", "-destroy")
    replaced = _plain_terraform(guarded, checkout, "plan", "-replace=module.state_key.aws_kms_key.this")

    assert by_make.code == 1 and by_make.complained.startswith("dev is protected")
    for refused in (by_hand, replaced):
        assert refused.returncode == 1 and "Instance cannot be destroyed" in refused.stderr, refused.stdout
    assert dev.client("s3").head_bucket(Bucket=bucket)

    _edit(local, protected=False)
    left = guarded.run("destroy", "dev", "--layer", "bootstrap")

    assert left.code == 0, left.said[-4000:] + left.complained
    assert bucket not in [found["Name"] for found in dev.client("s3").list_buckets()["Buckets"]]


def _plain_terraform(world, checkout, *arguments: str) -> subprocess.CompletedProcess:
    """Run Terraform itself, as somebody would who doesn't use make."""
    files = [f"-var-file={checkout}/environments/{name}.tfvars.json" for name in ("shared", "dev", "local")]
    return subprocess.run(
        [cli.program(), f"-chdir={checkout}/terraform/bootstrap", *arguments, "-no-color", "-input=false", *files],
        env=world.environment(
            TF_CLI_CONFIG_FILE=os.devnull,
            TF_DATA_DIR=str(world.folder / "dev" / "bootstrap" / "data"),
            AWS_ACCESS_KEY_ID="111111111111",
            AWS_SECRET_ACCESS_KEY="local",
            AWS_REGION="us-east-1",
        ),
        capture_output=True,
        text=True,
    )
