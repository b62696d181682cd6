"""Settings of the three environments, a release, and the local accounts that the functions' tests use too."""

import itertools
import json
import shutil

import pytest

from functions.conftest import local, localaws  # noqa: F401 - fixtures
from functions.conftest_world import World
from pipeline import account, settings
from pipeline.__main__ import main
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


@pytest.fixture
def run(capsys):
    """Run a command; return (exit code, lines on standard output, text on standard error)."""

    def run(*arguments):
        code = main(list(map(str, arguments)))
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return run


_projects = itertools.count(1)


@pytest.fixture
def world(localaws, monkeypatch, tmp_path):  # noqa: F811
    """The accounts of a project of this test's own, which the settings name."""
    folder = shutil.copytree(settings.FOLDER, tmp_path / "environments")
    file = folder / "shared.tfvars.json"
    project = f"pipelines{next(_projects)}"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"project": project}))
    monkeypatch.setattr(settings, "FOLDER", folder)
    monkeypatch.setenv("AWS_ENDPOINT_URL", localaws)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    here = World(account.context_of(settings.load("prod")), localaws)
    here.role("pipeline", "pipeline")
    yield here
    here.close()
