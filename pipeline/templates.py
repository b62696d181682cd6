"""The JSON templates of events/, policies/ and functions/, filled in for an environment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.names import Names
from pipeline.settings import Settings

ROOT = Path(__file__).parent.parent
VARIABLE = re.compile(r"\$\{(\w+)\}")
"""What Terraform's templatefile replaces too; a dollar sign alone, as in `$.detail`, stays."""


class WrongTemplate(Exception):
    """A template can't be filled in; the message names the file and what is wrong."""


def fill(file: Path, settings: Settings) -> Any:
    """Return a template's JSON value with `${name}` replaced by the environment's variables.

    Raises:
        WrongTemplate: it isn't JSON, or names a variable that isn't there.
    """
    try:
        variables = Names(settings).variables()
        return json.loads(VARIABLE.sub(lambda found: variables[found[1]], file.read_text()))
    except KeyError as error:
        raise WrongTemplate(f"{file}: variable {error.args[0]} is unknown.") from None
    except ValueError as error:
        raise WrongTemplate(f"{file}: {error}.") from None


def policy(name: str, settings: Settings) -> Any:
    """Return a policy of policies/."""
    return fill(ROOT / "policies" / f"{name}.json", settings)


def roles(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the environment's roles: name → {"description", "trust": policy, "policies": {name: policy}}."""
    found = {}
    for key, role in fill(ROOT / "policies" / "roles.json", settings).items():
        if settings.environment not in role["accounts"]:
            continue
        trust = "ci-oidc" if role["trust"] == "ci" and settings.ci.oidc_issuer else role["trust"]
        parts = list(role["policies"])
        if role.get("network") and settings.network.subnet_ids:
            parts.append("network")
        found[role.get("name", key)] = {
            "description": role["description"],
            "trust": policy(f"trust-{trust}", settings),
            "policies": {part: policy(f"role-{part}", settings) for part in parts},
        }
    return found


def rules(settings: Settings) -> Iterator[dict[str, Any]]:
    """Give the environment's event rules: {"rule": PutRule's arguments, "targets": PutTargets'}."""
    yield from _of_account(ROOT / "events", settings)


def alarms(settings: Settings) -> Iterator[dict[str, Any]]:
    """Give the environment's alarms as PutMetricAlarm takes them."""
    for found in _of_account(ROOT / "events" / "alarms", settings):
        yield found["alarm"]


def functions(settings: Settings) -> dict[str, Any]:
    """Return functions.json: runtime, environment, and each function's handler and limits."""
    return fill(ROOT / "functions" / "functions.json", settings)


def _of_account(folder: Path, settings: Settings) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.json")):
        found = fill(file, settings)
        if settings.environment in found["accounts"]:
            yield found
