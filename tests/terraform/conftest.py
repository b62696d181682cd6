"""Local accounts, and Terraform run in them as `make plan/ENV` runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline import settings
from promotion.accounts import Account
from rehearsal import local, provision
from terraform import cli, errors

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENTS = ("dev", "registry", "prod")


@dataclass
class Done:
    """A command that has ended."""

    code: int
    said: str
    complained: str
    seconds: float


@dataclass
class World:
    """Three local accounts, and a folder for what Terraform keeps between two runs."""

    address: str
    folder: Path
    root: Path = ROOT
    accounts: dict[str, Account] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ENVIRONMENTS:
            self.accounts[name] = provision.local_account(settings.load(name, local=True), self.address)

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment in which the commands run."""
        return (
            {name: value for name, value in os.environ.items() if not name.startswith("AWS_") or "BUNDLE" in name}
            | {
                "AWS_ENDPOINT_URL": self.address,
                "BATON_TERRAFORM": str(self.folder),
                "PYTHONPATH": str(self.root),
                "BUILD_TAG": "tests",
            }
            | more
        )

    def run(self, *arguments: str, **more: str) -> Done:
        """Run `python -m terraform …` to its end."""
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "terraform", *arguments],
            cwd=self.root,
            env=self.environment(**more),
            capture_output=True,
            text=True,
        )
        return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)

    def everywhere(self, *arguments: str, code: int = 0, names: tuple[str, ...] = ENVIRONMENTS) -> dict[str, Done]:
        """Run a command in several accounts at once; each must end with the code."""
        verb, *rest = arguments
        with ThreadPoolExecutor(len(names)) as pool:
            found = dict(zip(names, pool.map(lambda name: self.run(verb, name, *rest), names), strict=True))
        for name, done in found.items():
            assert done.code == code, f"{verb} {name}: {done.code}\n{done.said[-4000:]}\n{done.complained}"
        return found


@pytest.fixture(scope="session")
def _terraform():
    try:
        cli.program()
    except errors.NoTerraform as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def _world(tmp_path_factory, name: str):
    folder = tmp_path_factory.mktemp(name)
    with local.serving(folder / "accounts") as address:
        yield World(address, folder / "terraform")


@pytest.fixture(scope="session")
def world(_terraform, tmp_path_factory):
    """The accounts that Terraform makes."""
    yield from _world(tmp_path_factory, "world")


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """Three more accounts, for what the first must not be touched by."""
    yield from _world(tmp_path_factory, "other")


@pytest.fixture
def checkout(tmp_path):
    """A copy of what a plan reads, to put something wrong in it."""
    target = tmp_path / "checkout"
    left_out = shutil.ignore_patterns("__pycache__", ".terraform")
    code = ("functions", "localaws", "pipeline", "promotion", "steps", "terraform")
    for name in (*code, "environments", "events", "policies"):
        shutil.copytree(ROOT / name, target / name, symlinks=True, ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


@pytest.fixture
def tell(capsys):
    """Print a line that is seen in every run's log."""

    def tell(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return tell
