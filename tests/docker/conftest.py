"""Fixtures of the tests that run real containers."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from images.fixtures import builder, built, docker, project
from localaws.contract import Image, ImageMap
from localaws.runtimes.base import Container, Handle
from tests.docker.steps import Step, fill_training

__all__ = ["builder", "built", "docker", "project"]

URI = "111111111111.dkr.ecr.us-east-1.amazonaws.com/test@sha256:" + "0" * 64
ALGO_1 = ("algo-1",)


@dataclass
class Jobs:
    """Starts containers in a runtime as jobs do, and keeps what they print; `python` are lines of a program."""

    runtime: object
    folder: Path
    log: list[str] = field(default_factory=list)
    handles: list[Handle] = field(default_factory=list)

    def root(self, host: str = "algo-1") -> Path:
        """The folder that is the host's /opt/ml."""
        return self.folder / "job" / host

    def start(
        self, python: str | None = None, host: str = "algo-1", hosts: tuple[str, ...] = ALGO_1, **given
    ) -> Handle:
        if python is not None:
            given["entrypoint"] = ("python3", "-u", "-c", python)
        container = Container(
            account="111111111111",
            job="job",
            host=host,
            hosts=hosts,
            root=self.root(host),
            log=self.log.append,
            **{"image": URI, "instance_type": "ml.t3.medium"} | given,
        )
        self.handles.append(self.runtime.start(container))
        return self.handles[-1]

    def run(self, python: str | None = None, **given) -> int:
        """Start a container, wait for its end, and return its exit code."""
        handle = self.start(python, **given)
        code = handle.wait()
        handle.remove()
        return code

    def printed(self) -> list[str]:
        """What containers printed, without what localaws says."""
        return [line for line in self.log if not line.startswith("localaws: ")]

    def report(self) -> dict:
        """What a container printed as one line of JSON."""
        return json.loads(next(line for line in self.printed() if line.startswith("{")))


@pytest.fixture
def runtime(docker, builder, tmp_path):
    """A docker runtime in which every image is the base image."""
    from localaws.runtimes.docker import DockerRuntime

    return DockerRuntime(ImageMap((Image("*", tmp_path, image=builder.base_image),)), None, tmp_path / "state")


@pytest.fixture
def jobs(runtime, tmp_path):
    """Starts containers; none outlives the test."""
    made = Jobs(runtime, tmp_path)
    yield made
    for handle in made.handles:
        handle.remove()


@pytest.fixture
def step(docker, builder, project, tmp_path):
    """Gives a step's image, built now, with a folder of its own."""

    def of(name: str) -> Step:
        return Step(docker, builder.step(name, f"{project}/{name}"), tmp_path / name)

    return of


@pytest.fixture(scope="session")
def model(docker, builder, project, tmp_path_factory) -> Path:
    """The folder of a model that the train image trained."""
    trained = Step(docker, builder.step("train", f"{project}/train"), tmp_path_factory.mktemp("trained"))
    fill_training(trained)
    assert trained.run("train").code == 0
    return trained.root / "model"
