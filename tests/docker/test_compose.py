"""From a fresh stack of docker-compose.yml to a scored batch, as images/README.md says it, word by word."""

import contextlib
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from images import engine
from images.compose import Compose

ROOT = Path(__file__).parent.parent.parent
PORTS = {"PORT": "4566", "REGISTRY_DEV_PORT": "5011", "REGISTRY_PROD_PORT": "5033"}


@pytest.fixture
def surroundings(tmp_path):
    """The environment of a person with an engine, on ports that are free."""
    with contextlib.ExitStack() as held:
        probes = {name: held.enter_context(socket.socket()) for name in PORTS}
        for probe in probes.values():
            probe.bind(("127.0.0.1", 0))
        ports = {name: str(probe.getsockname()[1]) for name, probe in probes.items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCALAWS_"))}
    return inherited | ports | {"BATON_REGISTRIES": str(tmp_path / "registries.json")}


def test_a_fresh_stack_scores_a_batch(surroundings):
    docker = engine.require()
    compose = Compose.find(docker, f"baton-readme-{os.getpid()}", {})
    text = (ROOT / "images/README.md").read_text()
    block = re.search(r"From nothing to a scored batch:\n\n```sh\n(.*?)```", text, re.DOTALL)[1]
    assert "docker compose up --wait" in block and "docker compose down --volumes" in block
    # The plug-in may be missing; the same program stands in for it, with a project of this test's own.
    program = " ".join((*compose.command, "-p", compose.name, "-f", str(ROOT / "docker-compose.yml")))
    script = block.replace("docker compose", program).replace(":4566", f":{surroundings['PORT']}")
    environment = surroundings | docker.environment | dict(compose.variables)
    try:
        done = subprocess.run(
            ["sh", "-eu", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1500
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert re.search(r"clean-\w+ .*scored +1 +48", done.stdout)
    finally:
        subprocess.run([*program.split(), "down", "--volumes"], cwd=ROOT, env=environment, capture_output=True)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"REGISTRY_DEV_PORT": "1"}, "No registry answers on 127.0.0.1:1; `docker compose up --wait` starts it"),
        ({"REGISTRY_DEV_PORT": "none"}, "No registry answers on 127.0.0.1:none"),
    ],
)
def test_a_registry_that_does_not_answer_is_named(surroundings, more, words):
    done = subprocess.run(
        [".venv/bin/python", "-m", "images", "registries", "compose"],
        cwd=ROOT, env=surroundings | more, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr.startswith(words), done.stderr
