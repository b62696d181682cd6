"""Schedule expressions of EventBridge: rate(5 minutes) and cron(0 6 * * ? *), in UTC.

Source: "Setting a schedule pattern for scheduled rules (legacy) in Amazon EventBridge".
"""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Callable, Iterator

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}

Matches = Callable[[datetime.datetime], bool]


def firings(expression: str, created: float, after: float, until: float) -> Iterator[float]:
    """Give the times (seconds since 1970) after `after` and up to `until` at which a schedule fires.

    A rate counts from when its rule was first seen (`created`). Raises ValueError for what isn't an expression.
    """
    rate = _RATE.fullmatch(expression)
    if rate:
        step = int(rate[1]) * _SECONDS[rate[2]]
        number = max(1, int((after - created) // step) + 1) if step else 0
        while step and created + number * step <= until:
            yield created + number * step
            number += 1
        return
    matches = cron(expression)
    minute = (int(after) // 60 + 1) * 60
    while minute <= until:
        if matches(datetime.datetime.fromtimestamp(minute, datetime.UTC)):
            yield float(minute)
        minute += 60


def cron(expression: str) -> Matches:
    """Return what tells whether a cron expression fires in a minute. Raises ValueError."""
    found = _CRON.fullmatch(expression)
    if not found:
        raise ValueError(f"{expression} is neither rate(…) nor cron(…)")
    minutes, hours, dates, months, days, years = found.groups()
    if (dates == "?") == (days == "?"):
        raise ValueError(f"{expression}: one of day of month and day of week must be ?")
    in_minute, in_hour = _numbers(minutes, 0, 59), _numbers(hours, 0, 23)
    in_month, in_year = _numbers(months, 1, 12, _MONTHS), _numbers(years, 1970, 2199)
    on_day = _date(dates) if days == "?" else _weekday(days)

    def matches(when: datetime.datetime) -> bool:
        return (
            when.minute in in_minute
            and when.hour in in_hour
            and when.month in in_month
            and when.year in in_year
            and on_day(when)
        )

    return matches


def _numbers(text: str, least: int, most: int, names: dict[str, int] | None = None) -> set[int]:
    found: set[int] = set()
    for part in text.upper().split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            low, high = least, most
        else:
            first, _, last = span.partition("-")
            low = _number(first, names)
            high = _number(last, names) if last else most if step else low
        if not least <= low <= most or not least <= high <= most or (step and int(step) < 1):
            raise ValueError(f"{text} isn't within {least} and {most}")
        found |= set(range(low, high + 1, int(step or 1)))
    return found


def _number(text: str, names: dict[str, int] | None) -> int:
    return names[text] if names and text in names else int(text)


def _date(text: str) -> Matches:
    if text.upper() == "L":
        return lambda when: when.day == calendar.monthrange(when.year, when.month)[1]
    if text.upper().endswith("W"):
        wanted = int(text[:-1])
        return lambda when: when.day == _nearest_weekday(when.year, when.month, wanted)
    dates = _numbers(text, 1, 31)
    return lambda when: when.day in dates


def _nearest_weekday(year: int, month: int, day: int) -> int:
    last = calendar.monthrange(year, month)[1]
    day = min(day, last)
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < last else day - 2
    return day


def _weekday(text: str) -> Matches:
    if "#" in text:
        day, _, number = text.upper().partition("#")
        wanted = _number(day, _DAYS)
        return lambda when: _aws_day(when) == wanted and (when.day - 1) // 7 + 1 == int(number)
    if text.upper() == "L":
        return lambda when: _aws_day(when) == _DAYS["SAT"]
    if text.upper().endswith("L"):
        wanted = _number(text[:-1].upper(), _DAYS)
        return lambda when: _aws_day(when) == wanted and when.day + 7 > calendar.monthrange(when.year, when.month)[1]
    days = _numbers(text, 1, 7, _DAYS)
    return lambda when: _aws_day(when) in days


def _aws_day(when: datetime.datetime) -> int:
    return (when.weekday() + 1) % 7 + 1
