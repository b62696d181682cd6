"""What SageMaker answers when it refuses a call."""

from __future__ import annotations


class ApiError(Exception):
    """An error as the client sees it: AWS's code, one sentence and the HTTP status."""

    status = 400
    code = "ValidationException"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(ApiError):
    """A request that breaks the model's constraints, or asks for what can't be."""


class NotFound(ApiError):
    """A resource that doesn't exist, for the operations whose model knows this error."""

    code = "ResourceNotFound"


class InUse(ApiError):
    """A name that is taken."""

    code = "ResourceInUse"


class Conflict(ApiError):
    """A change that contradicts the resource's state."""

    code = "ConflictException"


class LimitExceeded(ApiError):
    """More than the account may have."""

    code = "ResourceLimitExceeded"


class AccessDenied(ApiError):
    """The caller's or the role's policies don't allow the action."""

    code = "AccessDeniedException"


class UnknownOperation(ApiError):
    """An operation that isn't answered, by name."""

    code = "UnknownOperationException"


class Malformed(ApiError):
    """A body that isn't JSON, or a member of the wrong type."""

    code = "SerializationException"


class InternalFailure(ApiError):
    """Something that localaws did wrong; its log has the details."""

    code = "InternalFailure"
    status = 500
