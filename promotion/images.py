"""Copies images between registries by digest: only what is missing moves, and the tag comes last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from promotion.errors import DigestMissing, RegistryFailed
from promotion.registry import Registry

AT_ONCE = 4
TRIES = 3


@dataclass
class Transfer:
    """What a copy did: blobs sent, blobs taken over within the registry, images there before, bytes sent."""

    sent: int = 0
    mounted: int = 0
    present: int = 0
    size: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, **counts: int) -> None:
        """Add to the counts, from any thread."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

    def sentence(self) -> str:
        """Return the counts in words."""
        return (
            f"{self.sent} layers sent ({self.size / 1e6:.1f} MB), {self.mounted} mounted, "
            f"{self.present} images were there"
        )


@dataclass
class _Blob:
    """A blob, where to get it, and the repositories that miss it."""

    size: int
    source: str
    wanted_in: list[str]


def check(registry: Registry, images: Mapping[str, str], tag: str | None = None) -> None:
    """Demand that a registry holds every image (repository → digest), under the tag if one is given.

    Raises:
        DigestMissing, DigestMismatch, TagMoved: it doesn't; the message names the repository.
        UnsuitableImage: SageMaker wouldn't take one.
    """
    for repository, digest in images.items():
        registry.suitable(repository, digest)
    for repository, digest in images.items() if tag is not None else ():
        registry.check_tag(repository, tag, digest)


def copy(source: Registry, target: Registry, images: Mapping[str, str], tag: str) -> Transfer:
    """Copy images (repository → digest) and give each the tag, after all of them are there whole.

    Run again after an interruption, it sends only what is still missing.

    Raises:
        DigestMissing, DigestMismatch, TagMoved, RegistryFailed: nothing has the tag that isn't whole.
        UnsuitableImage: SageMaker wouldn't take one; nothing is copied.
    """
    done = Transfer()
    for repository, digest in images.items():
        target.check_tag(repository, tag, digest, absent=True)
    manifests: list[tuple[str, str, bytes, str]] = []
    blobs: dict[str, _Blob] = {}
    for repository, digest in images.items():
        if target.holds(repository, "manifests", digest):
            done.add(present=1)
        else:
            _collect(source, repository, digest, manifests, blobs)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        placed = [
            pool.submit(_context, source, target, digest, blob, [*images], done) for digest, blob in blobs.items()
        ]
        for result in placed:
            result.result()
    for repository, digest, content, media_type in manifests:
        target.put_manifest(repository, digest, content, media_type)
    check(target, images)
    for repository, digest in images.items():
        target.put_tag(repository, tag, digest)
    return done


def _collect(
    source: Registry,
    repository: str,
    digest: str,
    manifests: list[tuple[str, str, bytes, str]],
    blobs: dict[str, _Blob],
) -> None:
    """Gather an image's manifest and blobs."""
    content, media_type = source.suitable(repository, digest)
    value = json.loads(content)
    for part in [value["config"], *value["layers"]]:
        if not part.get("urls"):  # such a layer is fetched from where it says, never from a registry
            blob = blobs.setdefault(part["digest"], _Blob(part["size"], repository, []))
            if repository not in blob.wanted_in:
                blob.wanted_in.append(repository)
    manifests.append((repository, digest, content, media_type))


def _context(
    source: Registry, target: Registry, digest: str, blob: _Blob, repositories: list[str], done: Transfer
) -> None:
    """Send a blob at most once, and mount it where another of the repositories has it."""
    missing = [name for name in blob.wanted_in if not target.holds(name, "blobs", digest)]
    others = (name for name in repositories if name not in missing)
    holder = next((name for name in others if missing and target.holds(name, "blobs", digest)), None)
    for repository in missing:
        if holder and target.mount(repository, digest, holder):
            done.add(mounted=1)
        else:
            _send(source, target, repository, digest, blob)
            done.add(sent=1, size=blob.size)
        holder = holder or repository


def _send(source: Registry, target: Registry, repository: str, digest: str, blob: _Blob) -> None:
    for tried in range(1, TRIES + 1):
        try:
            target.put_blob(repository, digest, blob.size, source.blob(blob.source, digest))
            return
        except DigestMissing:
            raise
        except RegistryFailed:
            if tried == TRIES:
                raise
