"""Conditions: their form, and whether they hold."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from localaws.definition.errors import Unresolvable
from localaws.definition.references import is_reference
from localaws.definition.resolve import Scope, resolve

ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
FORMS: dict[str, tuple[str, ...]] = {
    **{order: ("LeftValue", "RightValue") for order in ("Equals", "NotEquals", *ORDERS)},
    "In": ("QueryValue", "Values"),
    "NotIn": ("QueryValue", "Values"),
    "Not": ("Condition",),
    "And": ("Conditions",),
    "Or": ("Conditions",),
}
"""Type of a condition → the members it must have."""

ALIASES = {"Value": "QueryValue", "In": "Values"}
"""The published schema names the members of In otherwise than the SDK, whose form AWS takes: both work."""


def evaluate(condition: dict[str, Any], scope: Scope) -> bool:
    """Return whether a condition holds in an execution.

    Raises Unresolvable: a reference has no value, or a number is compared with something that isn't one.
    """
    condition, kind = _named(condition), condition["Type"]
    if kind == "And":
        return all(evaluate(part, scope) for part in condition["Conditions"])
    if kind == "Or":
        return any(evaluate(part, scope) for part in condition["Conditions"])
    if kind == "Not":
        return not evaluate(condition["Condition"], scope)
    if kind in ("In", "NotIn"):
        wanted = resolve(condition["QueryValue"], scope)
        return (kind == "In") == any(_equal(wanted, resolve(item, scope)) for item in condition["Values"])
    left, right = resolve(condition["LeftValue"], scope), resolve(condition["RightValue"], scope)
    if kind in ORDERS:
        if not (_number(left) and _number(right)) and not (isinstance(left, str) and isinstance(right, str)):
            raise Unresolvable(f"{kind} can't compare {_kind(left)} with {_kind(right)}")
        return ORDERS[kind](left, right)
    return (kind == "Equals") == _equal(left, right)


def problems(condition: Any, path: str) -> Iterator[tuple[str, str]]:
    """Give (path, sentence) of what is wrong with a condition's form."""
    if not isinstance(condition, dict):
        yield path, "a condition is an object with a Type"
        return
    condition = _named(condition)
    kind = condition.get("Type")
    if not isinstance(kind, str) or kind not in FORMS:
        yield f"{path}.Type", f"must be one of {', '.join(FORMS)}"
        return
    for member in FORMS[kind]:
        if member not in condition:
            yield path, f"{member} is missing"
    for member, value in condition.items():
        where = f"{path}.{member}"
        if member != "Type" and member not in FORMS[kind]:
            yield where, f"is unknown in a condition of type {kind}"
        elif member == "Condition":
            yield from problems(value, where)
        elif member in ("Conditions", "Values"):
            yield from _list_problems(value, where, problems if member == "Conditions" else _operand_problems)
        elif member != "Type":
            yield from _operand_problems(value, where)


def _list_problems(
    value: Any, path: str, check: Callable[[Any, str], Iterator[tuple[str, str]]]
) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list) or not value:
        yield path, "must be a list that isn't empty"
        return
    for number, item in enumerate(value):
        yield from check(item, f"{path}[{number}]")


def _operand_problems(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not is_reference(value) and not isinstance(value, str | int | float | bool):
        yield path, "must be a text, a number, a boolean or a reference"


def _named(condition: dict[str, Any]) -> dict[str, Any]:
    if condition.get("Type") not in ("In", "NotIn"):
        return condition
    return {ALIASES.get(member, member): value for member, value in condition.items()}


def _equal(left: Any, right: Any) -> bool:
    # Python takes True for 1; the language doesn't.
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    names = {
        bool: "a boolean",
        str: "a text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "nothing")
