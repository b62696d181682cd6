"""Definitions with one thing changed at random: read or refused, and nothing else."""

import copy
import json
import os
import random

import pytest

from localaws.definition import InvalidDefinition, parse

ROUNDS = int(os.environ.get("DEFINITIONS", "1000"))
"""Changed definitions of each seed; a soak asks for more."""

ODD = [
    None, True, False, 0, -1, 1.5, 10**400, "", "x" * 3000, "Steps.Process.ExitMessage", "\ud800", [], [[]], {}, [None],
    {"Get": None}, {"Get": "Steps"}, {"Get": "Steps."}, {"Get": "Steps.Process.PropertyFiles.File"}, {"Get": ""},
    {"Std:Join": None}, {"Std:Join": {"Values": [{"Get": "Parameters.P"}]}}, 
    {"Std:JsonGet": {"Path": "a", "S3Uri": []}},
    {"Std:JsonGet": {"PropertyFile": {"Get": "Parameters.P"}, "Path": "a"}}, {"Type": []}, [{"Type": "And"}], {"": {}},
]  # fmt: skip


@pytest.fixture
def document(processing, function, condition, fail):
    """One of everything."""
    auc = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Process.PropertyFiles.File"}, "Path": "a[0].b"}}
    step = processing(
        DependsOn=["Call"],
        CacheConfig={"Enabled": True, "ExpireAfter": "P30D"},
        RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 3}],
    )
    conditions = [
        {"Type": "Or", "Conditions": [{"Type": "GreaterThan", "LeftValue": auc, "RightValue": 0.5}]},
        {"Type": "In", "QueryValue": {"Get": "Parameters.P"}, "Values": ["a"]},
        {"Type": "Not", "Condition": {"Type": "Equals", "LeftValue": 1, "RightValue": 2}},
    ]
    stop = fail(message={"Std:Join": {"On": " ", "Values": ["x", {"Get": "Steps.Call.OutputParameters.Answer"}]}})
    return {
        "Version": "2020-12-01",
        "Metadata": {"a": 1},
        "Parameters": [{"Name": "P", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]}],
        "PipelineExperimentConfig": {"ExperimentName": {"Get": "Execution.PipelineName"}, "TrialName": "t"},
        "Steps": [step, condition(conditions=conditions, then=[stop]), function()],
    }


def places(value, path=()):
    """Every place within a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed(document, chance):
    document = copy.deepcopy(document)
    *path, last = chance.choice([place for place in places(document) if place])
    parent = document
    for key in path:
        parent = parent[key]
    change = chance.randrange(3)
    if change == 0:
        del parent[last]
    elif change == 1 and isinstance(parent, dict):
        parent[chance.choice(["Type", "Get", "Name", "Extra", "Std:Join", "Arguments"])] = chance.choice(ODD)
    else:
        parent[last] = chance.choice(ODD)
    return document


@pytest.mark.parametrize("seed", range(3))
def test_a_changed_definition_is_read_or_refused(document, seed):
    parse(json.dumps(document))
    chance, refused = random.Random(seed), 0
    for _ in range(ROUNDS):
        text = json.dumps(changed(document, chance))
        try:
            definition = parse(text)
            definition.dependencies()
        except InvalidDefinition as error:
            refused += 1
            assert str(error) and "Traceback" not in str(error)
    assert 0 < refused < ROUNDS


@pytest.mark.parametrize("depth", [10, 100, 300, 900, 5000])
def test_depth_is_read_or_refused(document, depth):
    nested = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
    text = json.dumps(document)
    inner = '{"Type": "Not", "Condition": ' * depth + json.dumps(nested) + "}" * depth
    document["Steps"][1]["Arguments"]["Conditions"] = ["HERE"]
    text = json.dumps(document).replace('"HERE"', inner)
    try:
        parse(text)
    except InvalidDefinition as error:
        assert "nested too deeply" in str(error)
