"""Tags of whatever has an ARN."""

from __future__ import annotations

from typing import Any

from localaws.api.call import Call, answers
from localaws.errors import Invalid
from localaws.store import Store


@answers("AddTags")
def add_tags(call: Call) -> dict[str, Any]:
    """Add tags, or give the existing ones other values."""
    arn = _own(call)
    put(call.app.store, arn, call.request["Tags"])
    return {"Tags": of(call.app.store, arn)}


@answers("ListTags")
def list_tags(call: Call) -> dict[str, Any]:
    """All tags of a resource, on one page."""
    return {"Tags": of(call.app.store, _own(call))}


@answers("DeleteTags")
def delete_tags(call: Call) -> dict[str, Any]:
    """Remove tags by their keys."""
    arn = _own(call)
    with call.app.store.transaction() as store:
        for key in call.request["TagKeys"]:
            store.write("DELETE FROM tags WHERE arn=? AND key=?", arn, key)
    return {}


def put(store: Store, arn: str, tags: list[dict[str, str]] | None) -> None:
    """Write tags; a resource has fifty at most."""
    with store.transaction():
        for tag in tags or []:
            store.write("INSERT OR REPLACE INTO tags VALUES(?,?,?)", arn, tag["Key"], tag["Value"])
        if len(of(store, arn)) > 50:
            raise Invalid("A resource can have at most 50 tags")


def of(store: Store, arn: str) -> list[dict[str, str]]:
    """The tags of a resource in the order of their keys."""
    rows = store.rows("SELECT key, value FROM tags WHERE arn=? ORDER BY key", arn)
    return [{"Key": key, "Value": value} for key, value in rows]


def forget(store: Store, arn: str) -> None:
    """Remove a resource's tags with it (inside a transaction)."""
    store.write("DELETE FROM tags WHERE arn=?", arn)


def _own(call: Call) -> str:
    arn = call.request["ResourceArn"]
    if arn.split(":")[4:5] != [call.account]:
        raise Invalid(f"The resource {arn} is not in account {call.account}")
    return arn
