"""The emulator of everything but SageMaker, seen through its public API, so that any emulator will do."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localaws.access import policies
from localaws.access.ttlcache import TTLCache

if TYPE_CHECKING:
    from localaws.application import Application

_log = logging.getLogger("localaws.emulator")
_DEFAULT_BUS = "default"
_SCOPES = "event-scopes"
_ACCOUNTS = "accounts"
NOBODY = "000000000000"


class Emulator:
    """Rules, targets and policies as the emulator's own operations tell them, kept until a call changes them."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._rules: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        self._targets: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
        self._callers = TTLCache()
        self._accounts = dict.fromkeys(json.loads(app.store.setting(_ACCOUNTS) or "[]"))
        self._changes = 0
        self._scopes: set[tuple[str, str]] = {tuple(s) for s in json.loads(app.store.setting(_SCOPES) or "[]")}

    def matching_targets(
        self, account: str, region: str, bus: str, event: dict[str, Any]
    ) -> list[tuple[str, dict[str, Any]]]:
        """Return (rule ARN, target) of every enabled rule of a bus that an event matches."""
        client = self._app.client("events", account, region)
        text = json.dumps(event)
        found = []
        for rule in self.rules(account, region, bus):
            if rule.get("State") != "ENABLED" or not rule.get("EventPattern"):
                continue
            try:
                matches = client.test_event_pattern(EventPattern=rule["EventPattern"], Event=text)["Result"]
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                    raise  # the event waits
                _log.warning("rule %s can't be matched: %s", rule["Arn"], error)
                continue
            if matches:
                found += [(rule["Arn"], target) for target in self.targets(account, region, bus, rule["Name"])]
        return found

    def rules(self, account: str, region: str, bus: str = _DEFAULT_BUS) -> list[dict[str, Any]]:
        """Return the rules of a bus; none if there is no such bus."""
        key = (account, region, bus)
        return self._kept(self._rules, key, lambda: self._list(account, region, "list_rules", "Rules", bus))

    def targets(self, account: str, region: str, bus: str, rule: str) -> list[dict[str, Any]]:
        """Return the targets of a rule."""
        key = (account, region, bus, rule)
        return self._kept(
            self._targets,
            key,
            lambda: self._list(account, region, "list_targets_by_rule", "Targets", bus, Rule=rule),
        )

    def bus_policy(self, account: str, region: str, bus: str) -> dict[str, Any] | None:
        """Return a bus's policy ({} if it has none); None if there is no such bus."""
        try:
            found = self._app.client("events", account, region).describe_event_bus(Name=bus)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        policy = json.loads(found.get("Policy") or "{}")
        for statement in policies.statements(policy):
            # PutPermission takes a bare account id, and emulators leave it so.
            if isinstance(statement.get("Principal"), str) and statement["Principal"].isdigit():
                statement["Principal"] = {"AWS": f"arn:aws:iam::{statement['Principal']}:root"}
        return policy

    def caller(self, access_key: str, token: str | None) -> tuple[str, str] | None:
        """Return account and ARN of whoever signs with an access key; None if the emulator knows nobody."""
        if access_key.isdigit() and len(access_key) == 12:
            self._note(access_key)
            return access_key, f"arn:aws:iam::{access_key}:root"

        def ask() -> tuple[str, str]:
            found = self._app.session_client("sts", access_key, token).get_caller_identity()
            # Emulators take whoever they don't know for the root of some account.
            if found["Arn"].endswith(":root"):
                raise LookupError(access_key)
            return found["Account"], found["Arn"]

        try:
            # A session ends, so its answer is kept for a moment only.
            return self._callers.get((access_key, token), ask)
        except (ClientError, LookupError):
            return None

    def accounts(self) -> list[str]:
        """Return the accounts whose roots have ever called, and the one that emulators give to whoever has none."""
        with self._lock:
            return [NOBODY, *self._accounts]

    def _note(self, account: str) -> None:
        if account in self._accounts:
            return
        with self._lock:
            self._accounts[account] = None
            known = json.dumps(list(self._accounts))
        self._app.store.set_setting(_ACCOUNTS, known)

    def scopes(self) -> set[tuple[str, str]]:
        """Return (account, region) of everybody who ever made a rule."""
        with self._lock:
            return set(self._scopes)

    def events_changed(self, account: str, region: str) -> None:
        """Note that a call may have changed rules or targets: what is kept is asked for again."""
        with self._lock:
            self._changes += 1
            self._rules.clear()
            self._targets.clear()
            if (account, region) in self._scopes:
                return
            self._scopes.add((account, region))
            known = json.dumps(sorted(self._scopes))
        self._app.store.set_setting(_SCOPES, known)
        self._app.schedules.wake()

    def _kept(self, kept: dict[Any, Any], key: Any, ask: Any) -> Any:
        with self._lock:
            if key in kept:
                return kept[key]
            before = self._changes
        answer = ask()
        with self._lock:
            if before == self._changes:
                kept[key] = answer
        return answer

    def _list(self, account: str, region: str, call: str, member: str, bus: str, **more: str) -> list[dict[str, Any]]:
        client = self._app.client("events", account, region)
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            try:
                page = getattr(client, call)(EventBusName=bus, **more, **token)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return []
                raise
            found += page[member]
            if not page.get("NextToken"):
                return found
            token = {"NextToken": page["NextToken"]}
