"""Definitions take the names that functions look for from one module."""

import json
import re

import pytest

from functions.common import contract
from pipeline.execution import DEFINITIONS, render
from pipeline.release import Release
from pipeline.settings import load

NAMES = sorted(name for name in vars(contract) if name.isupper())
USED = {"inference": set(NAMES) - {"QUALITY", "LABELS"}, "quality": set(NAMES) - {"MONITOR", "BATCH_ID"}}
"""Which names each definition has; the train pipeline's Resolve is another step."""


@pytest.mark.parametrize(("pipeline", "name"), [(p, name) for p, names in USED.items() for name in sorted(names)])
def test_a_renamed_name_is_renamed_throughout_a_definition(pipeline, name, monkeypatch):
    before = getattr(contract, name)
    monkeypatch.setattr(contract, name, "Renamed")
    definition = json.dumps(render(load("prod"), pipeline, Release()).render())
    assert "Renamed" in definition
    reference = rf"Steps\.{re.escape(before)}\.|Output(Parameter)?s\['{re.escape(before)}'\]"
    assert not re.search(reference, definition)
    assert f'Name": "{before}"' not in definition


def test_there_are_pipelines_and_names():
    assert set(USED) < set(DEFINITIONS) and len(NAMES) >= 9
