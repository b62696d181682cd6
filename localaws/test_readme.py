"""The README's five minutes, command by command, in an environment that has nothing of this project."""

import os
import re
import socket
import subprocess
import sys
import venv
from pathlib import Path

from localaws.definition import EXECUTED
from localaws.definition.steptypes import known

HERE = Path(__file__).parent
README = (HERE / "README.md").read_text()


def test_the_first_five_minutes(tmp_path):
    (block,) = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    venv.create(tmp_path / "venv", with_pip=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LOCALAWS_", "PYTHON", "VIRTUAL_ENV"))}
    environment = kept | {
        "PATH": f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{kept['PATH']}",
        "LOCALAWS_PORT": port,
        "LOCALAWS_STATE": str(tmp_path / "state"),
    }
    script = block.replace(":4566", f":{port}")
    try:
        done = subprocess.run(
            ["sh", "-eu", "-c", script], cwd=HERE.parent, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    finally:
        stop = [sys.executable, "-m", "localaws", "down", "--state", str(tmp_path / "state")]
        subprocess.run(stop, cwd=HERE.parent, capture_output=True)
    assert "at least 3 lines: Succeeded" in done.stdout
    assert "at least 4 lines: Failed" in done.stdout
    assert "TooFew Failed There are too few lines." in done.stdout
    assert '{"lines": 3}' in done.stdout


def test_the_types_of_steps_that_are_refused_are_those_that_are_named():
    refused = known() - set(EXECUTED)
    (sentence,) = re.findall(r"^Steps of the types (.*?) are refused", README, re.MULTILINE)
    assert set(re.split(r", | and ", sentence)) == refused


def test_every_page_that_is_named_is_there():
    for target in re.findall(r"\]\((?!https)([^)#]+)\)", README):
        assert (HERE / target).exists(), target
