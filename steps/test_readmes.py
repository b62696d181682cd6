"""The steps' READMEs, read one after the other, work as they are shown."""

import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IN_ORDER = ("preprocess", "train", "evaluate", "monitor", "infer")


def without_docker(step: str) -> str:
    """The lines that a step's README shows for a machine without Docker."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "steps" / step / "README.md").read_text(), re.M | re.S)
    shown = [block for block in blocks if "docker run" not in block]
    assert len(shown) == 1 and len(blocks) == 2, f"steps/{step}/README.md: one block without Docker, one with"
    return shown[0]


def test_every_step_has_a_readme_with_hardened_lines_for_docker():
    steps = sorted(file.parent.name for file in (ROOT / "steps").glob("*/Dockerfile"))
    assert set(IN_ORDER) <= set(steps)
    for step in steps:
        text = (ROOT / "steps" / step / "README.md").read_text()
        hardened = ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "--user 10001")
        assert all(option in text for option in hardened), step
        assert "--network none" in text or "127.0.0.1:" in text, step


def test_the_lines_without_docker_run_as_shown(tmp_path):
    missing = [step for step in IN_ORDER if not (ROOT / ".venvs" / step / "bin" / "python").exists()]
    if missing:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"no environment for {', '.join(missing)}: `make setup` makes them")
    for name in ("Makefile", "data", "steps", ".venvs"):
        (tmp_path / name).symlink_to(ROOT / name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    for step in IN_ORDER:
        shown = subprocess.run(
            ["sh", "-eu"],
            input=without_docker(step),
            cwd=tmp_path,
            env={**os.environ, "PORT": port},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert shown.returncode == 0, f"steps/{step}/README.md:\n{shown.stdout}"
    made = tmp_path / ".baton"
    evaluation = json.loads((made / "evaluate/processing/output/evaluation/evaluation.json").read_text())
    assert evaluation["binary_classification_metrics"]["auc"]["value"] > 0.85
    predictions = (made / "predictions.csv").read_text().splitlines()
    assert len(predictions) == 48 and all(0 < float(prediction) < 1 for prediction in predictions)
