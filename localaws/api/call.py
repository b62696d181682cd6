"""One call of one operation, and the register of operations that are answered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.model import OperationModel

from localaws import wire
from localaws.errors import ApiError, Conflict, Invalid, NotFound, UnknownOperation
from localaws.store import Key, Record

if TYPE_CHECKING:
    from localaws.application import Application

_ARN = re.compile(r"arn:aws[a-z\-]*:sagemaker:([a-z0-9\-]*):(\d{12}):([a-z\-]+)/(.+)")

Handler = Callable[["Call"], dict[str, Any]]
_handlers: dict[str, Handler] = {}


@dataclass
class Call:
    """A request that has passed the model's checks, and who makes it."""

    app: Application
    model: OperationModel
    account: str
    region: str
    principal: str
    request: dict[str, Any] = field(default_factory=dict)

    def arn(self, resource: str) -> str:
        """The ARN of a resource (`pipeline/x`) in the caller's account and region."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{resource}"

    def key(self, kind: str, name: str) -> Key:
        """The key of a resource in the caller's account and region."""
        return Key(kind, self.account, self.region, name)

    def missing(self, message: str) -> ApiError:
        """What AWS answers for a resource that isn't there: the model says if ResourceNotFound."""
        known = "ResourceNotFound" in wire.error_names(self.model)
        return NotFound(message) if known else Invalid(message)

    def repeated(self, token: str | None, scope: str) -> dict[str, Any] | None:
        """The answer that the first call with this client token got within `scope`; None for a first call.

        Raises Conflict when the token comes back with another request.
        """
        if not token:
            return None
        found = self.app.store.rows(
            "SELECT request, result FROM tokens WHERE operation=? AND account=? AND region=? AND token=?",
            *self._token(token, scope),
        )
        if not found:
            return None
        if found[0][0] != self._asked:
            raise Conflict("The client request token was used before with another request")
        return json.loads(found[0][1])

    def once(self, token: str | None, scope: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Act once per client token within `scope`; a repeated call gets the first one's answer.

        `act` runs while the store is held, and must not call a service: whether that call is allowed may have to be
        read from the store. Raises Conflict as `repeated` does.
        """
        if not token:
            return act()
        store = self.app.store
        with store.transaction():
            if (answer := self.repeated(token, scope)) is not None:
                return answer
            result = act()
            store.write(
                "INSERT INTO tokens VALUES(?,?,?,?,?,?,?)",
                *self._token(token, scope),
                self._asked,
                json.dumps(result),
                self.app.clock.now(),
            )
            return result

    def _token(self, token: str, scope: str) -> tuple[str, ...]:
        return self.model.name, self.account, self.region, f"{scope}:{token}"

    @property
    def _asked(self) -> str:
        return json.dumps(self.request, sort_keys=True)


def answers(operation: str) -> Callable[[Handler], Handler]:
    """Register a function as the answer to an operation of SageMaker's model."""
    wire.operation(operation)

    def register(handler: Handler) -> Handler:
        _handlers[operation] = handler
        return handler

    return register


def handler(operation: str) -> Handler:
    """The function that answers an operation; raises UnknownOperation by name."""
    if operation not in _handlers:
        raise UnknownOperation(f"localaws does not answer {operation}")
    return _handlers[operation]


def answered() -> list[str]:
    """The operations that are answered, sorted."""
    return sorted(_handlers)


def split_arn(text: str) -> tuple[str, str, str, str] | None:
    """Region, account, resource type and name of a SageMaker ARN; None if it isn't one."""
    match = _ARN.fullmatch(text)
    return match.groups() if match else None  # type: ignore[return-value]


def located(call: Call, kind: str, resource: str, name_or_arn: str) -> Key:
    """The key of a resource that is named or given by its ARN (possibly another account's)."""
    parts = split_arn(name_or_arn)
    if parts is None:
        return call.key(kind, name_or_arn)
    region, account, found, name = parts
    if found != resource:
        raise Invalid(f"{name_or_arn} is not the ARN of a {resource}")
    return Key(kind, account, region, name)


def existing(call: Call, key: Key, message: str) -> Record:
    """The record, or the model's error for a missing one."""
    record = call.app.store.get(key)
    if record is None:
        raise call.missing(message)
    return record
