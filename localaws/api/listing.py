"""Lists: SageMaker's filters, sorting and pages, the same for all kinds of resources."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from localaws.api.call import Call
from localaws.errors import Invalid
from localaws.store import Record

_TIMES = {
    "CreationTimeAfter": "created > ?",
    "CreationTimeBefore": "created < ?",
    "CreatedAfter": "created > ?",
    "CreatedBefore": "created < ?",
    "LastModifiedTimeAfter": "modified > ?",
    "LastModifiedTimeBefore": "modified < ?",
}
_SORTS = {
    "Name": "name",
    "PipelineName": "name",
    "CreationTime": "created",
    "CreatedAt": "created",
    "LastModifiedTime": "modified",
    "Status": "status",
    "PipelineExecutionArn": "name",
    "ModelArn": "name",
}
_PAGE = 10


def page(
    call: Call,
    output: str,
    kind: str,
    *,
    parent: str | None = None,
    where: Sequence[tuple[str, Any]] = (),
    account: str | None = None,
    region: str | None = None,
    order: str = "Descending",
    among: Sequence[Record] | None = None,
) -> dict[str, Any]:
    """One page of a kind's records, as `output` of a List… operation.

    `where` adds conditions, each with its one value; `among` are the records that may be shown, whoever's they are,
    where those of the account aren't meant. Where a request doesn't say otherwise, the newest come
    first: so SageMaker answers, though its reference says Ascending of some operations (its own project
    templates take the first of ListModelPackages for the latest version). The token carries the last row's
    place, so that rows which arrive between two pages neither repeat nor hide others. Raises Invalid for a
    foreign token.
    """
    request = call.request
    owned = [("account=?", account or call.account), ("region=?", region or call.region)]
    if among is not None:
        owned = [("id IN (SELECT value FROM json_each(?))", json.dumps([record.id for record in among]))]
    conditions: list[tuple[str, Any]] = [
        ("kind=?", kind),
        *owned,
        *([("parent=?", parent)] if parent is not None else []),
        *where,
        *[(sql, request[name]) for name, sql in _TIMES.items() if name in request],
    ]
    if request.get("NameContains"):
        conditions.append(("instr(lower(name), lower(?)) > 0", request["NameContains"]))
    if request.get("StatusEquals"):
        conditions.append(("status=?", request["StatusEquals"]))
    column = _SORTS.get(request.get("SortBy", "CreationTime"), "created")
    descending = request.get("SortOrder", order) == "Descending"
    if request.get("NextToken"):
        sign = "<" if descending else ">"
        conditions.append((f"({column}, id) {sign} (?, ?)", _place(request["NextToken"], column)))
    values = [part for _, value in conditions for part in (value if isinstance(value, tuple) else (value,))]
    size = request.get("MaxResults", _PAGE)
    direction = "DESC" if descending else "ASC"
    records = call.app.store.select(
        " AND ".join(sql for sql, _ in conditions),
        values,
        f"ORDER BY {column} {direction}, id {direction} LIMIT {size + 1}",
    )
    result: dict[str, Any] = {output: [record.body for record in records[:size]]}
    if len(records) > size:
        result["NextToken"] = _token(records[size - 1], column)
    return result


def _token(last: Record, column: str) -> str:
    place = last.key.name if column == "name" else getattr(last, column)
    return base64.urlsafe_b64encode(json.dumps([column, place, last.id]).encode()).decode()


def _place(token: str, column: str) -> tuple[Any, int]:
    kind: Any = (int, float) if column in ("created", "modified") else str
    try:
        sorted_by, place, row = json.loads(base64.urlsafe_b64decode(token.encode()))
        if sorted_by == column and isinstance(place, kind) and isinstance(row, int):
            return place, row
    except (ValueError, TypeError, RecursionError):
        pass
    raise Invalid("The NextToken is not one that this operation gave")
