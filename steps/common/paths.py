"""Where SageMaker puts a container's files, and where they are on this machine."""

import json
import os
from pathlib import Path

CONTAINER_ROOT = "/opt/ml"
ROOT_VARIABLE = "SAGEMAKER_BASE_DIR"
"""Moves /opt/ml, as it does for SageMaker's own training toolkit: a step then runs without Docker."""


def root() -> Path:
    """Return the folder that stands for /opt/ml."""
    return Path(os.environ.get(ROOT_VARIABLE) or CONTAINER_ROOT)


def local(path: str) -> Path:
    """Return where a container's path lies on this machine; only paths below /opt/ml move."""
    if path == CONTAINER_ROOT or path.startswith(CONTAINER_ROOT + "/"):
        return root() / path[len(CONTAINER_ROOT) :].lstrip("/")
    return Path(path)


def processing_input(name: str) -> Path:
    """Return the folder of a processing job's input."""
    return root() / "processing" / "input" / name


def processing_output(name: str) -> Path:
    """Return the folder of a processing job's output."""
    return root() / "processing" / "output" / name


def files_below(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted by path; hidden ones (`.`, `_`) and empty folders don't count."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )


def hosts() -> tuple[str, list[str]]:
    """Return this host's name and the names of all hosts of the job, as resourceconfig.json gives them."""
    for folder in ("config", "input/config"):
        config = root() / folder / "resourceconfig.json"
        if config.exists():
            content = json.loads(config.read_text())
            return content["current_host"], list(content["hosts"])
    return "algo-1", ["algo-1"]
