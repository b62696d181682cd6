"""`make new-step` makes a step that passes its tests beside the others."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from steps import new

ROOT = Path(__file__).parent.parent
COPIED = ("Makefile", "README.md", "pyproject.toml", "uv.lock", "tox.ini")


@pytest.fixture
def tree(tmp_path) -> Path:
    """A copy of what a step needs of the repository; tools are those of the original."""
    for name in COPIED:
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "steps", tmp_path / "steps", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for file in ROOT.glob("*/pyproject.toml"):
        (tmp_path / file.parent.name).mkdir()
        shutil.copy(file, tmp_path / file.parent.name)
    for name in (".tools", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(tree: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TOX_", "VIRTUAL_ENV"))}
    return subprocess.run(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_new_step_builds_and_passes_its_tests(tree):
    python = tree / ".venv" / "bin" / "python"
    if not python.exists() or not (tree / ".tools/bin/uv").exists():
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say("no environment of the repository's own: `make setup` makes it")
    before = {file: file.read_text() for file in tree.glob("steps/*/Dockerfile")}
    made = run(tree, "make", "new-step", "NAME=impute")
    assert made.returncode == 0, made.stdout
    assert "tox run -e impute" in made.stdout
    assert {file: file.read_text() for file in before} == before
    tests = run(tree, str(python), "-m", "tox", "run", "-e", "impute")
    assert tests.returncode == 0, tests.stdout
    assert " passed" in tests.stdout
    style = run(tree, str(python), "-m", "ruff", "check", "steps/impute")
    assert style.returncode == 0, style.stdout
    images = json.loads((tree / "steps/images.json").read_text())["images"]
    assert images[-1] == {
        "pattern": "*/mammography/impute@*",
        "directory": "..",
        "command": [".venvs/impute/bin/python", "-m", "steps.impute"],
    }
    dockerfile = (tree / "steps/impute/Dockerfile").read_text()
    assert "steps.impute" in dockerfile and "preprocess" not in dockerfile
    assert run(tree, ".tools/bin/uv", "lock", "--check").returncode == 0


@pytest.mark.parametrize("name", ["", "a", "Impute", "im-pute", "im pute", "1st", "../impute", "x" * 40])
def test_a_name_that_cannot_be_a_steps_is_refused(tmp_path, name):
    with pytest.raises(new.NoSuchStep, match="lower-case letters and digits"):
        new.make(name, tmp_path)


@pytest.mark.parametrize("name", ["train", "common", "new"])
def test_a_name_that_is_taken_is_refused(tree, name):
    with pytest.raises(new.NoSuchStep, match="it is there already"):
        new.make(name, tree)


def test_nothing_is_left_of_a_step_that_cannot_be_entered(tree):
    (tree / "pyproject.toml").write_text("[tool.uv]\n")
    before = sorted(tree.rglob("*"))
    with pytest.raises(new.NoSuchStep, match=r"pyproject\.toml: its list of steps"):
        new.make("impute", tree)
    assert sorted(tree.rglob("*")) == before
