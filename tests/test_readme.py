"""Every command of README.md is run as it stands there; so is its Python."""

import os
import re
import shlex
import socket
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
NOT_HERE = {"make test"}
"""This very test is part of it."""


@pytest.fixture(scope="module")
def surroundings():
    """The environment of a person who has set nothing, on a port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BATON_", "LOCALAWS_"))
    }
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return inherited | {"PORT": port}


def commands(block: str) -> list[str]:
    """The lines of a block without their remarks and without what can't be run from here."""
    lines = [re.sub(r"\s+#.*", "", line) for line in block.splitlines() if line.strip()]
    return [line for line in lines if line not in NOT_HERE]


def run(script: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_make_run_plays_the_whole_life_and_leaves_its_reports(surroundings):
    kind, block = BLOCKS[0]
    assert kind == "sh" and commands(block) == ["make run"]
    before = set((ROOT / ".baton" / "runs").glob("*"))
    # A profile that isn't configured here has nothing to do with local accounts.
    said = run("\n".join(commands(block)), surroundings | {"AWS_PROFILE": "nobody-configured-it"})
    assert "The loop is closed" in said
    assert re.search(
        r"^  version 2 +trained in prod: AUC 0\.\d{3} on its test rows; minus the champion's on the", said, re.M
    )
    assert re.search(r"^  shifted.csv +\d+ rows scored by version 2; its drift is in the report", said, re.M)
    assert re.search(r"^  labels on version 1 +No drift: the model is as good as it was; AUC 0\.9", said, re.M)
    assert re.search(r"^  drift in shifted.csv +all columns together: ", said, re.M) and "  *: " not in said
    files = {file.name for file in (ROOT / ".baton" / "run").iterdir()}
    assert {
        "clean.csv.out",
        "shifted.csv.out",
        "evaluation-v1.html",
        "monitoring-shifted.html",
        "quality-v1.html",
    } <= files
    assert set((ROOT / ".baton" / "runs").glob("*")) <= before


def test_make_up_serves_any_client_until_make_down(surroundings, tmp_path):
    (_, by_hand), (kind, program) = BLOCKS[1], BLOCKS[2]
    lines = commands(by_hand)
    assert lines[0] == "make up" and lines[-1] == "make down" and kind == "python"
    script = tmp_path / "outside.py"
    script.write_text(program)
    # The program runs while the accounts are up, from another folder, with what the block before it has exported.
    outside = f"(cd {tmp_path} && {ROOT}/.venv/bin/python {script})"
    port = surroundings["PORT"]
    try:
        said = run("\n".join([*lines[:-1], outside]).replace(":4566", f":{port}"), surroundings)
    finally:
        run("make down", surroundings)
    assert {line.replace(":4566", f":{port}") for line in lines if "export" in line} <= set(said.splitlines())
    assert "['mammography-inference', 'mammography-quality', 'mammography-train']" in said
    assert "MissedGate Failed The model missed the gate: its AUC" in said
    assert "preprocess/train/" in said
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", int(port)), timeout=1)


def test_help_lists_every_target_and_the_readme_names_no_other():
    fragments = "".join(file.read_text() for file in (ROOT / "Makefile", *ROOT.glob("*/*.mk")))
    targets = set(re.findall(r"^([a-z][\w/%-]*):", fragments, re.MULTILINE))
    listed = {line.split()[0] for line in run("make help", dict(os.environ)).splitlines()}
    assert listed == targets
    named = re.findall(r"`make ([a-z][a-z/-]*)", (ROOT / "README.md").read_text())
    assert {name for name in named if name not in listed and f"{name.split('/')[0]}/%" not in listed} == set()


def test_a_folder_whose_name_has_a_space_is_one_word_to_make():
    rules = "".join(file.read_text() for file in (ROOT / "Makefile", *ROOT.glob("*/*.mk")))
    targets = [line.split(":")[0].replace("%", "train") for line in rules.splitlines() if "/.ready:" in line]
    said = run(f"make --dry-run --always-make CURDIR='/a folder' {' '.join(targets)}", dict(os.environ))
    naming = [shlex.split(line) for line in said.splitlines() if "/a folder" in line]
    assert len(naming) >= len(targets) >= 6
    assert all(any("/a folder/.venv" in word for word in words) for words in naming)
