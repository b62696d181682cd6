"""Which packages of the lock lie in which layer.

Packages that the same steps need form one layer. The layers of an image lie in the order of how many steps
share them, so the widest stand lowest and a registry and an engine keep each of them once. A step that gets
a new dependency, or a new step, needs no change here.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from images.engine import NotBuilt

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".tools/bin/uv"


@dataclass(frozen=True)
class Layer:
    """Packages that exactly these steps need, as pip requirements with hashes."""

    name: str
    steps: frozenset[str]
    requirements: str


def steps() -> list[str]:
    """Every folder below steps/ that is an image."""
    return sorted(file.parent.name for file in (ROOT / "steps").glob("*/Dockerfile"))


def of(step: str) -> list[Layer]:
    """The step's layers, lowest first."""
    needed = {name: _locked(f"baton-{name}") for name in steps()}
    groups: dict[frozenset[str], list[str]] = {}
    for package in sorted(needed[step]):
        users = frozenset(name for name, packages in needed.items() if package in packages)
        groups.setdefault(users, []).append(package)
    return [
        Layer(_name(packages, step), users, "".join(needed[step][package] for package in packages))
        for users, packages in sorted(groups.items(), key=lambda group: (-len(group[0]), sorted(group[0])))
    ]


def of_localaws() -> list[Layer]:
    """The one layer of localaws' own image, which shares no package with the steps."""
    return [Layer("localaws", frozenset({"localaws"}), "".join(_locked("localaws", "--all-extras").values()))]


def _locked(project: str, *options: str) -> dict[str, str]:
    """What the lock gives a project: each package's name, and its requirement lines with hashes."""
    plain = ["--quiet", "--no-header", "--no-annotate"]
    exported = subprocess.run(
        [UV, "export", *plain, "--frozen", "--no-dev", "--no-emit-workspace", "--package", project, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if exported.returncode:
        raise NotBuilt(f"uv.lock has no dependency set for {project}: {exported.stderr.strip().splitlines()[-1]}")
    requirements = re.split(r"(?m)^(?=\S)", exported.stdout)
    return {text.split("==")[0]: text for text in requirements if text}


def _name(packages: list[str], step: str) -> str:
    """The first of the layer's packages that the step itself asks for, else simply the first."""
    with (ROOT / "steps" / step / "pyproject.toml").open("rb") as file:
        asked = [re.split(r"[^\w.-]", text)[0] for text in tomllib.load(file)["project"]["dependencies"]]
    return next((name for name in asked if name in packages), packages[0])
