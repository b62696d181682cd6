"""What the tests of the images share: a Docker engine, and the images built on it."""

import os

import pytest

from images import engine, layers
from images.build import Builder
from images.engine import Engine, NotBuilt
from pipeline import settings


def unavailable(why: str) -> None:
    """A test that can't run here: a failure in CI, where everything must run, and elsewhere a skip."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def docker() -> Engine:
    """The Docker engine of this machine."""
    try:
        return engine.require()
    except NotBuilt as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def builder(docker: Engine) -> Builder:
    """Builds on the base images that the settings name."""
    try:
        return Builder.of_settings(docker)
    except NotBuilt as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def project() -> str:
    """The name in front of every image's."""
    return settings.load("dev").project


@pytest.fixture(scope="session")
def built(builder: Builder, project: str) -> dict[str, str]:
    """The image of every step, by the step's name."""
    return {step: builder.step(step, f"{project}/{step}") for step in layers.steps()}
