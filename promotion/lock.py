"""A lease on an environment, kept by conditional writes: two promotions can't interleave.

The holder renews it; a holder that was killed doesn't, and after the lease's seconds the next one takes it.
Age is measured by S3's own clock, so that the clocks of the machines don't matter.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from promotion.accounts import who
from promotion.errors import LockLost, PromotionInProgress
from promotion.objects import Objects, Taken, to_json

LEASE = 30.0
"""Seconds; BATON_LOCK_SECONDS changes it."""


class Lock:
    """The lock of one environment while it is held."""

    def __init__(self, objects: Objects, environment: str, purpose: str) -> None:
        self._objects = objects
        self._key = f"locks/{environment}.json"
        self._environment = environment
        self._lease = float(os.environ.get("BATON_LOCK_SECONDS") or LEASE)
        holder = {"owner": who(), "purpose": purpose, "lease_seconds": self._lease}
        self._content = to_json({**holder, "token": secrets.token_hex(16)})
        self._etag = ""
        self._renewed = 0.0
        self._released = threading.Event()

    def take(self, wait: float | None = None) -> None:
        """Take the lock, waiting up to `wait` seconds; by default, as long as a killed holder's lease lasts.

        Raises:
            PromotionInProgress: somebody else holds it, and renews it.
        """
        deadline = time.monotonic() + (self._lease + 3 if wait is None else wait)
        while not self._try():
            if time.monotonic() >= deadline:
                found = self._objects.get(self._key)
                holder = json.loads(found) if found else {"owner": "somebody", "purpose": "something"}
                raise PromotionInProgress(f"{self._environment} is locked by {holder['owner']} ({holder['purpose']}).")
            time.sleep(min(0.5, self._lease / 4))
        self._renewed = time.monotonic()
        threading.Thread(target=self._keep, name=f"lock-{self._environment}", daemon=True).start()

    def _try(self) -> bool:
        with contextlib.suppress(Taken):
            found = self._objects.look(self._key)
            if found is None:
                self._etag = self._objects.create(self._key, self._content)
                return True
            content, etag, written, now = found
            # S3 tells whole seconds: one more, so that a lease is never cut short.
            if (now - written).total_seconds() > json.loads(content)["lease_seconds"] + 1:
                self._etag = self._objects.replace(self._key, self._content, etag)
                return True
        return False

    def _keep(self) -> None:
        while not self._released.wait(self._lease / 4):
            try:
                self._etag = self._objects.replace(self._key, self._content, self._etag)
                self._renewed = time.monotonic()
            except Taken:
                return
            except (BotoCoreError, ClientError):
                continue  # `check` decides by the time of the last renewal

    def check(self) -> None:
        """Demand that the lock is still held; to be asked before each change.

        Raises:
            LockLost: it could not be renewed in time.
        """
        if time.monotonic() - self._renewed > self._lease:
            raise LockLost(f"The lock of {self._environment} was lost; run the same command again.")

    def release(self) -> None:
        """Give the lock up, if it is still ours."""
        self._released.set()
        with contextlib.suppress(BotoCoreError, ClientError):
            found = self._objects.look(self._key)
            if found and found[0] == self._content:
                self._objects.delete(self._key, found[1])


@contextlib.contextmanager
def held(objects: Objects, environment: str, purpose: str, wait: float | None = None) -> Iterator[Lock]:
    """Hold an environment's lock.

    Raises:
        PromotionInProgress: somebody else holds it.
    """
    lock = Lock(objects, environment, purpose)
    lock.take(wait)
    try:
        yield lock
    finally:
        lock.release()
