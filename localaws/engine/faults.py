"""Failures on demand, so that retry policies can be rehearsed: the next attempts at a step end as if AWS had failed."""

from __future__ import annotations

import json
from typing import Any

from localaws.errors import Invalid
from localaws.store import Store

KINDS = {
    "capacity": "CapacityError: Unable to provision requested ML compute capacity; asked for by `localaws fault`.",
    "internal": "InternalServerError: We encountered an internal error; asked for by `localaws fault`.",
    "throttle": "ThrottlingException: Rate exceeded; asked for by `localaws fault`.",
    "limit": "ResourceLimitExceeded: The account-level service limit is reached; asked for by `localaws fault`.",
}
"""Begin as what SageMaker says of each, which is what retry policies go by."""

MOST = 1000
_SETTING = "faults"


def ask_for(store: Store, step: str, kind: str, times: int) -> None:
    """Let the next attempts at steps of this name fail; what was asked for before is forgotten. Raises Invalid."""
    if kind not in KINDS:
        raise Invalid(f"{kind}: there are {', '.join(KINDS)}.")
    if not isinstance(times, int) or isinstance(times, bool) or not 0 <= times <= MOST:
        raise Invalid(f"{times} times: a whole number from 0 to {MOST} is needed.")
    with store.transaction():
        asked = _asked(store)
        asked.pop(step, None)
        store.set_setting(_SETTING, json.dumps(asked | ({step: [kind, times]} if times else {})))


def take(store: Store, step: str) -> str | None:
    """Return how this attempt at a step is to fail, if it is, and count it."""
    if step not in _asked(store):
        return None
    with store.transaction():
        asked = _asked(store)
        kind, left = asked.pop(step, ["", 0])
        store.set_setting(_SETTING, json.dumps(asked | ({step: [kind, left - 1]} if left > 1 else {})))
    return KINDS.get(kind)


def _asked(store: Store) -> dict[str, Any]:
    return dict(json.loads(store.setting(_SETTING) or "{}"))
