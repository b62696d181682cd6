from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.common.context import ABANDONED
from functions.on_failure.gate import Facts, Start, begun, decide

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPEN = Facts(
    now=NOW,
    reason="shifted-0123456789ab",
    subject="this batch",
    cause="arn:refused-it",
    enabled=True,
    cooldown=24 * HOUR,
    daily_cap=1,
    running=[],
    last_training=NOW - 25 * HOUR,
    starts=[],
    unseen_files=1,
)
"""Facts that hold nothing back."""


def earlier(age, reason="other-0123456789ab", execution="arn:training", cause="arn:another"):
    return Start(reason, cause, NOW - age, execution)


def test_nothing_holds_it_back():
    assert decide(OPEN).retrain
    assert decide(OPEN).held_by == ()


def test_the_first_training_ever_may_be_a_retraining():
    assert decide(replace(OPEN, last_training=None)).retrain


HOLDS = [
    pytest.param({"enabled": False}, "automatic retraining is switched off", id="kill switch"),
    pytest.param({"running": ["arn:running"]}, "a training runs already (arn:running)", id="a training runs"),
    pytest.param(
        {"last_training": NOW - 23 * HOUR},
        "the cool-down since the last training ends at 2026-03-02 13:00 UTC",
        id="cool-down since an execution",
    ),
    pytest.param(
        {"starts": [earlier(HOUR)], "daily_cap": 2},
        "the cool-down since the last training ends at 2026-03-03 11:00 UTC",
        id="cool-down since a start that no list shows yet",
    ),
    pytest.param(
        {"starts": [earlier(23 * HOUR)], "cooldown": HOUR}, "1 of 1 retrainings a day are used up", id="daily cap"
    ),
    pytest.param({"daily_cap": 0}, "0 of 0 retrainings a day are used up", id="a daily cap of none"),
    pytest.param(
        {"starts": [earlier(48 * HOUR, OPEN.reason)]},
        "this batch was the reason of a retraining before",
        id="batch already a reason",
    ),
    pytest.param(
        {"unseen_files": 0},
        "there is no new file below data/labelled/, and the same rows give the same model",
        id="no unseen files",
    ),
    pytest.param(
        {"learned_by": "version 4 (which waits for approval)"},
        "version 4 (which waits for approval) has learned from exactly the files below data/labelled/",
        id="another version learned from them",
    ),
    pytest.param(
        {"starts": [earlier(HOUR / 60, execution=None)], "cooldown": 0 * HOUR, "daily_cap": 5},
        "a retraining because of other-0123456789ab is being started",
        id="another invocation is starting one",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), HOLDS)
def test_each_condition_holds_it_back_by_name(change, sentence):
    assert decide(replace(OPEN, **change)).held_by == (sentence,)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"last_training": NOW - 24 * HOUR}, id="the cool-down has just passed"),
        pytest.param({"starts": [earlier(24 * HOUR)]}, id="the day of the cap has just passed"),
        pytest.param(
            {"starts": [earlier(ABANDONED, execution=None)], "cooldown": 0 * HOUR, "daily_cap": 2},
            id="what another invocation began and never ended",
        ),
    ],
)
def test_what_has_passed_holds_nothing_back(change):
    assert decide(replace(OPEN, **change)).retrain


def test_every_condition_that_holds_is_reported():
    everything = replace(
        OPEN, enabled=False, running=["arn:running"], last_training=NOW, daily_cap=0, unseen_files=0,
        starts=[earlier(HOUR, OPEN.reason)],
    )  # fmt: skip
    assert len(decide(everything).held_by) == 6


@pytest.mark.parametrize("execution", [None, "arn:its-training"])
def test_a_repeated_invocation_is_not_held_by_its_own_traces(execution):
    own = earlier(HOUR / 60, OPEN.reason, execution, cause=OPEN.cause)
    facts = replace(OPEN, starts=[own], running=["arn:its-training"], last_training=NOW - HOUR / 60, unseen_files=0)
    assert begun(facts) == own
    assert decide(facts).retrain


def test_the_kill_switch_stops_a_start_that_was_only_written_down():
    own = earlier(HOUR / 60, OPEN.reason, None, cause=OPEN.cause)
    assert "automatic retraining is switched off" in decide(replace(OPEN, starts=[own], enabled=False)).held_by
    made = replace(own, execution="arn:its-training")
    assert decide(replace(OPEN, starts=[made], enabled=False)).retrain
