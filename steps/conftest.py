"""What the tests of every step may ask for."""

from pathlib import Path
from typing import Any

import pytest

from steps.common import paths
from steps.common.test_job import ROOT, Job


@pytest.fixture
def job(tmp_path: Path, monkeypatch: Any) -> Job:
    """A job whose root is also this process's."""
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path / "ml"))
    return Job(tmp_path / "ml")


@pytest.fixture(scope="session")
def published() -> list[str]:
    """The lines of the published table, the label last."""
    return (ROOT / "data" / "mammographic_masses.data").read_text().splitlines()
