"""The list of every IAM statement with its reason, from policies/*.json and the reasons beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from terraform.errors import TerraformError

REPOSITORY = Path(__file__).parent.parent
POLICIES = REPOSITORY / "policies"
PAGE = REPOSITORY / "docs" / "iam.md"

KINDS = {
    "role": "What roles may do",
    "trust": "Who may assume roles",
    "boundary": "What no role can ever do",
    "bucket": "Who may use buckets",
    "key": "Who may use keys",
    "repository": "Who may pull images",
    "group": "Who may register models",
    "bus": "Who may send to prod's bus",
    "topic": "Who may tell people",
    "queue": "Who may leave dead letters",
}
"""First part of a policy's file name → heading, in the page's order."""


class NoReason(TerraformError):
    """A statement has no reason, or a reason has no statement."""


def policies(folder: Path = POLICIES) -> dict[str, list[dict[str, Any]]]:
    """Return name → statements of every policy."""
    found = {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
    return {name: content["Statement"] for name, content in found.items() if "Statement" in content}


def page(folder: Path = POLICIES) -> str:
    """Return the list as Markdown.

    Raises:
        NoReason: statements and reasons don't belong together.
    """
    reasons = json.loads((folder / "reasons.json").read_text())
    found = policies(folder)
    _check(found, reasons)
    lines = [
        "# Every IAM statement and its reason",
        "",
        "Made by `make iam` from `policies/*.json` and `policies/reasons.json`; `${…}` are the settings' values.",
        "[accounts.md](accounts.md) shows what crosses from one account into another.",
    ]
    for kind, heading in KINDS.items():
        lines += ["", f"## {heading}"]
        for name in (name for name in found if name.split("-")[0] == kind):
            lines += [
                "",
                f"### `{name}`",
                "",
                *_users(name, folder),
                "| statement | effect | reason |",
                "|---|---|---|",
            ]
            lines += [_row(statement, reasons[name][statement["Sid"]]) for statement in found[name]]
    return "\n".join(lines) + "\n"


def write(out: Path = PAGE) -> None:
    """Write the list to a file, by rename."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    part.write_text(page())
    part.replace(out)


def _check(found: dict[str, list[dict[str, Any]]], reasons: dict[str, dict[str, str]]) -> None:
    stated = {(name, statement.get("Sid", "")) for name, statements in found.items() for statement in statements}
    reasoned = {(name, sid) for name, given in reasons.items() for sid in given}
    for name, sid in sorted(stated - reasoned):
        raise NoReason(f"policies/{name}.json: statement {sid or 'without a Sid'} has no reason in reasons.json.")
    for name, sid in sorted(reasoned - stated):
        raise NoReason(f"policies/reasons.json: {name}.{sid} is no statement.")
    for name in found:
        if name.split("-")[0] not in KINDS:
            raise NoReason(f"policies/{name}.json: not of a known kind ({', '.join(KINDS)}).")


def _users(name: str, folder: Path) -> list[str]:
    """Say which roles have a policy, if it is one of roles."""
    roles = json.loads((folder / "roles.json").read_text())
    kind, _, part = name.partition("-")
    if kind == "role":
        users = [key for key, role in roles.items() if part in [*role["policies"], *_network(role)]]
    elif kind == "trust":
        users = [key for key, role in roles.items() if role["trust"] == part.removesuffix("-oidc")]
    else:
        return []
    where = sorted({account for key in users for account in roles[key]["accounts"]})
    names = ", ".join(f"`{roles[key].get('name', key)}`" for key in users)
    return [f"Of {names} in {', '.join(where)}.", ""]


def _network(role: dict[str, Any]) -> list[str]:
    return ["network"] if role.get("network") else []


def _row(statement: dict[str, Any], reason: str) -> str:
    parts = [f"**{statement['Effect']}**" + _principals(statement)]
    for part in ("Action", "NotAction"):
        if part in statement:
            parts.append(("all but " if part == "NotAction" else "") + _texts(statement[part]))
    if "Resource" in statement:
        parts.append(f"on {_texts(statement['Resource'])}")
    for operator, tests in statement.get("Condition", {}).items():
        parts += [f"if {key} {operator} {_texts(value)}" for key, value in tests.items()]
    return f"| {statement['Sid']} | {'<br>'.join(parts)} | {reason} |"


def _principals(statement: dict[str, Any]) -> str:
    given = statement.get("Principal")
    if given is None:
        return ""
    return " to everybody" if given == "*" else f" to {_texts(list(_flat(given)))}"


def _flat(principals: dict[str, Any]) -> Iterator[str]:
    for value in principals.values():
        yield from value if isinstance(value, list) else [value]


def _texts(value: Any) -> str:
    return ", ".join(f"`{item}`" for item in (value if isinstance(value, list) else [value]))
