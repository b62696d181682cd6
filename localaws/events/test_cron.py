import datetime

import pytest

from localaws.events import cron


def at(text: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


def fired(expression: str, after: str, until: str, created: str = "2026-01-01T00:00") -> list[str]:
    found = cron.firings(expression, at(created), at(after), at(until))
    return [datetime.datetime.fromtimestamp(t, datetime.UTC).strftime("%m-%d %H:%M") for t in found]


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("cron(0 6 * * ? *)", ["03-01 06:00", "03-02 06:00"]),
        ("cron(15 12 ? * MON *)", ["03-02 12:15"]),
        ("cron(0/30 5-6 1 * ? 2026)", ["03-01 05:00", "03-01 05:30", "03-01 06:00", "03-01 06:30"]),
        ("cron(0 0 ? * 2#1 *)", ["03-02 00:00"]),
        ("cron(0 8 ? MAR SUN,MON *)", ["03-01 08:00", "03-02 08:00"]),
        ("cron(0 8 1W * ? *)", ["03-02 08:00"]),
        ("cron(0 8 * * ? 2027)", []),
    ],
)
def test_cron_fires_at_its_minutes(expression, times):
    # 2026-03-01 is a Sunday.
    assert fired(expression, "2026-02-28T23:59", "2026-03-02T23:59") == times


def test_the_last_day_and_the_last_friday_of_a_month():
    assert fired("cron(0 0 L * ? *)", "2026-02-01T00:00", "2026-03-31T12:00") == ["02-28 00:00", "03-31 00:00"]
    assert fired("cron(0 0 ? * 6L *)", "2026-02-01T00:00", "2026-03-31T12:00") == ["02-27 00:00", "03-27 00:00"]


def test_a_rate_counts_from_when_its_rule_was_made():
    times = fired("rate(6 hours)", "2026-01-01T00:00", "2026-01-01T12:30", created="2026-01-01T00:10")
    assert times == ["01-01 06:10", "01-01 12:10"]


def test_nothing_fires_twice_over_adjoining_spans():
    first = fired("rate(5 minutes)", "2026-01-01T00:00", "2026-01-01T00:10")
    second = fired("rate(5 minutes)", "2026-01-01T00:10", "2026-01-01T00:20")
    assert first + second == ["01-01 00:05", "01-01 00:10", "01-01 00:15", "01-01 00:20"]


@pytest.mark.parametrize(
    "wrong", ["every day", "rate(5)", "cron(0 6 * * *)", "cron(0 6 * * * *)", "cron(61 6 * * ? *)"]
)
def test_what_is_no_schedule_is_refused(wrong):
    with pytest.raises(ValueError):
        list(cron.firings(wrong, 0, 0, 3600))
