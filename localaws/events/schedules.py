"""Rules with a schedule: fired when the accounts' clock says so, or by hand."""

from __future__ import annotations

import itertools
import logging
import threading
import uuid
from typing import TYPE_CHECKING, Any

from localaws.disk import DiskFull
from localaws.errors import NotFound
from localaws.events import cron
from localaws.events.shapes import iso

if TYPE_CHECKING:
    from localaws.application import Application

_log = logging.getLogger("localaws.schedules")
_LOOK_SECONDS = 1.0
_MOST_AT_ONCE = 100
"""Firings of one rule that a jump of the clock makes; the rest of a longer jump is left out."""


class Schedules:
    """One thread that looks every second which schedules are due."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._seen: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)

    def start(self) -> None:
        """Begin; what was due while no localaws ran is not fired, as in AWS a disabled rule's isn't."""
        self._last = self._app.clock.now()
        self._thread.start()

    def stop(self) -> None:
        """End after the look under way."""
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def wake(self) -> None:
        """The clock was moved, or rules have changed."""
        self._woken.set()

    def fire(self, name: str) -> list[str]:
        """Fire the rules of this name in every account, whatever their schedule; return their ARNs.

        Raises NotFound.
        """
        found = [(scope, rule) for scope, rule in self._rules() if rule["Name"] == name]
        if not found:
            raise NotFound(f"No account has a rule {name} with a schedule.")
        for (account, region), rule in found:
            self._fire(account, region, rule, self._app.clock.now())
        return [rule["Arn"] for _, rule in found]

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._look()
            except DiskFull as error:
                _log.warning("schedules wait: %s", error)
            except Exception:
                if not self._stopped.is_set():
                    _log.exception("schedules could not be looked at")
            self._woken.wait(_LOOK_SECONDS)
            self._woken.clear()

    def _look(self) -> None:
        now, last = self._app.clock.now(), self._last
        for (account, region), rule in self._rules():
            created = self._seen.setdefault(rule["Arn"], last)
            if rule.get("State") != "ENABLED":
                continue
            try:
                due = cron.firings(rule["ScheduleExpression"], created, last, now)
                for when in itertools.islice(due, _MOST_AT_ONCE):
                    self._fire(account, region, rule, when)
            except ValueError as error:
                _log.warning("rule %s: %s", rule["Arn"], error)
        self._last = now

    def _rules(self) -> list[tuple[tuple[str, str], dict[str, Any]]]:
        return [
            ((account, region), rule)
            for account, region in sorted(self._app.emulator.scopes())
            for rule in self._app.emulator.rules(account, region)
            if rule.get("ScheduleExpression")
        ]

    def _fire(self, account: str, region: str, rule: dict[str, Any], when: float) -> None:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": account,
            "time": iso(when),
            "region": region,
            "resources": [rule["Arn"]],
            "detail": {},
        }
        targets = self._app.emulator.targets(account, region, "default", rule["Name"])
        pairs = [(rule["Arn"], target) for target in targets]
        self._app.deliveries.add(account, region, pairs, event)
