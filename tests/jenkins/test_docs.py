"""The pages on promotion and Jenkins: each command runs as it stands, and what they name is there."""

import json
import os
import re
import subprocess

import pytest

from promotion import accounts, errors
from rehearsal import local
from rehearsal.life import Life
from tests.jenkins.conftest import ROOT, TOOLS

PAGE = (ROOT / "docs" / "promotion.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
ERRORS = PAGE.partition("## What is refused")[2].partition("##")[0]


@pytest.fixture
def up(checkout, tmp_path):
    """Where local accounts answer in which there is what `make up` leaves."""
    with pytest.MonkeyPatch.context() as patch, local.serving(tmp_path / "accounts") as address:
        patch.setenv("AWS_ENDPOINT_URL", address)
        Life(address).begin()
        yield address
    accounts.account.cache_clear()


def test_the_commands_of_the_page_on_promotion_run_from_top_to_bottom(up, checkout):
    known = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BATON_"))}
    script = "\n".join(["set -x", *COMMANDS]).replace("http://127.0.0.1:4566", up)
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=checkout, env=known, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    said = dict(zip(COMMANDS, re.split(r"^\+ .*\n", done.stdout, flags=re.MULTILINE)[1:], strict=True))
    assert (
        re.search(r"^prod: 1\.0 *$", said["make releases"], re.MULTILINE)
        and "It has run in dev for a week" in said["make releases"]
    )
    assert said[COMMANDS[-1]].endswith("prod runs release 1.0.\n")
    assert done.stdout.count("smoke test: ") == 5


@pytest.mark.parametrize("name", re.findall(r"`([A-Z]\w+)`", ERRORS))
def test_every_refusal_of_the_page_exists(name):
    assert issubclass(getattr(errors, name), errors.PromotionError)


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
