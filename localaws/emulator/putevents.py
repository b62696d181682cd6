"""PutEvents, where the emulator is another process: its own delivery would know neither pipelines nor accounts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localaws.events import outbox

if TYPE_CHECKING:
    from localaws.application import Application


def put(app: Application, account: str, region: str, body: bytes) -> dict[str, Any]:
    """Answer PutEvents: each entry goes to the outbox, or is refused as EventBridge refuses it."""
    entries = [_entry(app, account, region, entry) for entry in json.loads(body or b"{}").get("Entries", [])]
    return {"FailedEntryCount": sum("ErrorCode" in entry for entry in entries), "Entries": entries}


def _entry(app: Application, account: str, region: str, entry: dict[str, Any]) -> dict[str, str]:
    source = entry.get("Source", "")
    if source.startswith("aws."):
        return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
    if not source or not entry.get("DetailType") or "Detail" not in entry:
        return {"ErrorCode": "InvalidArgument", "ErrorMessage": "Source, DetailType and Detail are needed."}
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    bus = entry.get("EventBusName", "default").rsplit("/", 1)[-1]
    title, resources = entry["DetailType"], entry.get("Resources", [])
    return {"EventId": outbox.put(app, account, region, bus, source, title, resources, detail)}
