"""A localaws for a rehearsal: started with this checkout's steps, stopped with whatever started it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "steps" / "images.json"
REGISTRIES = ROOT / ".baton" / "registries.json"
SILENT = ("PYTHONDONTWRITEBYTECODE", "AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""Variables of a person's shell that lead elsewhere than to these accounts, or slow their steps down."""


class CannotStart(Exception):
    """localaws can't be started; the message is its own sentence."""


def arguments(state: Path, port: int, runtime: str) -> list[str]:
    """Return the command line that serves this checkout's steps."""
    found = ["--state", str(state), "--port", str(port), "--runtime", runtime, "--images", str(IMAGES)]
    return found + (["--registries", str(REGISTRIES)] if runtime == "docker" else [])


def environment() -> dict[str, str]:
    """Return this process's environment without what localaws has no use for."""
    return {name: value for name, value in os.environ.items() if name not in SILENT}


@contextlib.contextmanager
def serving(state: Path, port: int = 0, runtime: str = "process") -> Iterator[str]:
    """Run a localaws; give its address. It ends with this block, and also when this process is killed.

    Raises:
        CannotStart: the port or the state folder can't be used.
    """
    state.mkdir(parents=True, exist_ok=True)
    log = state / "localaws.log"
    with log.open("ab") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", "localaws", "serve", *arguments(state, port, runtime), "--until-closed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
            env=environment(),
            start_new_session=True,
        )
    try:
        assert server.stdin is not None and server.stdout is not None
        line = server.stdout.readline().decode()
        if not line:
            server.wait()
            raise CannotStart(log.read_text(errors="replace").strip().splitlines()[-1])
        # Nobody reads what it prints later, and a full pipe would hold it up.
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield line.split()[-1]
    finally:
        server.stdin.close()
        server.wait()
