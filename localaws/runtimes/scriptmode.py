"""Brings the stand-in for SageMaker's script mode toolkits into a container's /opt/ml."""

from __future__ import annotations

import shutil
from pathlib import Path

from localaws.runtimes.base import ML

PROGRAM = Path(__file__).with_name("toolkit.py")


def install(root: Path) -> str:
    """Copy the toolkit's program below a container's /opt/ml; return its path as the container sees it."""
    folder = root / "toolkit"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROGRAM, folder / PROGRAM.name)
    return f"{ML}/toolkit/{PROGRAM.name}"
