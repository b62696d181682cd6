"""Moves the built images from one registry to another in three ways: `python -m bench.promotion [--json FILE]`.

Each way starts with an empty target, and docker with an engine that holds no image, as a fresh CI agent does. Three
rounds: a new release, the same release again, and a release in which one image has one small layer more. Bytes are
counted between client and registries, both ways. Seconds depend on the machine, ratios hold.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.promotion.registries import Counted, Missing, engine, need, registry
from pipeline import settings
from pipeline.names import STEPS, Names
from promotion import images
from promotion.manifest import digest
from promotion.registry import Registry

ROUNDS = ("new", "same again", "one image changed")
CHANGED = "infer"

Release = Mapping[str, str]
"""Repository → digest."""
Way = Callable[[Counted, Counted, Release, str], None]


def baton(source: Counted, target: Counted, release: Release, tag: str) -> None:
    """Copy as `promote` does, which has its imports done by then."""
    images.copy(source.registry, target.registry, release, tag)


def skopeo(source: Counted, target: Counted, release: Release, tag: str) -> None:
    """One `skopeo copy` per image."""
    plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    for repository, found in release.items():
        registries = [
            f"docker://{source.address}/{repository}@{found}",
            f"docker://{target.address}/{repository}:{tag}",
        ]
        _quiet([need("skopeo"), "copy", "--all", *plain, *registries])


def docker(host: str) -> Way:
    """Return the way of `docker pull`, `tag` and `push` with the engine at an address."""

    def way(source: Counted, target: Counted, release: Release, tag: str) -> None:
        environment = {"DOCKER_HOST": host}
        for repository, found in release.items():
            pulled, pushed = f"{source.address}/{repository}@{found}", f"{target.address}/{repository}:{tag}"
            for arguments in (["pull", "--quiet", pulled], ["tag", pulled, pushed], ["push", "--quiet", pushed]):
                _quiet([need("docker"), *arguments], environment)

    return way


def fill(source: Counted) -> tuple[dict[str, str], dict[str, str]]:
    """Push the built images, and make a second release of which one image has a layer more.

    Raises:
        Missing: an image isn't built, or no engine answers.
    """
    names, first = Names(settings.load("dev")), {}
    for step in STEPS:
        repository = names.repository(step)
        _quiet([need("docker"), "tag", f"{repository}:latest", f"{source.address}/{repository}:bench"])
        _quiet([need("docker"), "push", "--quiet", f"{source.address}/{repository}:bench"])
        _quiet([need("docker"), "rmi", "--no-prune", f"{source.address}/{repository}:bench"])
        first[repository] = source.registry.tagged(repository, "bench")
    changed = names.repository(CHANGED)
    return first, first | {changed: _with_a_layer(source.registry, changed, first[changed])}


def _with_a_layer(at: Registry, repository: str, found: str) -> str:
    content, media_type = at.manifest(repository, found)
    manifest = json.loads(content)
    config = json.loads(b"".join(at.blob(repository, manifest["config"]["digest"])))
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w:gz") as tar:
        entry = tarfile.TarInfo("app/changed")
        entry.size = 100_000
        tar.addfile(entry, io.BytesIO(os.urandom(100_000)))
    packed = layer.getvalue()
    config["rootfs"]["diff_ids"].append(digest(gzip.decompress(packed)))
    config.get("history", []).append({"created_by": "bench"})
    for value, key in ((json.dumps(config).encode(), "config"), (packed, "layers")):
        at.put_blob(repository, digest(value), len(value), iter([value]))
        described = {"digest": digest(value), "size": len(value)}
        if key == "config":
            manifest["config"] |= described
        else:
            manifest["layers"].append({"mediaType": manifest["layers"][-1]["mediaType"], **described})
    changed = json.dumps(manifest).encode()
    at.put_manifest(repository, digest(changed), changed, media_type)
    return digest(changed)


def _quiet(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, env=os.environ | dict(environment or {}), capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"{Path(command[0]).name} {command[1]} failed: {done.stderr.strip().splitlines()[-1]}")


def measure(way: Way, source: Counted, target: Counted, releases: list[Release]) -> list[dict[str, float]]:
    """Return seconds and megabytes of each round; every image's digest at the target is checked after it."""
    found = []
    for number, release in enumerate(releases):
        source.moved(), target.moved()
        began = time.perf_counter()
        way(source, target, release, f"release-{number}")
        seconds = time.perf_counter() - began
        moved = source.moved() + target.moved()
        same = [target.registry.tagged(name, f"release-{number}") == value for name, value in release.items()]
        found.append({"seconds": seconds, "megabytes": moved / 1e6, "digests_kept": sum(same)})
    return found


def main() -> int:
    """Measure every way, print the table; return 1 if the images can't be had."""
    parser = argparse.ArgumentParser(prog="python -m bench.promotion", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        try:
            source = stack.enter_context(registry(folder / "source"))
            first, second = fill(source)
        except Missing as error:
            print(f"{error}; the images are built by `make build`.", file=sys.stderr)
            return 1
        ways: dict[str, Way] = {"baton": baton, "skopeo copy": skopeo}
        try:
            ways["docker pull, tag, push"] = docker(stack.enter_context(engine(folder / "engine")))
        except Missing as error:
            print(f"docker pull, tag, push: not measured, {error}.")
        metrics = {}
        for name, way in ways.items():
            with registry(folder / name.replace(" ", "-")) as target:
                try:
                    metrics[name] = measure(way, source, target, [first, first, second])
                except Missing as error:
                    print(f"{name}: not measured, {error}.")
    _print(metrics)
    if options.json:
        options.json.write_text(
            json.dumps({name: dict(zip(ROUNDS, rows, strict=True)) for name, rows in metrics.items()}, indent=1)
        )
    return 0


def _print(metrics: Mapping[str, list[dict[str, float]]]) -> None:
    peer = metrics.get("docker pull, tag, push")
    print(f"{'five images':24}" + "".join(f"{name:>36}" for name in ROUNDS))
    for name, rows in metrics.items():
        line = f"{name:24}"
        for number, row in enumerate(rows):
            ratio = f" {row['seconds'] / peer[number]['seconds']:5.2f}×" if peer else ""
            line += f"{row['seconds']:10.2f} s{row['megabytes']:9.1f} MB{ratio:>7} {row['digests_kept']:.0f}/5"
        print(line)
    print("seconds, bytes both ways through both registries, time as a share of docker's, digests kept")


if __name__ == "__main__":
    sys.exit(main())
