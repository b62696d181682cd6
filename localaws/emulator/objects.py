"""The files of S3's objects: the bytes of each, and beside them what S3 knows of them.

ministack writes the two one after the other, and takes bytes without the rest, or the rest without bytes, for an
object of another kind or for none. So here what is known of the bytes has their digest, both are written before
either is renamed, and a removal begins with one rename: what a killed localaws left half done can be told from damage.

    s3/ACCOUNT/BUCKET/KEY              the bytes
    s3/ACCOUNT/BUCKET/KEY.meta.json    what is known of them, of earlier versions, or of a delete marker
    s3/.versions/ACCOUNT/BUCKET/VERSION/KEY    the bytes of an earlier version

A key that can't be a path is a name in the folder `.ministack-keys` of its bucket or version.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from localaws.statefiles import OBJECTS, SERVICES, Damaged, content_of, read

_log = logging.getLogger("localaws.emulator")

_failed: ContextVar[list[Exception]] = ContextVar("failed")
"""What could not be written for the request that is being answered."""

_KNOWN = ".meta.json"
_NEW = ".tmp"
"""Ends the name of what is being written; no key ends so as a path."""
_GONE = ".gone.tmp"
"""Ends the name of what is being removed."""
_GONE_BUCKET = "__gone"
"""Ends the name of a bucket's folder that is being removed; no bucket's name may have it."""
_LONGEST = 200
_ENCODED, _VERSIONS = ".ministack-keys", ".versions"


def failures() -> list[Exception]:
    """Return the list to which what can't be written for this request is added."""
    found: list[Exception] = []
    _failed.set(found)
    return found


def own_files(ministack: Any) -> None:
    """Write and remove the files of objects in steps that a kill can't leave unclear."""
    storage = ministack._get_module("s3")

    def noting(act: Callable[..., None]) -> Callable[..., None]:
        """Note what fails: ministack logs that and answers as if it hadn't."""

        def acting(*given: Any, **named: Any) -> None:
            try:
                act(*given, **named)
            except OSError as error:
                _failed.get([]).append(error)
                _log.warning("an object's file could not be written: %s", error.strerror)

        return acting

    def persist(bucket: str, key: str, record: dict[str, Any]) -> None:
        if (path := storage._object_disk_path(bucket, key)) is None:
            return
        known = {
            **storage._object_meta_from_record(record),
            **storage._key_history_meta(bucket, key),
            "key": key,
        }
        _write_pair(Path(path), record.get("body"), known)
        # The bytes are read from the disk from now on.
        record["body"] = None
        base = Path(storage.DATA_DIR, storage.get_account_id(), bucket)
        storage._remove_key_files(storage._other_key_disk_path(str(base), key, path))

    def remove(path: str | None) -> None:
        if path:
            _remove_pair(Path(path))

    def remove_version(bucket: str, key: str, version: str) -> None:
        path = storage._version_disk_path(bucket, key, version)
        if path is not None and (file := Path(path)).exists():
            # Removed for good with the next start, which sees whether the key still names it.
            file.replace(path + _GONE)

    def remove_bucket(name: str) -> None:
        folder = Path(storage.DATA_DIR, storage.get_account_id(), name)
        if name and folder.is_dir():
            folder.rename(_free_name(folder))

    plain = storage._atomic_write

    def write(*given: Any, **named: Any) -> None:
        try:
            plain(*given, **named)
        except OSError as error:
            _failed.get([]).append(error)
            raise

    storage._atomic_write = write
    storage._persist_object = noting(persist)
    storage._remove_key_files = noting(remove)
    storage._delete_version_file = noting(remove_version)
    storage._delete_persisted_bucket = noting(remove_bucket)


def _free_name(folder: Path) -> Path:
    number = 0
    while (found := folder.with_name(f"{folder.name}{_GONE_BUCKET}{number}")).exists():
        number += 1
    return found


def _write_pair(path: Path, content: bytes | None, known: dict[str, Any]) -> None:
    """Write an object's bytes (None: they stay as they are) and what is known of them. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(path.name + _KNOWN)
    same = content is None
    content = path.read_bytes() if content is None else content
    known = {**known, "sha256": hashlib.sha256(content).hexdigest()}
    new = [(path, content)] * (not same) + [(beside, json.dumps(known).encode())]
    try:
        for file, bytes_of in new:
            part = file.with_name(file.name + _NEW)
            part.touch(mode=0o600)
            part.write_bytes(bytes_of)
    except OSError:
        for file, _ in new:
            with contextlib.suppress(OSError):
                file.with_name(file.name + _NEW).unlink(missing_ok=True)
        raise
    for file, _ in new:
        file.with_name(file.name + _NEW).replace(file)


def _remove_pair(path: Path) -> None:
    """Remove an object's files; the first rename decides. Raises OSError."""
    beside = path.with_name(path.name + _KNOWN)
    gone = beside.with_name(beside.name + _GONE)
    if beside.is_file():
        beside.replace(gone)
    if path.is_file():
        path.unlink()
    # Unlike unlink with missing_ok, this takes a path below another key's file for none.
    if gone.is_file():
        gone.unlink()


def buckets(payload: dict[str, Any]) -> set[tuple[str, str]]:
    """Return account and name of each bucket that S3's own file knows."""
    kept = payload.get("buckets_meta")
    scoped = kept.get("data") if isinstance(kept, dict) else None
    found = set()
    for key in scoped if isinstance(scoped, dict) else ():
        account, _, name = key.partition("\0")
        found.add((account, name.strip("'\"")))
    return found


def check(state: Path, known: set[tuple[str, str]]) -> Iterator[Damaged]:
    """Look through the files of all objects, and change nothing.

    Args:
        state: the state folder.
        known: account and name of each bucket that must be there.
    """
    base = state / OBJECTS
    for folder, in_it in ((base, None), *((account, base) for account in _entries(base, state))):
        if isinstance(folder, Damaged):
            yield folder
            return
        if os.path.lexists(folder) and not folder.is_dir():
            yield Damaged(folder, "it isn't a folder", state)
        elif in_it is not None and folder.name != _VERSIONS:
            for bucket in _entries(folder, state):
                if isinstance(bucket, Damaged):
                    yield bucket
                elif not bucket.is_dir():
                    yield Damaged(bucket, "it isn't a bucket's folder", state)
                elif _GONE_BUCKET not in bucket.name:
                    yield from _check_bucket(bucket, state)
    for account, name in sorted(known):
        folder = base / account / name
        if not folder.exists() and not list(folder.parent.glob(f"{name}{_GONE_BUCKET}*")):
            yield Damaged(folder, "the bucket's folder is missing", state)


def _entries(folder: Path, state: Path) -> Iterator[Any]:
    try:
        yield from sorted(folder.iterdir()) if folder.is_dir() else ()
    except OSError as error:
        yield Damaged(folder, f"it can't be read ({error.strerror})", state)


def _check_bucket(folder: Path, state: Path) -> Iterator[Damaged]:
    versions = state / OBJECTS / _VERSIONS / folder.parent.name / folder.name
    mentioned: set[Path] = set()
    for path in _paths(folder):
        try:
            mentioned |= _check_object(path, versions, state)
        except Damaged as damaged:
            yield damaged
    for file in sorted(versions.rglob("*")) if versions.is_dir() else ():
        if file.is_file() and not file.name.endswith(_NEW) and file not in mentioned:
            version, *key = file.relative_to(versions).parts
            if not any(_is_known(path) for path in _places(folder, "/".join(key))):
                beside = folder.joinpath(*key[:-1], key[-1] + _KNOWN)
                yield Damaged(beside, f"it is missing, though the object's version {version} is there", state)


def _is_known(path: Path) -> bool:
    return os.path.lexists(path.with_name(path.name + _KNOWN)) or _going(path)


def _going(path: Path) -> bool:
    return path.with_name(path.name + _KNOWN + _GONE).exists()


def _places(folder: Path, key: str) -> list[Path]:
    """Where a key's file may lie in a folder, given the key or the name that stands for it."""
    name = key.removeprefix(f"{_ENCODED}/")
    if name != key:
        return [folder / _ENCODED / name, folder / unquote(name).lstrip("/")]
    return [folder / _ENCODED / _encoded(key), folder / key]


def _encoded(key: str) -> str:
    name = quote(key, safe="").replace(".", "%2E")
    return name if len(name) <= _LONGEST else "sha256-" + hashlib.sha256(key.encode()).hexdigest()


def _paths(folder: Path) -> Iterator[Path]:
    """Where the bytes of each object are, or would be."""
    found = set()
    for inside, _, names in os.walk(folder):
        for name in names:
            if not name.endswith(_NEW):
                found.add(Path(inside, name.removesuffix(_KNOWN)))
    yield from sorted(found)


def _check_object(path: Path, versions: Path, state: Path) -> set[Path]:
    """Return the files of an object's earlier versions. Raises Damaged."""
    beside = path.with_name(path.name + _KNOWN)
    if os.path.lexists(path) and not os.path.lexists(beside):
        if _going(path) or _follows(path, beside):
            return set()
        raise Damaged(path, f"what is known of the object, {beside.name}, is missing", state)
    try:
        known = json.loads(content_of(beside, state))
        if not isinstance(known, dict):
            raise ValueError
    except ValueError:
        raise Damaged(beside, "it isn't whole JSON", state) from None
    marker = known.get("is_delete_marker")
    if not marker and not _follows(path, beside):
        if not os.path.lexists(path):
            raise Damaged(path, "the object's bytes are missing", state)
        if why := _differs(content_of(path, state), known):
            raise Damaged(path, why, state)
    current = None if marker else known.get("version_id") or "null"
    return set(_check_versions(path, known, current, versions, state))


def _check_versions(
    path: Path, known: dict[str, Any], current: str | None, versions: Path, state: Path
) -> Iterator[Path]:
    for version in known.get("versions") or ():
        if version.get("is_delete_marker") or version.get("version_id") == current:
            continue
        file = _version_file(versions / str(version.get("version_id")), str(known.get("key", "")))
        if not file.exists() and file.with_name(file.name + _GONE).exists():
            continue
        if why := _differs(content_of(file, state), {name: version.get(name) for name in ("size", "etag")}):
            raise Damaged(file, why, state)
        yield file


def _version_file(folder: Path, key: str) -> Path:
    file = folder / _ENCODED / _encoded(key)
    there = file.exists() or file.with_name(file.name + _GONE).exists()
    return file if there or key.startswith("/") or ".." in key.split("/") else folder / key


def _differs(content: bytes, known: dict[str, Any]) -> str:
    size, etag = known.get("size"), str(known.get("etag") or "").strip('"')
    if isinstance(size, int) and len(content) != size:
        return f"the object has {len(content)} bytes of {size}"
    if digest := known.get("sha256"):
        same = hashlib.sha256(content).hexdigest() == digest
    else:
        same = not re.fullmatch("[0-9a-f]{32}", etag) or hashlib.md5(content).hexdigest() == etag
    return "" if same else "the object's bytes changed on the disk (its digest differs)"


def _follows(path: Path, beside: Path) -> bool:
    """Whether what is known of the bytes lies there whole, and only its renaming is missing."""
    try:
        known = json.loads(beside.with_name(beside.name + _NEW).read_bytes())
        return "sha256" in known and not _differs(path.read_bytes(), known)
    except (OSError, ValueError, TypeError):
        return False


def tidy(state: Path) -> None:
    """Finish or take back what was half done when localaws was killed. Raises OSError."""
    base = state / OBJECTS
    _tidy_buckets(state, base)
    for new in [*base.glob(f"*/*/**/*{_KNOWN}{_NEW}")]:
        beside = new.with_name(new.name.removesuffix(_NEW))
        if _follows(beside.with_name(beside.name.removesuffix(_KNOWN)), beside):
            new.replace(beside)
    for gone in [*base.glob(f"*/*/**/*{_KNOWN}{_GONE}")]:
        path = gone.with_name(gone.name.removesuffix(_KNOWN + _GONE))
        if not path.with_name(path.name + _KNOWN).exists():
            path.unlink(missing_ok=True)
        gone.unlink()
    for gone in [*(base / _VERSIONS).glob(f"*/*/*/**/*{_GONE}")]:
        if _mentioned(gone, base):
            gone.replace(gone.with_name(gone.name.removesuffix(_GONE)))
        else:
            gone.unlink()
    for beside in [*base.glob(f"*/*/**/*{_KNOWN}")]:
        _seal(beside)
    for left in [*base.glob(f"**/*{_NEW}")]:
        if left.is_file():
            left.unlink()


def _seal(beside: Path) -> None:
    """Note the digest of bytes of which only the size, or a digest of their parts, is known."""
    known = json.loads(beside.read_bytes())
    path = beside.with_name(beside.name.removesuffix(_KNOWN))
    if "sha256" not in known and not known.get("is_delete_marker"):
        _write_pair(path, None, known)


def _tidy_buckets(state: Path, base: Path) -> None:
    file = state / SERVICES / "s3.json"
    known = buckets(read(file, state)[0]["payload"]) if file.exists() else set()
    for gone in [*base.glob(f"*/*{_GONE_BUCKET}*")]:
        folder = gone.with_name(gone.name.partition(_GONE_BUCKET)[0])
        if (folder.parent.name, folder.name) in known and not folder.exists():
            gone.rename(folder)
        else:
            shutil.rmtree(gone)


def _mentioned(gone: Path, base: Path) -> bool:
    account, bucket, version, *key = gone.relative_to(base / _VERSIONS).parts
    path = base.joinpath(account, bucket, *key)
    beside = path.with_name(path.name.removesuffix(_GONE) + _KNOWN)
    try:
        known = json.loads(beside.read_bytes())
    except (OSError, ValueError):
        return False
    current = known.get("version_id") or "null"
    if not known.get("is_delete_marker") and current == version:
        return False
    return any(item.get("version_id") == version for item in known.get("versions") or ())
