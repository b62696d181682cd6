"""What a target of a rule gets of an event: all of it, a part, a constant, or a text made from it.

Source: "Amazon EventBridge input transformation" in the EventBridge user guide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")
_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def of(target: Mapping[str, Any], event: Mapping[str, Any], rule: str) -> str:
    """Return what is sent to a target: JSON, or whatever text an input template makes.

    Args:
        target: as ListTargetsByRule gives it.
        event: the envelope with its detail.
        rule: ARN of the rule.
    """
    if "InputTransformer" in target:
        return _transformed(target["InputTransformer"], event, rule)
    if "Input" in target:
        return target["Input"]
    if "InputPath" in target:
        found = at(event, target["InputPath"])
        return json.dumps(event if found is None else found)
    return json.dumps(event)


def at(document: Any, path: str) -> Any:
    """Return what lies at a JSON path such as $.detail.status or $.resources[0]; None if nothing does."""
    for name, number in _PART.findall(path.removeprefix("$")):
        try:
            document = document[int(number)] if number else document[name]
        except (LookupError, TypeError):
            return None
    return document


def _transformed(transformer: Mapping[str, Any], event: Mapping[str, Any], rule: str) -> str:
    values = {name: at(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
    values |= {
        "aws.events.rule-arn": rule,
        "aws.events.rule-name": rule.rsplit("/", 1)[-1],
        "aws.events.event.ingestion-time": event.get("time"),
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    template = transformer["InputTemplate"]
    inside = False
    filled, end = [], 0
    for match in _VARIABLE.finditer(template):
        before = template[end : match.start()]
        inside ^= len(re.findall(r'(?<!\\)"', before)) % 2 == 1
        end = match.end()
        filled.append(before)
        filled.append(_filled(values[match.group(1)], inside) if match.group(1) in values else match.group(0))
    # A template that is one quoted text keeps its quotes, as in AWS.
    return "".join([*filled, template[end:]])


def _filled(value: Any, inside_quotes: bool) -> str:
    if value is None:
        return ""
    if not inside_quotes:
        return json.dumps(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text)[1:-1]
