"""Matches events against rules, and brings them to the rules' targets until they are accepted."""

from __future__ import annotations

import json
import logging
import random
import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localaws.disk import DiskFull
from localaws.events import outbox, targets

if TYPE_CHECKING:
    from localaws.application import Application

_log = logging.getLogger("localaws.events")

MAX_ATTEMPTS = 185
MAX_AGE_SECONDS = 86400
REORDER_SECONDS = 1.0
_HOPS = 8


class Deliveries:
    """One thread that empties the outbox: first matching, then what is due."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="deliveries", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier process left."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the delivery under way and end."""
        self._stopped = True
        self._wake.set()
        self._thread.join(timeout=10)

    def wake(self) -> None:
        """There is something new to deliver."""
        self._wake.set()

    def waiting(self) -> int:
        """How many events and deliveries have not been tried yet."""
        rows = self._app.store.rows(
            "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM deliveries WHERE attempts = 0)"
        )
        return rows[0][0]

    def _run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            try:
                pause = self._round()
            except (DiskFull, ClientError) as error:
                _log.warning("events wait: %s", error)
                pause = 1.0
            except Exception:
                _log.exception("events could not be delivered; trying again")
                pause = 1.0
            self._wake.wait(pause)

    def _round(self) -> float:
        """Match and deliver all there is; the seconds until the next delivery is due."""
        store, now = self._app.store, self._app.clock.real()
        for row in store.rows("SELECT id, account, region, bus, hops, body FROM events ORDER BY id LIMIT 200"):
            self._match(*row)
        due = store.rows(
            "SELECT id, account, region, rule, target, body, attempts, created FROM deliveries "
            "WHERE due <= ? ORDER BY due, id LIMIT 200",
            now,
        )
        for row in due:
            if self._stopped:
                return 0
            self._deliver(*row)
        if due or store.rows("SELECT 1 FROM events LIMIT 1"):
            return 0
        following = store.rows("SELECT min(due) FROM deliveries")[0][0]
        return 60.0 if following is None else max(0.0, min(60.0, following - now))

    def add(
        self, account: str, region: str, found: list[tuple[str, dict[str, Any]]], event: dict[str, Any], hops: int = 0
    ) -> None:
        """Have an event delivered to (rule ARN, target) pairs; once each, or more often if the settings say so."""
        settings, now = self._app.settings, self._app.clock.real()
        pairs = [pair for pair in found for _ in range(1 + settings.duplicate_events)]
        with self._app.store.transaction() as store:
            for rule, target in pairs:
                content = {"event": event, "hops": hops}
                due = now + (random.uniform(0, REORDER_SECONDS) if settings.reorder_events else 0)
                store.write(
                    "INSERT INTO deliveries(account, region, rule, target, body, created, due) VALUES(?,?,?,?,?,?,?)",
                    account,
                    region,
                    rule,
                    json.dumps(target),
                    json.dumps(content),
                    now,
                    due,
                )
            store.after_commit(self.wake)

    def _match(self, row: int, account: str, region: str, bus: str, hops: int, body: str) -> None:
        event = json.loads(body)
        found = self._app.emulator.matching_targets(account, region, bus, event)
        with self._app.store.transaction() as store:
            self.add(account, region, found, event, hops)
            store.write("DELETE FROM events WHERE id=?", row)

    def _deliver(
        self,
        row: int,
        account: str,
        region: str,
        rule: str,
        target: str,
        body: str,
        attempts: int,
        created: float,
    ) -> None:
        content, chosen, now = json.loads(body), json.loads(target), self._app.clock.real()
        delivery = targets.Delivery(row, account, region, rule, chosen, content["event"], content["hops"])
        try:
            if content["hops"] > _HOPS:
                raise targets.Refused("the event went from bus to bus too often")
            targets.deliver(self._app, delivery)
        except Exception as error:
            if self._again(delivery, attempts + 1, created, now, error):
                return
        with self._app.store.transaction() as store:
            store.write("DELETE FROM deliveries WHERE id=?", row)

    def _again(self, delivery: targets.Delivery, attempts: int, created: float, now: float, error: Exception) -> bool:
        """Note a failed attempt; False when there is none left, and the event went to the dead-letter queue."""
        policy: dict[str, Any] = delivery.target.get("RetryPolicy", {})
        most = policy.get("MaximumRetryAttempts", MAX_ATTEMPTS)
        oldest = policy.get("MaximumEventAgeInSeconds", MAX_AGE_SECONDS)
        wait = min(2.0 ** min(attempts, 8) * 0.5, 60.0)
        permanent = isinstance(error, targets.Refused)
        if permanent or attempts > most or now + wait - created > oldest:
            _log.warning("rule %s: %s was not delivered: %s", delivery.rule, delivery.target["Arn"], error)
            targets.dead_letter(self._app, delivery, attempts, error)
            return False
        with self._app.store.transaction() as store:
            store.write("UPDATE deliveries SET attempts=?, due=? WHERE id=?", attempts, now + wait, delivery.row)
        return True


__all__ = ["Deliveries", "outbox"]
