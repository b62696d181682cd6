"""LocalStack's own code, from PyPI, as a process in front of which localaws stands in every test of this folder."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.localstack import install

START_SECONDS = 180


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    """The address of a LocalStack that holds nothing yet."""
    folder = tmp_path_factory.mktemp("localstack")
    if (python := install.python()) is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(install.NO_PYTHON)
    install.install(python)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listens = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCALAWS_"))}
    environment |= {
        "TMPDIR": str(folder),
        "GATEWAY_LISTEN": listens,
        "LOCALSTACK_HOST": listens,
        "PERSISTENCE": "0",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "FILESYSTEM_ROOT": str(folder / "root"),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [install.ENVIRONMENT / "bin/python", "-m", "localstack.runtime.main"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(process, f"http://{listens}/_localstack/health", folder / "log")
        yield f"http://{listens}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert json.load(answer)["version"] == "4.14.0"
                return
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


@pytest.fixture(scope="module", autouse=True)
def behind(emulator):
    """Every localaws that a test here starts has LocalStack behind it."""
    os.environ["LOCALAWS_EMULATOR"] = emulator
    yield
    del os.environ["LOCALAWS_EMULATOR"]
