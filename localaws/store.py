"""The state on disk: one SQLite file, written before a call is answered."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws import database, disk

_log = logging.getLogger("localaws")


@dataclass(frozen=True)
class Key:
    """What identifies a record: its kind (`Pipeline`, `TrainingJob`, …), where it lives, its name there."""

    kind: str
    account: str
    region: str
    name: str


@dataclass
class Record:
    """A resource. `body` is what Describe… answers, with members of our own beginning with `_`."""

    key: Key
    body: dict[str, Any]
    status: str = ""
    parent: str = ""
    created: float = 0.0
    modified: float = 0.0
    id: int = 0


class Store:
    """Records, events to deliver and idempotency tokens; all writes happen in a transaction."""

    def __init__(self, path: Path) -> None:
        """Open a database in which nothing is damaged (see `database.check`), or begin one. Raises DiskFull."""
        self._lock = threading.RLock()
        self._depth = 0
        self._after: list[Any] = []
        self.path, self._folder = path, path.parent
        with self._told():
            self._connection = database.connect(path)
            database.prepare(self._connection)
            self._count = database.Count(path.parent, self._connection)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()
            self._count.close()

    def keep_copy(self) -> None:
        """Keep a copy of the database beside it, where there is room for one."""
        try:
            disk.require(self._folder, self.path.stat().st_size)
            with self._lock:
                database.keep_copy(self._connection, self.path)
        except (disk.DiskFull, OSError, sqlite3.Error) as error:
            _log.warning("no new copy of %s could be kept: %s", self.path, error)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Store]:
        """All of the block's writes or none; on disk when the block ends.

        May be nested: an inner block that raises takes back its own writes only, if the outer one goes on.
        Raises DiskFull.
        """
        with self._told(), self._lock:
            level, mark = self._depth, len(self._after)
            before, number = self._connection.total_changes, 0
            self._connection.execute(f"SAVEPOINT level{level}" if level else "BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self
                if not level:
                    if self._connection.total_changes != before:
                        number = self._count.next()
                    self._connection.execute("COMMIT")
                    if number:
                        self._count.note(number)
            except BaseException:
                self._depth -= 1
                del self._after[mark:]
                # A full disk has rolled everything back already.
                if self._connection.in_transaction:
                    self._connection.execute(f"ROLLBACK TO level{level}" if level else "ROLLBACK")
                raise
            self._depth -= 1
            if level:
                self._connection.execute(f"RELEASE level{level}")
                return
            after, self._after = self._after, []
        for call in after:
            call()

    def patiently(self, act: Callable[[], Any], given_up: Callable[[], bool]) -> Any:
        """Repeat what must be written until the disk has room for it, or nobody wants it any more."""
        while True:
            try:
                return act()
            except disk.DiskFull:
                if given_up():
                    raise
                time.sleep(disk.LOOKS_AGAIN)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell a full disk from what else may go wrong."""
        try:
            yield
        except sqlite3.Error as error:
            if disk.is_full(error, self._folder):
                raise disk.DiskFull(self._folder) from error
            raise

    def after_commit(self, call: Any) -> None:
        """Call it once the running transaction is on disk; not at all if it is rolled back."""
        self._after.append(call)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def write(self, sql: str, *values: Any) -> int:
        """Run one statement inside the transaction; the id of what it inserted."""
        return int(self._connection.execute(sql, values).lastrowid or 0)

    def get(self, key: Key) -> Record | None:
        """A record by its key."""
        found = self.select("kind=? AND account=? AND region=? AND name=?", _parts(key))
        return found[0] if found else None

    def select(self, where: str, values: Sequence[Any], tail: str = "ORDER BY id") -> list[Record]:
        """The records for which a condition holds."""
        sql = (
            "SELECT kind, account, region, name, body, status, parent, created, modified, id FROM records "
            f"WHERE {where} {tail}"
        )
        return [
            Record(Key(*row[:4]), json.loads(row[4]), row[5], row[6], row[7], row[8], row[9])
            for row in self.rows(sql, *values)
        ]

    def put(self, record: Record) -> None:
        """Insert or replace a record (inside a transaction)."""
        self._connection.execute(
            "INSERT INTO records(kind, account, region, name, body, status, parent, created, modified) "
            "VALUES(?,?,?,?,?,?,?,?,?) ON CONFLICT(kind, account, region, name) DO UPDATE SET "
            "body=excluded.body, status=excluded.status, parent=excluded.parent, modified=excluded.modified",
            (
                *_parts(record.key),
                json.dumps(record.body),
                record.status,
                record.parent,
                record.created,
                record.modified,
            ),
        )

    def setting(self, name: str) -> str | None:
        """A value that localaws keeps about itself."""
        found = self.rows("SELECT value FROM settings WHERE name=?", name)
        return found[0][0] if found else None

    def set_setting(self, name: str, value: str) -> None:
        """Keep a value about localaws itself."""
        with self.transaction():
            self.write("INSERT OR REPLACE INTO settings VALUES(?,?)", name, value)

    def delete(self, key: Key) -> None:
        """Remove a record (inside a transaction)."""
        self._connection.execute("DELETE FROM records WHERE kind=? AND account=? AND region=? AND name=?", _parts(key))


def _parts(key: Key) -> tuple[str, str, str, str]:
    return key.kind, key.account, key.region, key.name
