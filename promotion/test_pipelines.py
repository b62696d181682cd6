"""A release that lacks a pipeline of another release takes it away: an environment runs one release."""

import dataclasses
import io
import zipfile

import pytest

from functions.conftest import localaws, world  # noqa: F401 - fixtures
from functions.conftest_world import fail
from pipeline import account as credentials
from pipeline import settings
from pipeline.names import STEPS
from promotion import running
from promotion.accounts import Account
from promotion.errors import DeployFailed
from promotion.manifest import Manifest, digest
from promotion.parts import Function, NoPipeline

EARLIER = Manifest("0.9", "abc", True, {step: digest(step.encode()) for step in STEPS})
"""A release of no pipeline at all."""


@pytest.fixture
def prod(world):  # noqa: F811
    """Prod with a pipeline that another release has deployed."""
    chosen = dataclasses.replace(settings.load("prod", local=True), project=world.context.project)
    world.pipeline("quality", fail("Drift", "It is worse."))
    return Account(chosen, credentials.session(chosen, local=True))


def test_a_pipeline_that_a_release_lacks_goes_and_the_plan_says_so(prod):
    gone = NoPipeline(prod, "quality")
    assert list(gone.changes({})) == [f"pipeline {prod.names.name('quality')}: gone"]
    gone.put({})
    assert list(gone.changes({})) == []
    gone.put({})
    assert running.read(prod, "quality") is None


def test_a_pipeline_that_is_left_is_named(prod):
    name = prod.names.name("quality")
    with pytest.raises(DeployFailed, match=rf"^{name} is in prod, and release 0\.9 has none\.$"):
        running.demand(prod, EARLIER, settings.FOLDER)
    NoPipeline(prod, "quality").put({})
    running.demand(prod, EARLIER, settings.FOLDER)


def test_a_function_that_was_rolled_back_changes_no_more(world, prod):  # noqa: F811
    world.role("resolve")
    first, bad, second = (Function(prod, "resolve", archive(text)) for text in ("first", "bad", "second"))
    for function in (first, second, bad):
        function.put()
    assert second.put() == "2"
    assert list(second.changes()) == []
    assert list(bad.changes()) != list(first.changes()) != []
    assert first.put() == "1"
    assert list(first.changes()) == []


def archive(text: str) -> bytes:
    """A function's code."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as written:
        written.writestr("code.py", f"# {text}")
    return content.getvalue()
