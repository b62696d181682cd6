"""The pages on promotion and Jenkins: each command runs as it stands, and what they name is there."""

import json
import re
import subprocess

import pytest

from promotion import refusals
from tests.jenkins.conftest import ROOT, TOOLS

PAGE = (ROOT / "docs" / "promotion.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
REFUSED = PAGE.partition("## What is refused")[2].partition("##")[0]


def test_every_command_of_the_page_on_promotion_runs(stage):
    assert len(COMMANDS) >= 9
    for command in COMMANDS:
        if command.startswith("make approve"):
            command = command.replace("VERSION=2", f"VERSION={newest_version(stage)}")
        done = subprocess.run(
            command, shell=True, cwd=stage.checkout, env=stage.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
    assert stage.serving() == "first"


def newest_version(stage):
    listed = stage.client("registry", "sagemaker").list_model_packages(ModelPackageGroupName="mammography")
    return max(item["ModelPackageVersion"] for item in listed["ModelPackageSummaryList"])


@pytest.mark.parametrize("name", re.findall(r"`([A-Z]\w+)`", REFUSED))
def test_every_refusal_of_the_page_exists(name):
    assert issubclass(getattr(refusals, name), refusals.Refused)


def test_the_configuration_has_what_the_jenkinsfile_asks_for(interpreter):
    text = (ROOT / "Jenkinsfile").read_text()
    script = "process.stdout.write(JSON.stringify(require('js-yaml').load(require('fs').readFileSync(0, 'utf8'))))"
    parsed = subprocess.run(
        ["node", "-e", script],
        cwd=TOOLS,
        input=(ROOT / "docs/jenkins.yaml").read_text(),
        capture_output=True,
        text=True,
    )
    assert parsed.returncode == 0, parsed.stderr
    found = json.loads(parsed.stdout)
    (domain,) = found["credentials"]["system"]["domainCredentials"]
    assert {one["idTokenFile"]["id"] for one in domain["credentials"]} == set(
        re.findall(r"credentials\('(.*?)'\)", text)
    )
    assert {one["name"] for one in found["unclassified"]["lockableResourcesManager"]["declaredResources"]} == set(
        re.findall(r"lock\('(.*?)'\)", text)
    )
    labels = {node["permanent"]["labelString"] for node in found["jenkins"]["nodes"]}
    assert labels == set(re.findall(r"label '(.*?)'", text))
    named = {variable["key"] for one in found["jenkins"]["globalNodeProperties"] for variable in one["envVars"]["env"]}
    assert named == set(re.findall(r"env\.(BATON_\w+)", text))
    page = (ROOT / "docs" / "jenkins.md").read_text()
    assert all(group in page for group in re.findall(r"submitter '(.*?)'", text))
