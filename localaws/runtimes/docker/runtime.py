"""Starts jobs' containers in a Docker engine."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException
from docker.types import LogConfig, Mount
from requests.exceptions import RequestException

from localaws.contract import Image, ImageMap
from localaws.runtimes import scriptmode
from localaws.runtimes.base import ML, CannotRun, Container
from localaws.runtimes.docker import files, sweep
from localaws.runtimes.docker.handle import DockerHandle
from localaws.runtimes.docker.images import Images
from localaws.runtimes.docker.instances import Size, share
from localaws.runtimes.docker.network import Networks
from localaws.settings import WrongSetting

MOST_PROCESSES = 1024
ERRORS = (DockerException, RequestException)


class DockerRuntime:
    """Runs the images themselves, with nothing of this machine but their /opt/ml, as a user that is nobody.

    Args:
        images: the image map; an entry's `image` is what the engine runs for URIs outside the local registries.
        registries: the file that tells which address stands in for which account's registry.
        state: the state folder; only one localaws at a time may use it, and containers that an earlier one left
            are removed now.
        machine: what there is to share out; the engine's machine if not given.

    Raises:
        WrongSetting: no Docker engine answers.
        CannotRun: this runs in a container, and the state folder isn't on a volume.
    """

    name = "docker"

    def __init__(self, images: ImageMap, registries: Path | None, state: Path, machine: Size | None = None) -> None:
        try:
            self._client: Any = docker.from_env()
            info = self._client.info()
        except ERRORS as error:
            raise WrongSetting(f"runtime docker: no engine answers; start it, or set DOCKER_HOST ({error}).") from None
        self._machine = machine or Size(info["NCPU"], info["MemTotal"])
        self._paths = files.Paths(self._client)
        # Two containers may have their state folders at the same path, each on a volume of its own.
        owner = f"{sweep.OWNER}={self._paths.on_engine(state.absolute())}"
        sweep.sweep(self._client, owner)
        run = secrets.token_hex(6)
        self._labels = dict(label.split("=", 1) for label in (owner, f"{sweep.RUN}={run}"))
        self._watchdog = sweep.Watchdog(f"{sweep.RUN}={run}")
        self._images = Images(self._client, images, registries)
        self._networks = Networks(self._client, self._labels, self._paths.container)

    def start(self, container: Container) -> DockerHandle:
        """Start a container. Raises CannotRun."""
        image = self._images.resolve(container.image, container.log)
        entry = self._images.entry(container.image)
        options = self._limits(container) | _program(entry, container)
        files.hand_over(container.root)
        mount = Mount(ML, self._paths.on_engine(container.root), type="bind")
        self._watchdog.start()
        with contextlib.ExitStack() as undo:
            try:
                joined = self._networks.join(container)
                undo.callback(joined.leave)
                made = self._client.containers.create(
                    image,
                    mounts=[mount],
                    environment=_environment(entry, container),
                    hostname=container.host,
                    labels=self._labels | {"localaws.account": container.account, "localaws.job": container.job},
                    **HARDENING,
                    **options,
                    **joined.options,
                )
                undo.callback(made.remove, force=True, v=True)
                # Attached before it starts, nothing of its output is missed and nothing of it lies on a disk.
                frames = made.attach(stream=True, demux=True)
                made.start()
                address = joined.address(made) if container.serving else None
            except ERRORS as error:
                raise CannotRun(f"The image {container.image} can't be started: {_reason(error)}") from None
            undo.pop_all()
        log = scriptmode.log(container) if entry and entry.script_mode else container.log
        return DockerHandle(made, frames, container.root, log, joined, address)

    def _limits(self, container: Container) -> dict[str, Any]:
        given, sentence = share(container.instance_type, self._machine)
        if sentence:
            container.log(sentence)
        return {
            "mem_limit": given.memory,
            "memswap_limit": given.memory,
            "shm_size": given.memory // 2,
            "nano_cpus": given.cpus * 1_000_000_000,
        }


HARDENING: dict[str, Any] = {
    "user": f"{files.USER}:{files.USER}",
    "read_only": True,
    "tmpfs": {"/tmp": "mode=1777"},
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "pids_limit": MOST_PROCESSES,
    "log_config": LogConfig(type="none"),
}
"""What holds for every container."""


def _program(entry: Image | None, container: Container) -> dict[str, Any]:
    if container.entrypoint:
        return {"entrypoint": list(container.entrypoint), "command": list(container.arguments)}
    if entry and entry.script_mode:
        return {"entrypoint": ["python3", scriptmode.install(container.root)], "command": list(container.arguments)}
    return {"command": list(container.arguments) or None}


def _environment(entry: Image | None, container: Container) -> dict[str, str]:
    given = dict(entry.environment) if entry else {}
    stands_for = {scriptmode.IMAGE: container.image} if entry and entry.script_mode else {}
    return {"HOME": "/tmp", "AWS_EC2_METADATA_DISABLED": "true", **stands_for, **given, **container.environment}


def _reason(error: Exception) -> str:
    text = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
    return text.strip().splitlines()[-1]
