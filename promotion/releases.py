"""Releases in the registry account: their files, manifest, signature and marks, and what ran where and when.

releases/versions/<version>/…                 the files, then manifest.json, then signature.json
releases/versions/<version>/failed/<environment>.json
releases/history/<environment>/<number>.json  one object per event; none is ever changed
releases/locks/<environment>.json             see promotion.lock
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from promotion import signing
from promotion.accounts import Account, who
from promotion.errors import (
    ReleaseExists,
    ReleaseFailed,
    ReleaseNotSigned,
    ReleaseTampered,
    ReleaseUnknown,
)
from promotion.manifest import VERSION, Manifest, digest
from promotion.objects import Objects, Taken, to_json

PROMOTE, DEPLOY, ROLLBACK, AUTOMATIC_ROLLBACK = "promote", "deploy", "rollback", "automatic-rollback"
OLDER = {"put-back": AUTOMATIC_ROLLBACK, "told": "notified"}
"""Words of events that were written before the present ones."""
MANIFEST, SIGNATURE = "manifest.json", "signature.json"


@dataclass(frozen=True)
class Event:
    """One thing that happened to an environment.

    Attributes:
        what: approved, refused, applied, failed (the smoke-test batch), notified (that it is still there), serving.
        action: promote, deploy, rollback, or automatic-rollback (after a failed smoke-test batch).
        release, identity: the version it is about, and its manifest's digest.
        who, why: the person and the reason where a person decided; else who ran it, and what came of it.
        when: UTC, ISO 8601.
        plan: digest of the plan that was approved or applied.
    """

    what: str
    action: str
    release: str
    identity: str
    who: str
    why: str
    when: str
    plan: str = ""

    @classmethod
    def read(cls, content: bytes) -> Event:
        """Read an event, with today's words for what happened."""
        value = json.loads(content)
        return cls(**{**value, **{name: OLDER.get(value[name], value[name]) for name in ("what", "action")}})


class Releases:
    """Everything that the registry account remembers about releases."""

    def __init__(self, registry: Account) -> None:
        self.registry = registry
        self.objects = Objects(registry)

    def versions(self) -> list[str]:
        """Return every version that has a manifest or files."""
        return sorted(self.objects.names("versions/"))

    def store(self, manifest: Manifest, files: dict[str, bytes]) -> None:
        """Keep a release's files and, after all of them, its manifest. Run again, it finishes.

        Raises:
            ReleaseExists: the version is taken by other content.
        """
        for path, content in [*sorted(files.items()), (MANIFEST, manifest.content())]:
            key = f"versions/{manifest.version}/{path}"
            try:
                self.objects.create(key, content)
            except Taken:
                if self.objects.get(key) != content:
                    raise ReleaseExists(
                        f"Release {manifest.version} exists with another {path}; a version is built once."
                    ) from None

    def sign(self, version: str) -> Manifest:
        """Sign a stored release, unless it is signed already.

        Raises:
            ReleaseUnknown, WrongManifest, ReleaseTampered, ReleaseNotSigned: it can't be.
        """
        content = self._content(version)
        Manifest.read(content, f"Release {version}")
        key = f"versions/{version}/{SIGNATURE}"
        if self.objects.get(key) is None:
            with contextlib.suppress(Taken):
                self.objects.create(key, signing.sign(self.registry, content))
        return self.verified(version)

    def verified(self, version: str) -> Manifest:
        """Return a release's manifest after holding it against its signature.

        Raises:
            ReleaseUnknown: there is no such release.
            ReleaseNotSigned: it has no signature.
            ReleaseTampered: manifest and signature don't belong together.
            WrongManifest: the manifest is malformed.
        """
        content = self._content(version)
        signature = self.objects.get(f"versions/{version}/{SIGNATURE}")
        if signature is None:
            raise ReleaseNotSigned(f"Release {version} is not signed.")
        signing.verify(self.registry, content, signature, f"Release {version}")
        manifest = Manifest.read(content, f"Release {version}")
        if manifest.version != version:
            raise ReleaseTampered(f"Release {version}: the signed manifest is that of {manifest.version}.")
        return manifest

    def _content(self, version: str) -> bytes:
        content = self.objects.get(f"versions/{version}/{MANIFEST}") if VERSION.fullmatch(version) else None
        if content is None:
            raise ReleaseUnknown(f"Release {version or '(none given)'} doesn't exist in the registry account.")
        return content

    def file(self, manifest: Manifest, path: str) -> bytes:
        """Return one of a release's files after holding it against the manifest.

        Raises:
            ReleaseTampered: it is missing, or not what the manifest vouches for.
        """
        content = self.objects.get(f"versions/{manifest.version}/{path}")
        if content is None or digest(content) != manifest.files()[path]:
            state = "missing" if content is None else "not what was signed"
            raise ReleaseTampered(f"Release {manifest.version}: {path} is {state}.")
        return content

    def fetch(self, manifest: Manifest, into: Path) -> Path:
        """Write a release's manifest and files into the folder `into`/<version>; return it."""
        target = into / manifest.version
        if _holds(target, manifest):
            return target
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into, prefix=".release-") as scratch:
            folder = Path(scratch) / "release"
            for path in manifest.files():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(self.file(manifest, path))
            folder.mkdir(exist_ok=True)
            (folder / MANIFEST).write_bytes(manifest.content())
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)
        return target

    def mark(self, manifest: Manifest, environment: str, why: str) -> None:
        """Mark a release as failed in an environment."""
        content = to_json({"why": why, "who": who(), "when": now()})
        with contextlib.suppress(Taken):
            self.objects.create(f"versions/{manifest.version}/failed/{environment}.json", content)

    def unmarked(self, manifest: Manifest, environment: str) -> None:
        """Demand that a release isn't marked as failed in an environment.

        Raises:
            ReleaseFailed: it is; the message says why.
        """
        content = self.objects.get(f"versions/{manifest.version}/failed/{environment}.json")
        if content is not None:
            mark = json.loads(content)
            raise ReleaseFailed(f"Release {manifest.version} failed in {environment} at {mark['when']}: {mark['why']}")

    def record(self, environment: str, what: str, action: str, manifest: Manifest, why: str, **more: str) -> Event:
        """Append an event to an environment's history; `who` may be given among `more`."""
        event = Event(what, action, manifest.version, manifest.identity, more.pop("who", who()), why, now(), **more)
        number = max(self._numbers(environment), default=0) + 1
        while True:
            try:
                self.objects.create(f"history/{environment}/{number:06}.json", to_json(asdict(event)))
                return event
            except Taken:
                number += 1

    def history(self, environment: str) -> Iterator[Event]:
        """Give an environment's events, the newest first."""
        for number in sorted(self._numbers(environment), reverse=True):
            content = self.objects.get(f"history/{environment}/{number:06}.json")
            if content is not None:
                yield Event.read(content)

    def serving(self, environment: str) -> Event | None:
        """Return the event by which the environment's present release began to serve, if there is one."""
        return next((event for event in self.history(environment) if event.what == "serving"), None)

    def line(self, environment: str) -> list[str]:
        """Return the releases that a rollback walks back along: the last is the present one.

        A release that was rolled back is no longer in it, so rolling back twice goes back by two.
        """
        line: list[str] = []
        for event in reversed([event for event in self.history(environment) if event.what == "serving"]):
            if event.release in line and event.action in (ROLLBACK, AUTOMATIC_ROLLBACK):
                del line[line.index(event.release) + 1 :]
            elif line[-1:] != [event.release]:
                line.append(event.release)
        return line

    def store_plan(self, content: bytes) -> str:
        """Keep a plan's document, and return its digest."""
        with contextlib.suppress(Taken):
            self.objects.create(f"plans/{digest(content)}.json", content)
        return digest(content)

    def plan(self, found: str) -> bytes | None:
        """Return the plan's document that has this digest."""
        return self.objects.get(f"plans/{found}.json")

    def _numbers(self, environment: str) -> list[int]:
        return [int(name.removesuffix(".json")) for name in self.objects.names(f"history/{environment}/")]


def _holds(folder: Path, manifest: Manifest) -> bool:
    wanted = {**manifest.files(), MANIFEST: manifest.identity}
    return all(
        (folder / path).is_file() and digest((folder / path).read_bytes()) == found for path, found in wanted.items()
    )


def now() -> str:
    """Return the time, UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
