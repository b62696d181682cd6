"""How long `python -m images build` takes in a checkout of its own: cold, warm, after one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from images.engine import NotBuilt
from images.layers import ROOT

CHANGED = "steps/train/boosting.py"


def measure(checkout: Path) -> dict[str, float]:
    """Return seconds: everything anew, everything unchanged, and one or all images after one line of one step."""
    for name in _tracked():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    (checkout / ".tools").symlink_to(ROOT / ".tools")
    found = {"cold": _build(checkout, "--no-cache"), "warm": _build(checkout)}
    for name, steps in (("one line of train, its image", ("train",)), ("one line of train, all images", ())):
        with (checkout / CHANGED).open("a") as file:
            file.write(f"# {name}\n")
        found[name] = _build(checkout, *steps)
    return found


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _build(checkout: Path, *arguments: str) -> float:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "images", "build", *arguments], cwd=checkout, capture_output=True)
    if done.returncode:
        raise NotBuilt(done.stderr.decode().strip())
    return time.perf_counter() - began
