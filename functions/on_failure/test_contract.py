"""A renamed step or output is renamed for definitions and functions alike: drift stays drift."""

import pytest

from functions.common import contract
from functions.conftest_world import invocation
from functions.on_failure import test_handler, test_quality
from functions.on_failure.handler import handle
from functions.on_failure.test_handler import drifted, event

ready = test_handler.ready
NAMES = sorted(name for name in vars(contract) if name.isupper() and name != "VERDICT_FILE")
"""What a definition names; the file is what the monitor step calls it, and policies name it too."""


@pytest.fixture
def renamed(monkeypatch):
    """Every name of the contract is another."""
    for name in NAMES:
        monkeypatch.setattr(contract, name, f"Other{getattr(contract, name)}")


def test_a_batch_that_drifts_begins_a_retraining_under_other_names(renamed, request):
    world = request.getfixturevalue("ready")
    done = handle(event(world, drifted(world)), invocation())
    assert done["outcome"] == "retraining" and "shifted-0123456789ab" in done["message"]


def test_a_model_that_is_worse_begins_a_retraining_under_other_names(renamed, request):
    world = request.getfixturevalue("ready")
    done = handle(event(world, test_quality.worse(world)), invocation())
    assert done["outcome"] == "retraining" and test_quality.SENTENCE in done["message"]
