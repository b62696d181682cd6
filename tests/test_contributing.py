"""What CONTRIBUTING.md tells people to run is there."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`(?:\w+=\S+ )?make (\w+)`", TEXT))))
def test_every_target_it_names_is_one(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_environment_it_names_is_one():
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    named = set(re.findall(r"-e (\w+)", TEXT))
    assert named
    assert named <= set(re.split(r",\s*", tox["tox"]["env_list"]))


def test_every_file_it_names_is_there():
    for name in re.findall(r"\]\(([^)]+)\)|`([\w/.]+\.(?:py|lock))`|`(\w+/)`", TEXT):
        assert (ROOT / next(part for part in name if part)).exists()
