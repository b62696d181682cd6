"""What CONTRIBUTING.md tells people to run is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`(?:\w+=\S+ )?make (\w+)`", TEXT))))
def test_every_target_it_names_is_one(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_environment_it_names_is_one():
    listed = subprocess.run([sys.executable, "-m", "tox", "list"], cwd=ROOT, capture_output=True, text=True).stdout
    for name in re.findall(r"-e (\w+)", TEXT):
        assert re.search(rf"^{name} +->", listed, re.MULTILINE), name


def test_every_file_it_names_is_there():
    for name in re.findall(r"\]\(([^)]+)\)|`([\w/.]+\.(?:py|lock))`|`(\w+/)`", TEXT):
        assert (ROOT / next(part for part in name if part)).exists()
