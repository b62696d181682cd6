import pytest

from localaws.definition import InvalidDefinition, Unresolvable, evaluate


class Scope:
    """What conditions see: a parameter, and a step with a property file."""

    parameters = {"Seven": 7, "Text": "b", "True": True}  # noqa: RUF012
    execution = {}  # noqa: RUF012

    def properties(self, step):
        return {"Outcome": "True"}

    def property_file(self, step, file):
        return {"metrics": [{"auc": 0.9}], "drift": True}

    def json_object(self, uri):
        return {"uri": uri}


SEVEN = {"Get": "Parameters.Seven"}
AUC = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Process.PropertyFiles.File"}, "Path": "metrics[0].auc"}}


def compare(kind, left, right):
    return {"Type": kind, "LeftValue": left, "RightValue": right}


TRUE, FALSE = compare("Equals", 1, 1), compare("Equals", 1, 2)
HOLD = [
    TRUE,
    compare("Equals", "a", "a"),
    compare("Equals", 1, 1.0),
    compare("Equals", True, True),
    compare("Equals", SEVEN, 7),
    compare("Equals", {"Get": "Parameters.True"}, True),
    compare("Equals", {"Std:Join": {"On": "-", "Values": [SEVEN, "x"]}}, "7-x"),
    compare("NotEquals", 1, 2),
    compare("GreaterThan", 2, 1),
    compare("GreaterThan", AUC, 0.89),
    compare("GreaterThanOrEqualTo", AUC, 0.9),
    compare("LessThan", 1, 1.5),
    compare("LessThanOrEqualTo", SEVEN, SEVEN),
    compare("LessThan", "a", {"Get": "Parameters.Text"}),
    {"Type": "In", "QueryValue": SEVEN, "Values": [1, 7]},
    {"Type": "In", "Value": "a", "In": ["a"]},
    {"Type": "NotIn", "QueryValue": "a", "Values": ["b", {"Get": "Parameters.Text"}]},
    {"Type": "Not", "Condition": FALSE},
    {"Type": "And", "Conditions": [TRUE, TRUE]},
    {"Type": "Or", "Conditions": [FALSE, TRUE]},
    {"Type": "Or", "Conditions": [FALSE, {"Type": "And", "Conditions": [TRUE, {"Type": "Not", "Condition": FALSE}]}]},
]
FAIL = [
    FALSE,
    compare("Equals", "a", "A"),
    compare("Equals", "1", 1),
    compare("Equals", True, 1),
    compare("Equals", "true", True),
    compare("NotEquals", 1, 1),
    compare("GreaterThan", 1, 1),
    compare("GreaterThanOrEqualTo", 1, 1.01),
    compare("LessThan", 1, 1),
    compare("LessThanOrEqualTo", 2, 1),
    {"Type": "In", "QueryValue": True, "Values": [1, "True"]},
    {"Type": "NotIn", "QueryValue": "a", "Values": ["a"]},
    {"Type": "Not", "Condition": TRUE},
    {"Type": "And", "Conditions": [TRUE, FALSE]},
    {"Type": "Or", "Conditions": [FALSE, FALSE]},
]


@pytest.mark.parametrize("condition", HOLD, ids=str)
def test_holds(condition):
    assert evaluate(condition, Scope()) is True


@pytest.mark.parametrize("condition", FAIL, ids=str)
def test_doesnt_hold(condition):
    assert evaluate(condition, Scope()) is False


def test_what_follows_isnt_looked_at_once_it_is_decided():
    missing = compare("Equals", {"Get": "Parameters.None"}, 1)
    assert evaluate({"Type": "And", "Conditions": [FALSE, missing]}, Scope()) is False
    assert evaluate({"Type": "Or", "Conditions": [TRUE, missing]}, Scope()) is True


@pytest.mark.parametrize(
    ("left", "right", "sentence"),
    [
        (1, "1", "GreaterThan can't compare a number with a text"),
        (True, 1, "GreaterThan can't compare a boolean with a number"),
        ({"Get": "Parameters.None"}, 1, "Parameters.None has no value in this execution"),
    ],
)
def test_what_cant_be_compared_is_told(left, right, sentence):
    with pytest.raises(Unresolvable, match=sentence):
        evaluate(compare("GreaterThan", left, right), Scope())


@pytest.mark.parametrize("kind", ["In", "Not", "And", "Or"])
def test_the_conditions_that_hold_here_are_right_in_a_definition_too(read, condition, processing, kind):
    steps = [item for item in HOLD if item["Type"] == kind]
    parameters = [
        {"Name": "Seven", "Type": "Integer", "DefaultValue": 7},
        {"Name": "Text", "Type": "String", "DefaultValue": "b"},
    ]
    assert read(condition(conditions=steps), Parameters=parameters).steps["Gate"].conditions == steps


WRONG = [
    ("x", "", "a condition is an object with a Type"),
    ({}, ".Type", "must be one of Equals, NotEquals, GreaterThan"),
    ({"Type": "Like"}, ".Type", "must be one of Equals, NotEquals, GreaterThan"),
    ({"Type": ["Equals"]}, ".Type", "must be one of Equals, NotEquals, GreaterThan"),
    ({"Type": "Equals", "LeftValue": 1}, "", "RightValue is missing"),
    (compare("Equals", 1, 1) | {"On": 1}, ".On", "is unknown in a condition of type Equals"),
    (compare("Equals", None, 1), ".LeftValue", "must be a text, a number, a boolean or a reference"),
    (compare("Equals", {"a": 1}, 1), ".LeftValue", "must be a text, a number, a boolean or a reference"),
    ({"Type": "In", "QueryValue": 1}, "", "Values is missing"),
    ({"Type": "In", "QueryValue": 1, "Values": []}, ".Values", "must be a list that isn't empty"),
    ({"Type": "In", "QueryValue": 1, "Values": [1, []]}, ".Values[1]", "must be a text, a number, a boolean or a ref"),
    ({"Type": "And", "Conditions": TRUE}, ".Conditions", "must be a list that isn't empty"),
    ({"Type": "Or", "Conditions": [TRUE, {"Type": "No"}]}, ".Conditions[1].Type", "must be one of Equals"),
    ({"Type": "Not", "Condition": {"Type": "In"}}, ".Condition", "QueryValue is missing"),
]


@pytest.mark.parametrize(("wrong", "path", "sentence"), WRONG)
def test_a_condition_that_isnt_right_is_refused_with_its_path(read, condition, wrong, path, sentence):
    with pytest.raises(InvalidDefinition) as caught:
        read(condition(conditions=[TRUE, wrong]))
    assert caught.value.path == f"Steps.Gate.Arguments.Conditions[1]{path}"
    assert caught.value.message.startswith(sentence)
