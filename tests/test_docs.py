"""The commands of the pages on the life of a model and on the pipelines are run as they stand there."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from functions.common import ledger
from localaws.settings import Settings
from pipeline import settings
from pipeline.execution import DEFINITIONS, render
from pipeline.release import Release

pytestmark = pytest.mark.random_order(disabled=True)  # the pages share one set of accounts
ROOT = Path(__file__).parent.parent


def blocks(page: str) -> list[tuple[str, str]]:
    """Kind and text of every code block of a page."""
    return re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def accounts(life, address):
    """What `make up` leaves: the release in dev and prod, and the first labelled part in both."""
    life.put_labelled()
    return life


def run(kind: str, block: str, address: str) -> str:
    """Run a block where the page says it runs: in the checkout, with what the page has exported and nothing else."""
    block = block.replace("http://127.0.0.1:4566", address)
    program = [".venv/bin/python", "-c", block] if kind == "python" else ["sh", "-eu", "-c", block]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BATON_", "PYTHONPATH"))
    } | {"AWS_ENDPOINT_URL": address}
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_the_life_of_a_model_goes_as_its_page_says(accounts, address):
    export, train, look, approve, derive, arrive, batches, release, labels, evaluated = blocks("life-of-a-model.md")
    assert run(*export, address) == ""
    said = run(*train, address)
    steps = [line.split()[0] for line in said.splitlines() if line.endswith(" s")]
    assert steps == ["ResolveChampion", "Preprocess", "Train", "Evaluate", "Gate", "Baseline", "Seal", "Register"]
    assert said.splitlines()[-1] == "Succeeded"
    said = run(*look, address)
    assert re.search(r"^1 +PendingManualApproval +\S+ +0\.9\d\d ", said, re.MULTILINE)
    assert said.endswith("\n.baton/version-1.html\n")
    assert "AUC" in (ROOT / ".baton" / "version-1.html").read_text()
    assert run(*approve, address).strip().endswith(":model-package/mammography/1")
    shutil.rmtree(ROOT / ".baton" / "data", ignore_errors=True)
    run(*derive, address)
    run(*arrive, address)
    while [entry.state for entry in accounts.entries()] != [ledger.SCORED]:
        time.sleep(0.2)
    assert re.search(r"^clean-[0-9a-f]{12} .* scored .*/transform$", run(*batches, address), re.MULTILINE)

    refused = accounts.quarantine("shifted.csv")
    kind, command = release
    begun = run(kind, command.replace("=BATCH", f"={refused.batch.id}"), address).strip()
    accounts.succeed("prod", begun)
    assert re.search(rf"^{refused.batch.id} .* scored .*A new scanner", run(*batches, address), re.MULTILINE)

    run(*labels, address)
    while not re.search(r" (Succeeded|Failed) ", said := run(*evaluated, address)):
        time.sleep(0.2)
    assert re.search(
        r" 1 +No drift: .*; 48 of 96 scored rows are labelled.* +s3://\S+/quality/report.html$", said, re.M
    )


def test_every_state_and_setting_of_the_page_is_one_that_there_is():
    page = (ROOT / "docs" / "life-of-a-model.md").read_text()
    states = {ledger.PENDING, ledger.CLAIMED, ledger.SCORED, ledger.QUARANTINED, ledger.FAILED}
    assert all(f"| {state} |" in page for state in states)
    named = set(re.findall(r"`retrain\.(\w+)`", page))
    assert named == set(json.loads((ROOT / "environments" / "prod.tfvars.json").read_text())["retrain"])


def test_the_pipelines_commands_do_what_their_page_says(accounts, address):
    look, export, start = blocks("pipelines.md")
    assert run(*export, address) == ""
    said = run(*look, address)
    definition, _ = json.JSONDecoder().raw_decode(said)
    assert definition["Version"] == "2020-12-01" and '"environment": "prod"' in said and "\n  prod  " in said
    train, inference = start[1].splitlines()
    assert run("sh", train, address).splitlines()[-1] == "Succeeded"
    newest = accounts.accounts["registry"].client("sagemaker").list_model_packages(ModelPackageGroupName="mammography")
    accounts.approve(newest["ModelPackageSummaryList"][0]["ModelPackageVersion"], "For the page's second command")
    # Nothing waits, and the command says so; a batch that arrived would begin an execution of its own.
    said = run("sh", f"{inference} 2>&1 || true", address)
    assert "step Resolve (NoPendingBatch): No new batch has arrived" in said.splitlines()[-1]


def test_the_parameters_of_the_page_are_those_of_the_definitions():
    page = (ROOT / "docs" / "pipelines.md").read_text()
    for pipeline in DEFINITIONS:
        parameters = render(settings.load("dev"), pipeline, Release()).render()["Parameters"]
        row = next(line for line in page.splitlines() if line.startswith(f"| `mammography-{pipeline}` |"))
        assert re.findall(r"`(\w+)`", row.split("|")[2].replace("`newest`", "")) == [p["Name"] for p in parameters]


def test_every_setting_is_on_the_page_of_settings():
    page = (ROOT / "docs" / "settings.md").read_text()
    named = {name for line in page.splitlines() for name in re.findall(r"`([A-Z_]{2,})`", line.split("|")[:2][-1])}
    sources = [
        file
        for folder in ("images", "pipeline", "promotion", "rehearsal", "terraform")
        for file in (ROOT / folder).rglob("*.py")
        if not file.name.startswith(("test_", "conftest", "fixtures"))
    ]
    code = "".join(file.read_text() for file in (*sources, ROOT / "localaws" / "process.py"))
    read = set(re.findall(r'os\.environ(?:\.get\(|\[)"([A-Z_]+)"', code))
    localaws = {f"LOCALAWS_{item.name.upper()}" for item in dataclasses.fields(Settings)}
    assert named >= read | localaws
    makefiles = "".join(file.read_text() for file in (ROOT / "Makefile", ROOT / "docker-compose.yml"))
    missing = {name for name in named - read - localaws if name not in code + makefiles}
    assert missing == set()


def test_the_settings_of_the_accounts_are_printed_as_their_page_says():
    page = (ROOT / "environments" / "README.md").read_text()
    (block,) = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    done = subprocess.run(["sh", "-eu", "-c", block], cwd=ROOT, capture_output=True, text=True)
    assert json.loads(done.stdout)["environment"] == "prod", done.stderr


PAGES = sorted(
    file for folder in (".", "docs", "localaws", "environments", "data") for file in (ROOT / folder).glob("*.md")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_target_that_a_page_names_is_one(page):
    known = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = {line.split()[0].replace("%", "") for line in known.splitlines() if line.strip()}
    families = tuple(name for name in targets if name.endswith("/"))
    named = {name.rstrip("-") for name in re.findall(r"(?:`|^)make ([a-z][a-z/-]*)", page.read_text(), re.MULTILINE)}
    assert {name for name in named if name not in targets and not name.startswith(families)} == set()
