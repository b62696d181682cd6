"""Environments of the peers, made on demand below `.baton/bench/monitor`: nothing of them is in the project's lock."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / ".baton" / "bench" / "monitor"
SCRIPTS = Path(__file__).with_name("peers")
PYTHON = "3.11"
"""Of all peers; whylogs has no wheel for newer ones."""

PACKAGES = {
    "scans": ("duckdb==2.0.0", "pandas<4", "polars<2", "pyarrow"),
    "evidently": ("evidently==0.7.23", "pandas<3", "pyarrow"),
    "whylogs": ("whylogs[viz]==1.6.4", "pandas<3", "numpy<2", "pyarrow<21"),
    "pyspark": ("pyspark==4.3.0",),
}


class NoEnvironment(Exception):
    """A peer can't be installed here; the message says why."""


def python(peer: str) -> str:
    """Return the Python of a peer's environment, which is made the first time.

    Raises:
        NoEnvironment: naming what is missing.
    """
    place = FOLDER / "environments" / peer
    found = place / "bin" / "python"
    ready, wanted = place / ".ready", "\n".join(PACKAGES[peer])
    if ready.exists() and ready.read_text() == wanted:
        return str(found)
    uv = ROOT / ".tools/bin/uv"
    program = str(uv) if uv.exists() else shutil.which("uv")
    if not program:
        raise NoEnvironment("uv isn't there: `make setup` brings it.")
    if peer == "pyspark" and not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise NoEnvironment("pyspark needs Java 17 or newer.")
    for command in (
        [program, "venv", "--quiet", "--clear", "--python", PYTHON, str(place)],
        [program, "pip", "install", "--quiet", "--python", str(found), *PACKAGES[peer]],
    ):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            said = ended.stderr.strip().splitlines()
            raise NoEnvironment(f"not installed: {said[-1].strip() if said else command[1]}")
    ready.write_text(wanted)
    return str(found)


def script(name: str) -> str:
    """Return the path of a peer's script."""
    return str(SCRIPTS / f"{name}.py")
