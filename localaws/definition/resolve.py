"""The value of a reference within one execution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from localaws.definition.errors import Unresolvable
from localaws.definition.references import follow, is_reference, keys


class Scope(Protocol):
    """What references can see of a running execution."""

    parameters: Mapping[str, Any]
    execution: Mapping[str, Any]

    def properties(self, step: str) -> Mapping[str, Any]:
        """What the Describe call of a finished step's resource answers; LookupError if there is none."""

    def property_file(self, step: str, file: str) -> Any:
        """The JSON value of a step's property file; LookupError if it isn't there."""

    def json_object(self, uri: str) -> Any:
        """The JSON value of an S3 object; LookupError if it isn't there."""


def resolve(value: Any, scope: Scope) -> Any:
    """Return a value with every reference in it replaced, numbers and booleans keeping their types.

    Raises Unresolvable.
    """
    if is_reference(value):
        function, argument = next(iter(value.items()))
        return {"Get": _get, "Std:Join": _join, "Std:JsonGet": _json_get}[function](argument, scope)
    if isinstance(value, dict):
        return {name: resolve(item, scope) for name, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, scope) for item in value]
    return value


def _get(text: str, scope: Scope) -> Any:
    root, name, *rest = keys(text)
    try:
        if root == "Parameters":
            return scope.parameters[str(name)]
        if root == "Execution":
            return scope.execution[str(name)]
        return follow(scope.properties(str(name)), tuple(rest))
    except LookupError:
        raise Unresolvable(f"{text} has no value in this execution") from None


def _join(argument: Mapping[str, Any], scope: Scope) -> str:
    return argument.get("On", "").join(_text(resolve(item, scope)) for item in argument["Values"])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise Unresolvable(f"Std:Join takes texts, numbers and booleans, not a {type(value).__name__}")


def _json_get(argument: Mapping[str, Any], scope: Scope) -> Any:
    path = argument["Path"]
    if "PropertyFile" in argument:
        _, step, _, file = keys(argument["PropertyFile"]["Get"])
        source, read = (
            f"property file {file} of step {step}",
            lambda: scope.property_file(str(step), str(file)),
        )
    else:
        uri = resolve(argument["S3Uri"], scope)
        source, read = uri, lambda: scope.json_object(uri)
    try:
        document = read()
    except LookupError:
        raise Unresolvable(f"the {source} isn't there") from None
    try:
        return follow(document, keys(path))
    except LookupError:
        raise Unresolvable(f"the {source} has nothing at {path}") from None
