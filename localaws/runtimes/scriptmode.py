"""Brings the stand-in for SageMaker's script mode toolkits into a container's /opt/ml."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from localaws.runtimes.base import ML, Container

PROGRAM = Path(__file__).with_name("toolkit.py")
BESIDE = ("toolkit_rows.py", "toolkit_xgboost.py", "sagemaker_xgboost_container/__init__.py",
          "sagemaker_xgboost_container/encoder.py")  # fmt: skip
IMAGE = "LOCALAWS_IMAGE"
"""The variable that tells the toolkit which image it stands for."""

_LACKING = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")


def install(root: Path) -> str:
    """Copy the toolkit's program below a container's /opt/ml; return its path as the container sees it."""
    folder = root / "toolkit"
    folder.mkdir(parents=True, exist_ok=True)
    for name in (PROGRAM.name, *BESIDE):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(PROGRAM.parent / name, folder / name)
    return f"{ML}/toolkit/{PROGRAM.name}"


def log(container: Container) -> Callable[[str], None]:
    """Return what takes the lines of a stand-in, and says of a module that it lacks that the image may have it."""

    def line(text: str) -> None:
        container.log(text)
        if found := _LACKING.match(text):
            container.log(f"localaws: the stand-in for {container.image} lacks module {found[1]}.")

    return line
