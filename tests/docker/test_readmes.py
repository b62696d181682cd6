"""Runs the lines that the READMEs of the steps show, as they stand there, with real data."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from images import layers
from images.fixtures import unavailable
from images.layers import ROOT

pytestmark = pytest.mark.random_order(disabled=True)

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HARDENED = ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "--user 10001", "--memory ")
OWN = (".baton", ".git")
"""What a README's lines change, or need not see: not shared with the checkout."""


LIFE = ("preprocess", "train", "evaluate", "monitor", "infer")
"""The steps in the order of the READMEs, each of which begins with what the one before has left."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder in which everything is this checkout's, except what the lines of the READMEs write."""
    folder = tmp_path_factory.mktemp("checkout")
    for path in ROOT.iterdir():
        if path.name not in OWN:
            (folder / path.name).symlink_to(path)
    return folder


def blocks(step: str) -> list[str]:
    return BLOCK.findall((ROOT / "steps" / step / "README.md").read_text())


def test_every_step_has_a_readme_that_runs_its_image_hardened():
    for step in layers.steps():
        runs = [run for block in blocks(step) for run in re.findall(r"docker run(?:[^\n]*\\\n)*[^\n]*", block)]
        assert runs, step
        for run in runs:
            assert [option for option in HARDENED if option not in run] == [], f"{step}: {run}"
            assert ('--publish "127.0.0.1:' if step == "infer" else "--network none") in run, f"{step}: {run}"


@pytest.fixture(scope="module")
def ran(docker, built, checkout):
    """How the lines of each README ended, run one after the other: exit code and output by step."""
    assert sorted(LIFE) == layers.steps()
    if not shutil.which("make"):
        unavailable("The READMEs' first line is `make data`, and make isn't installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PATH": f"{Path(docker.command).parent}{os.pathsep}{os.environ['PATH']}",
        "PORT": str(port),
    }
    ended = {}
    for step in LIFE:
        done = subprocess.run(
            ["sh", "-eu", "-c", "\n".join(blocks(step))],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ended[step] = done.returncode, done.stdout
    docker.run("rm", "--force", "mammography-infer")
    return ended


@pytest.mark.parametrize("step", LIFE)
def test_the_lines_of_its_readme_run(ran, step):
    code, output = ran[step]
    assert code == 0, output


def test_they_leave_what_they_promise(ran, checkout):
    output = checkout / ".baton"
    for file in (
        "preprocess/processing/output/train/part-algo-1.csv",
        "train/model/xgboost-model",
        "evaluate/processing/output/evaluation/evaluation.json",
        "monitor/check/constraint_violations.json",
    ):
        assert (output / file).stat().st_size, file
    rows = (output / "data/batches/clean.csv").read_text().splitlines()
    assert [0 < float(line) < 1 for line in (output / "predictions.csv").read_text().splitlines()] == [True] * len(rows)
