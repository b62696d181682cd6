"""Events wait on disk until they were matched and delivered."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localaws.application import Application


def put(
    app: Application,
    account: str,
    region: str,
    bus: str,
    source: str,
    title: str,
    resources: list[str],
    detail: dict[str, Any],
) -> str:
    """Write an event of the account's own; the event's id."""
    from localaws.events.shapes import iso

    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": title,
        "source": source,
        "account": account,
        "time": iso(app.clock.now()),
        "region": region,
        "resources": resources,
        "detail": detail,
    }
    put_event(app, account, region, bus, event)
    return event["id"]


def put_event(app: Application, account: str, region: str, bus: str, event: dict[str, Any], hops: int = 0) -> None:
    """Write an event to a bus of `account`, which need not be the event's own account."""
    with app.store.transaction() as store:
        store.write(
            "INSERT INTO events(account, region, bus, hops, body) VALUES(?,?,?,?,?)",
            account,
            region,
            bus,
            hops,
            json.dumps(event),
        )
        store.after_commit(app.deliveries.wake)
