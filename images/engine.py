"""The Docker engine, through its command line.

Builds need BuildKit. A command line from version 23 on has it only with the buildx plug-in, an older one
has it built in; of several that are installed, the first that can is used. DOCKER names one explicitly.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

LINES_OF_BUILD = 12


ATTESTATIONS = ("--provenance=false", "--sbom=false")


class NotBuilt(Exception):
    """An image, or what it needs, could not be made. The message is one sentence, of a build its last lines too."""


class Engine:
    """One engine: the one that DOCKER_HOST names, or the usual socket."""

    def __init__(self, command: str, environment: Mapping[str, str] | None = None):
        self.command = command
        self.environment = {**os.environ, **(environment or {}), "DOCKER_BUILDKIT": "1"}

    def run(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run one command to its end and return its output.

        Raises:
            NotBuilt: the command failed; the message holds the last line of what it said, of a build the last few.
        """
        done = subprocess.run([self.command, *arguments], input=stdin, capture_output=True, env=self.environment)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
            lines = "\n".join(said[-LINES_OF_BUILD:]) if arguments[0] == "build" else said[-1]
            raise NotBuilt(f"docker {arguments[0]} failed: {lines}")
        return done.stdout.decode()

    @functools.cached_property
    def one_image(self) -> list[str]:
        """Options of a build that give one image for SageMaker's instances, and no attestations beside it.

        With attestations BuildKit gives an index, which SageMaker doesn't take; builders from before them know no
        such option.
        """
        known = self.run("build", "--help")
        return ["--platform=linux/amd64", *(flag for flag in ATTESTATIONS if flag.partition("=")[0] in known)]

    def has(self, image: str) -> bool:
        """Whether the engine holds the image."""
        return bool(self.inspect(image))

    def inspect(self, image: str) -> dict:
        """What `docker image inspect` knows of the image; empty if the engine does not hold it."""
        done = subprocess.run([self.command, "image", "inspect", image], capture_output=True, env=self.environment)
        return json.loads(done.stdout)[0] if done.returncode == 0 else {}


def find() -> Engine | None:
    """The engine that answers, with a command line that can build; None if there is none."""
    for command in _commands():
        version = _answer(command, "version", "--format", "{{.Client.Version}}")
        if version is None:
            continue
        if int(version.split(".")[0]) < 23 or _answer(command, "buildx", "version") is not None:
            return Engine(command)
    return None


def require() -> Engine:
    """Like `find`.

    Raises:
        NotBuilt: no engine answers, or no command line can use BuildKit.
    """
    engine = find()
    if engine is None:
        raise NotBuilt(
            "No Docker engine answers to a command line with BuildKit (buildx); "
            "start one with .ci/docker up, or set DOCKER_HOST and DOCKER"
        )
    return engine


def _commands() -> Iterable[str]:
    if named := os.environ.get("DOCKER"):
        yield named
        return
    for folder in os.get_exec_path():
        if found := shutil.which("docker", path=folder):
            yield str(Path(found))


def _answer(command: str, *arguments: str) -> str | None:
    try:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
