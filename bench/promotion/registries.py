"""Where it happens: registries that start empty, each behind a relay that counts, and an engine without images."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from promotion.registry import Registry

READY_SECONDS = 60


class Missing(Exception):
    """A program that a contender needs isn't here; the message names it."""


def need(program: str) -> str:
    """Return a program's path. Raises Missing."""
    found = shutil.which(program)
    if found is None:
        raise Missing(f"{program} isn't installed")
    return found


@dataclass
class Counted:
    """A registry of its own, seen through a relay.

    Attributes:
        address: of the relay, host:port.
        registry: client of it.
    """

    address: str
    registry: Registry
    _relay: subprocess.Popen

    def moved(self) -> int:
        """Return the bytes that went through, both ways, since this was asked last."""
        self._relay.stdin.write("\n")
        self._relay.stdin.flush()
        return int(self._relay.stdout.readline())


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[Counted]:
    """Serve an empty registry from a folder; Debian's docker-registry, or what REGISTRY_SERVER names.

    Raises:
        Missing: it isn't installed.
    """
    program = need(os.environ.get("REGISTRY_SERVER") or "docker-registry")
    folder.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = "{}:{}".format(*probe.getsockname())
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\nhttp: {{addr: {address}}}\n"
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log, start_new_session=True)
    relay = subprocess.Popen(
        [sys.executable, "-m", "bench.promotion.counting", address],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        _until(lambda: socket.create_connection(address.split(":")).close())
        through = relay.stdout.readline().strip()
        yield Counted(through, Registry(f"http://{through}"), relay)
    finally:
        for process in (relay, server):
            process.terminate()
            process.wait()


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[str]:
    """Run a Docker engine that holds no image; give its address for DOCKER_HOST.

    Raises:
        Missing: dockerd isn't installed, or can't be run by this user.
    """
    program = need("dockerd")
    if os.geteuid() != 0:
        raise Missing("an engine of its own is started as root only")
    folder.mkdir(parents=True)
    address = f"unix://{folder / 'socket'}"
    options = [f"--host={address}", f"--data-root={folder / 'data'}", f"--exec-root={folder / 'exec'}"]
    # Not --bridge=none: that takes docker0 away from every other engine of the machine.
    options += [f"--pidfile={folder / 'pid'}", "--iptables=false", "--ip6tables=false"]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen([program, *options], stdout=log, stderr=log, start_new_session=True)
    try:
        command = [need("docker"), "version"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        _until(lambda: subprocess.run(command, env=os.environ | {"DOCKER_HOST": address}, check=True, **quiet))
        yield address
    finally:
        daemon.terminate()
        daemon.wait()


def _until(attempt) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            attempt()
            return
        except (OSError, subprocess.CalledProcessError):
            if time.monotonic() > deadline:
                raise Missing(f"what was started did not answer within {READY_SECONDS} s") from None
            time.sleep(0.05)
