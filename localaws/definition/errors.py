"""What can be wrong with a definition, with a parameter's value or with a reference."""

from __future__ import annotations


class InvalidDefinition(Exception):
    """A definition isn't valid: `path` says where (such as Steps.Train.Arguments.RoleArn), `message` why."""

    def __init__(self, path: str, message: str):
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


class InvalidParameter(Exception):
    """A pipeline parameter is unknown, has no value, or one that doesn't fit; `name` is the parameter's."""

    def __init__(self, name: str, message: str):
        super().__init__(f"Pipeline parameter {name} {message}")
        self.name = name


class Unresolvable(Exception):
    """A reference has no value in this execution, or values can't be joined or compared."""
