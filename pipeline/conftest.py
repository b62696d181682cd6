"""Settings of the three environments, a release, and the local accounts that the functions' tests use too."""

import json

import pytest

from functions.conftest import emulator, local  # noqa: F401 - fixtures
from pipeline import settings
from pipeline.names import FUNCTIONS, STEPS
from pipeline.release import Release

RELEASE = Release(
    version="1.4.0",
    git_commit="0123456789abcdef0123456789abcdef01234567",
    images={step: "sha256:" + f"{number:064x}" for number, step in enumerate(STEPS, 1)},
    functions={name: str(number) for number, name in enumerate(FUNCTIONS, 7)},
)


@pytest.fixture
def dev():
    return settings.load("dev", local=False)


@pytest.fixture
def prod():
    return settings.load("prod", local=False)


@pytest.fixture
def manifest(tmp_path):
    """A release manifest as a file."""
    file = tmp_path / "release.json"
    content = {
        "version": RELEASE.version,
        "git_commit": RELEASE.git_commit,
        "images": RELEASE.images,
        "functions": RELEASE.functions,
    }
    file.write_text(json.dumps(content))
    return file
