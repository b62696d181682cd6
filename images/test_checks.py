import json

import pytest

from images import checks, layers
from images.engine import NotBuilt
from images.fixtures import unavailable


@pytest.fixture
def tools():
    if not list(checks.TOOLS.glob(checks.SYFT)):
        unavailable("The tools are not installed; `make setup/images` installs them")


def test_every_dockerfile_keeps_the_rules(tools):
    names = {str(file.relative_to(layers.ROOT)) for file in checks.lint()}
    assert {f"steps/{step}/Dockerfile" for step in layers.steps()} < names
    assert "images/packages.Dockerfile" in names


def test_a_broken_rule_is_named_with_its_location(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    (tmp_path / "steps/train").mkdir(parents=True)
    (tmp_path / "steps/train/Dockerfile").write_text("FROM debian\nRUN cd /tmp\n")
    with pytest.raises(NotBuilt, match=r"steps/train/Dockerfile:1 DL3006"):
        checks.lint()


def test_the_list_of_an_image_has_the_locks_and_the_systems_packages(docker, built, project, tools, tmp_path):
    counts = checks.sbom(docker, project, tmp_path)
    assert sorted(counts) == layers.steps()
    parts = json.loads((tmp_path / "train.cdx.json").read_text())["components"]
    assert {"xgboost-cpu", "numpy", "scipy"} <= {part["name"] for part in parts}
    assert {"python3.11", "libstdc++6"} & {part["name"] for part in parts}
    before = (tmp_path / "train.cdx.json").read_bytes()
    checks.sbom(docker, project, tmp_path, ["train"])
    assert (tmp_path / "train.cdx.json").read_bytes() == before


def test_without_a_scanner_nothing_passes(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotBuilt, match=r"^NOT SCANNED: no scanner is installed"):
        checks.scan()


def test_without_a_database_nothing_passes(monkeypatch, tmp_path):
    scanner = tmp_path / "grype"
    scanner.write_text("#!/bin/sh\nexit 1\n")  # What grype's `db status` answers where there is no database.
    scanner.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotBuilt, match=r"^NOT SCANNED: grype has no valid database"):
        checks.scan()
