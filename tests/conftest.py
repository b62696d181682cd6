"""Three local accounts for what crosses folders: whatever AWS_ENDPOINT_URL names, else a localaws of the test's own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal import local
from rehearsal.life import Life

RUNTIME = os.environ.get("BATON_RUNTIME", "process")


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    """The state folder of the localaws of a module's own."""
    return tmp_path_factory.mktemp("localaws")


@pytest.fixture(scope="module")
def address(state) -> Iterator[str]:
    """Where the local accounts answer; empty ones, unless AWS_ENDPOINT_URL was set."""
    given = os.environ.get("AWS_ENDPOINT_URL")
    if given:
        yield given
        return
    with local.serving(state, runtime=RUNTIME) as own:
        os.environ["AWS_ENDPOINT_URL"] = own
        try:
            yield own
        finally:
            del os.environ["AWS_ENDPOINT_URL"]


@pytest.fixture(scope="module")
def life(address) -> Life:
    """The three accounts with a release in dev and prod; nothing is trained yet."""
    life = Life(address, runtime=RUNTIME)
    life.resources()
    life.build()
    life.promote()
    return life
