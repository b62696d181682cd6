import json

import pytest

from localaws.definition import parse
from localaws.engine.plan import Plan


def fail(name, **more):
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": "x"}, **more}


def step(name, *after, **more):
    function = "arn:aws:lambda:us-east-1:111111111111:function:f"
    return {"Name": name, "Type": "Lambda", "FunctionArn": function, "Arguments": {}, "DependsOn": list(after), **more}


def gate(name, then, otherwise, *after):
    conditions = [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}]
    arguments = {"Conditions": conditions, "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, "DependsOn": list(after)}


def plan(steps, statuses=None, outcomes=None, selected=None):
    definition = parse(json.dumps({"Version": "2020-12-01", "Steps": steps}))
    return Plan(definition, statuses or {}, outcomes or {}, selected)


def done(*names):
    return dict.fromkeys(names, "Succeeded")


DIAMOND = [step("A"), step("B", "A"), step("C", "A"), step("D", "B", "C")]


@pytest.mark.parametrize(
    ("statuses", "ready"),
    [
        ({}, ["A"]),
        ({"A": "Starting"}, []),
        ({"A": "Executing"}, []),
        (done("A"), ["B", "C"]),
        (done("A", "B"), ["C"]),
        (done("A", "B") | {"C": "Executing"}, []),
        (done("A", "B", "C"), ["D"]),
        (done("A", "B", "C", "D"), []),
        ({"A": "Failed"}, []),
        (done("A") | {"B": "Failed"}, []),
        (done("A") | {"B": "Stopped"}, []),
    ],
)
def test_a_step_begins_when_all_that_it_waits_for_succeeded(statuses, ready):
    assert plan(DIAMOND, statuses).ready() == ready


def test_steps_begin_in_the_definition_s_order():
    assert plan([step("Z"), step("A"), step("M")]).ready() == ["Z", "A", "M"]


def test_what_failed_or_was_stopped_ends_it():
    assert plan(DIAMOND, {"A": "Failed"}).failed()
    assert plan(DIAMOND, {"A": "Stopped"}).failed()
    assert not plan(DIAMOND, {"A": "Stopping"}).failed()


def test_what_is_under_way_is_running():
    statuses = {"A": "Starting", "B": "Executing", "C": "Stopping", "D": "Succeeded"}
    assert plan(DIAMOND, statuses).running() == ["A", "B", "C"]


BRANCHES = [
    step("First"),
    gate("Gate", [step("Yes"), step("Then", "Yes")], [fail("No")], "First"),
    step("AfterYes", "Then"),
    step("AfterNo", "No"),
    step("AfterGate", "Gate"),
]


def test_nothing_of_a_branch_begins_before_its_condition():
    assert plan(BRANCHES).ready() == ["First"]
    assert plan(BRANCHES, done("First")).ready() == ["Gate"]
    assert plan(BRANCHES, done("First") | {"Gate": "Executing"}).ready() == []


def test_only_the_taken_branch_runs_and_what_waits_for_the_other_is_skipped():
    after = plan(BRANCHES, done("First", "Gate"), {"Gate": True})
    assert after.ready() == ["Yes"]
    assert after.skipped() == {"No", "AfterNo"}
    otherwise = plan(BRANCHES, done("First", "Gate"), {"Gate": False})
    assert otherwise.ready() == ["No"]
    assert otherwise.skipped() == {"Yes", "Then", "AfterYes"}


def test_what_waits_for_a_condition_waits_for_its_taken_branch():
    statuses = done("First", "Gate", "Yes")
    assert plan(BRANCHES, statuses, {"Gate": True}).ready() == ["Then"]
    assert plan(BRANCHES, statuses | done("Then"), {"Gate": True}).ready() == ["AfterYes", "AfterGate"]


def test_a_branch_without_steps_is_over_at_once():
    empty = [gate("Gate", [], [fail("No")]), step("After", "Gate")]
    assert plan(empty, done("Gate"), {"Gate": True}).ready() == ["After"]


def test_conditions_one_after_the_other_decide_each_for_itself():
    steps = [gate("One", [step("A")], []), gate("Two", [step("B")], [step("C")], "A")]
    assert plan(steps, done("One"), {"One": False}).skipped() == {"A", "B", "C", "Two"}
    assert plan(steps, done("One", "A", "Two"), {"One": True, "Two": False}).ready() == ["C"]


def test_selected_steps_wait_only_for_selected_ones():
    assert plan(DIAMOND, selected={"B", "C", "D"}).ready() == ["B", "C"]
    assert plan(DIAMOND, done("B"), selected={"B", "C", "D"}).ready() == ["C"]
    assert plan(DIAMOND, done("B", "C"), selected={"B", "C", "D"}).ready() == ["D"]
    assert plan(DIAMOND, selected={"D"}).ready() == ["D"]
    assert plan(DIAMOND, done("D"), selected={"D"}).ready() == []


def test_a_selected_condition_runs_of_its_branch_what_is_selected():
    chosen = {"Gate", "Yes", "AfterGate"}
    assert plan(BRANCHES, selected=chosen).ready() == ["Gate"]
    assert plan(BRANCHES, done("Gate"), {"Gate": True}, chosen).ready() == ["Yes"]
    assert plan(BRANCHES, done("Gate", "Yes"), {"Gate": True}, chosen).ready() == ["AfterGate"]
    assert plan(BRANCHES, done("Gate"), {"Gate": False}, chosen).ready() == ["AfterGate"]


def test_a_step_of_a_branch_can_be_selected_without_its_condition():
    assert plan(BRANCHES, selected={"Then"}).ready() == ["Then"]
