"""The database file: its tables, its version, and how damage to it is noticed.

SQLite's own checks find a broken structure, not a byte that changed in a value, and it takes a damaged or missing
write-ahead log for a shorter one. So each row carries a checksum, and a file beside the database counts its commits.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from pathlib import Path
from typing import Any

from localaws.statefiles import DATABASE, LAST, PART, Damaged, last, readable

VERSION = 1
"""Kept as SQLite's user_version; the first localaws had none, and no checksums."""

COUNT = "localaws.count"
"""How many commits the database has had at least, as text."""

_DIGITS = 20
_ROW = "sum INTEGER GENERATED ALWAYS AS (row_checksum({})) STORED"
_TABLES = {
    "records": (
        "id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, "
        "name TEXT NOT NULL, parent TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT '', "
        "created REAL NOT NULL, modified REAL NOT NULL, body TEXT NOT NULL",
        "UNIQUE(kind, account, region, name)",
        "kind, account, region, name, parent, status, created, modified, body",
    ),
    "tokens": (
        "operation TEXT, account TEXT, region TEXT, token TEXT, request TEXT, result TEXT, created REAL",
        "PRIMARY KEY(operation, account, region, token)",
        "operation, account, region, token, request, result, created",
    ),
    "tags": ("arn TEXT, key TEXT, value TEXT", "PRIMARY KEY(arn, key)", "arn, key, value"),
    "cache": (
        "key TEXT, created REAL, execution TEXT, step TEXT, body TEXT",
        "PRIMARY KEY(key)",
        "key, created, execution, step, body",
    ),
    "events": (
        "id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT, region TEXT, bus TEXT, hops INTEGER, body TEXT",
        "",
        "account, region, bus, hops, body",
    ),
    "deliveries": (
        "id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT, region TEXT, rule TEXT, target TEXT, body TEXT, "
        "attempts INTEGER DEFAULT 0, created REAL, due REAL",
        "",
        "account, region, rule, target, body, attempts, created, due",
    ),
    "settings": ("name TEXT, value TEXT", "PRIMARY KEY(name)", "name, value"),
    "commits": ("number INTEGER", "", "number"),
}
_INDEXES = (
    "CREATE INDEX records_parent ON records(kind, account, region, parent, created)",
    "CREATE INDEX records_status ON records(kind, status)",
    "CREATE INDEX deliveries_due ON deliveries(due)",
)


def connect(path: Path, *, reading: bool = False) -> sqlite3.Connection:
    """Open a database, for writing unless told otherwise; reading neither changes nor makes a file."""
    how = "mode=rwc"
    if reading:
        # Without a log SQLite would make one even so.
        how = "mode=ro" if path.with_name(path.name + "-wal").exists() else "immutable=1"
    where = f"{path.absolute().as_uri()}?{how}"
    connection = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False)
    connection.create_function("row_checksum", -1, _row_checksum, deterministic=True)
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables where there are none, and bring those of an earlier version up to this one."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
        indexes = "SELECT name FROM sqlite_master WHERE type='index' AND sql IS NOT NULL"
        for (index,) in connection.execute(indexes).fetchall():
            connection.execute(f"DROP INDEX {index}")
        for table in _TABLES:
            earlier = f"{table}_earlier"
            if table in found:
                connection.execute(f"ALTER TABLE {table} RENAME TO {earlier}")
            connection.execute(_create(table))
            if table in found:
                columns = ("id, " if "AUTOINCREMENT" in _TABLES[table][0] else "") + _TABLES[table][2]
                connection.execute(f"INSERT INTO {table}({columns}) SELECT {columns} FROM {earlier}")
                connection.execute(f"DROP TABLE {earlier}")
        for index in _INDEXES:
            connection.execute(index)
        connection.execute("INSERT INTO commits(number) VALUES(1)")
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _create(table: str) -> str:
    columns, constraint, summed = _TABLES[table]
    parts = [columns, _ROW.format(summed), *([constraint] if constraint else [])]
    return f"CREATE TABLE {table}({', '.join(parts)})"


def _row_checksum(*values: Any) -> int:
    return zlib.crc32(repr(values).encode())


class Count:
    """The commits that the database must have had, in a file of its own."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._file = os.open(folder / COUNT, os.O_RDWR | os.O_CREAT, 0o600)
        self.note(connection.execute("SELECT number FROM commits").fetchone()[0])

    def next(self) -> int:
        """Count the transaction that runs; return its number."""
        self._connection.execute("UPDATE commits SET number=number+1")
        return int(self._connection.execute("SELECT number FROM commits").fetchone()[0])

    def note(self, number: int) -> None:
        """Write down that a transaction is in the database. A disk that can't take it leaves the number behind."""
        with contextlib.suppress(OSError):
            os.pwrite(self._file, f"{number:0{_DIGITS}}\n".encode(), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def check(path: Path) -> None:
    """Look through a database and change nothing. Raises Damaged."""
    state = path.parent
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        if file == path or os.path.lexists(file):
            with readable(file, state), file.open("rb") as opened:
                beginning = opened.read(16)
        if file == path and not beginning:
            raise Damaged(path, "it is empty", state)
        if file == path and beginning != b"SQLite format 3\0":
            raise Damaged(path, "it isn't a SQLite database (its first bytes differ)", state)
    if not os.access(path, os.W_OK):
        raise Damaged(path, "it can't be written (Permission denied)", state)
    try:
        connection = connect(path, reading=True)
        with contextlib.closing(connection):
            if why := _amiss(connection, state / COUNT):
                raise Damaged(path, why, state)
    except (sqlite3.Error, ValueError, OverflowError) as error:
        raise Damaged(path, f"SQLite can't read it ({error})", state) from None


def version(path: Path) -> int:
    """Return the version of a database that is good."""
    return int(_ask(path, "PRAGMA user_version")[0][0])


def setting(path: Path, name: str) -> str | None:
    """Return what a database that is good keeps under a name."""
    found = _ask(path, "SELECT value FROM settings WHERE name=?", name)
    return str(found[0][0]) if found else None


def _ask(path: Path, sql: str, *values: str) -> list[Any]:
    with contextlib.closing(connect(path, reading=True)) as connection:
        return connection.execute(sql, values).fetchall()


def _amiss(connection: sqlite3.Connection, count: Path) -> str:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION or version < 0:
        return f"a later localaws wrote it (version {version}; this one knows up to {VERSION})"
    if (found := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
        return f"SQLite finds it damaged ({' '.join(found.split())})"
    schema = {row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    if version == 0 and os.path.lexists(count):
        return f"its last changes are gone (the log {DATABASE}-wal is missing or damaged)"
    if version == 0:
        known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
        return "" if {"records", "settings"} <= known else "it has none of localaws' tables"
    if not {*map(_create, _TABLES), *_INDEXES} <= schema:
        return "its tables aren't those of its version"
    for table, (_, _, summed) in _TABLES.items():
        unlike = f"SELECT count(*) FROM {table} WHERE sum IS NOT row_checksum({summed})"
        wrong = connection.execute(unlike).fetchone()[0]
        if wrong:
            return f"{wrong} row{'s' if wrong > 1 else ''} of its table {table} changed on the disk"
    return _lost(connection, count)


def _lost(connection: sqlite3.Connection, count: Path) -> str:
    """Say which commits are gone: SQLite takes a damaged log for a shorter one."""
    if not os.path.lexists(count):
        return ""
    with readable(count, count.parent):
        text = count.read_bytes().decode("latin-1").strip()
    if not (len(text) == _DIGITS and text.isdigit()):
        raise Damaged(count, "it isn't a count of commits", count.parent)
    found = connection.execute("SELECT number FROM commits").fetchone()
    lost = int(text) - (found[0] if found else 0)
    if lost <= 0:
        return ""
    return f"its last {lost} change{'s are' if lost > 1 else ' is'} gone (the log {DATABASE}-wal is missing or damaged)"


def keep_copy(connection: sqlite3.Connection, path: Path) -> None:
    """Copy a database that is good to beside it. Raises sqlite3.Error, OSError."""
    part = path.with_name(path.name + LAST + PART)
    try:
        part.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(part)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        part.replace(last(path))
    except (OSError, sqlite3.Error):
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
