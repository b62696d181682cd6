"""The Condition element of IAM's policies."""

from __future__ import annotations

import datetime
import functools
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

Test = Callable[[str, str], bool]
_VARIABLE = re.compile(r"\$\{([^}]+)\}")


def hold(block: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    """Whether all conditions of a block hold for the request's condition keys.

    An operator that isn't known here never holds, so that an Allow under it gives nothing.
    """
    return all(
        _holds(operator, key, wanted, context) for operator, keys in block.items() for key, wanted in keys.items()
    )


def like(pattern: str, value: str) -> bool:
    """IAM's wildcards: `*` for any text, `?` for one character."""
    return _wildcard(pattern).fullmatch(value) is not None


def filled(text: str, context: Mapping[str, Any]) -> str:
    """The text with its policy variables replaced; one without a value matches nothing."""
    known = {key.lower(): value for key, value in context.items()}
    special = {"*": "*", "?": "?", "$": "$"}

    def value(match: re.Match[str]) -> str:
        name, given, default = match.group(1).partition(",")
        otherwise = default.strip().strip("'") if given else "\0"
        return special.get(name) or str(known.get(name.strip().lower(), otherwise))

    return _VARIABLE.sub(value, text)


def _holds(operator: str, key: str, wanted: Any, context: Mapping[str, Any]) -> bool:
    known = {name.lower(): value for name, value in context.items()}
    value = known.get(key.lower())
    quantifier, _, operator = operator.rpartition(":")
    if operator == "Null":
        return (value is None) == (str(_list(wanted)[0]).lower() == "true")
    optional = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    negated = "Not" in operator
    test = _TESTS.get(operator.replace("Not", "") if operator not in _TESTS else operator)
    if test is None:
        return False
    if value is None:
        # A negated test holds for what isn't there, but "any of its values" needs a value.
        return optional or quantifier == "ForAllValues" or (negated and quantifier != "ForAnyValue")
    choices = [filled(str(item), context) for item in _list(wanted)]

    def one(item: str) -> bool:
        found = any(test(choice, item) for choice in choices)
        return not found if negated else found

    values = [str(item).lower() if isinstance(item, bool) else str(item) for item in _list(value)]
    if quantifier == "ForAnyValue":
        return any(one(item) for item in values)
    return all(one(item) for item in values)


def _number(compare: Callable[[float, float], bool]) -> Test:
    def test(wanted: str, value: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return test


def _date(compare: Callable[[float, float], bool]) -> Test:
    def test(wanted: str, value: str) -> bool:
        try:
            return compare(_seconds(value), _seconds(wanted))
        except ValueError:
            return False

    return test


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _address(wanted: str, value: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


_TESTS: dict[str, Test] = {
    "StringEquals": lambda wanted, value: wanted == value,
    "StringEqualsIgnoreCase": lambda wanted, value: wanted.lower() == value.lower(),
    "StringLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
    "IpAddress": _address,
    "NumericEquals": _number(lambda a, b: a == b),
    "NumericLessThan": _number(lambda a, b: a < b),
    "NumericLessThanEquals": _number(lambda a, b: a <= b),
    "NumericGreaterThan": _number(lambda a, b: a > b),
    "NumericGreaterThanEquals": _number(lambda a, b: a >= b),
    "DateEquals": _date(lambda a, b: a == b),
    "DateLessThan": _date(lambda a, b: a < b),
    "DateLessThanEquals": _date(lambda a, b: a <= b),
    "DateGreaterThan": _date(lambda a, b: a > b),
    "DateGreaterThanEquals": _date(lambda a, b: a >= b),
}


@functools.lru_cache(maxsize=4096)
def _wildcard(pattern: str) -> re.Pattern[str]:
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.compile("".join(parts), re.DOTALL)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
