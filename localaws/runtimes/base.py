"""What a runtime is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from localaws.contract import Image, ImageMap

ML = "/opt/ml"
"""Where SageMaker puts a container's files."""

PORT = 8080
"""Where a hosting container listens, unless SAGEMAKER_BIND_TO_PORT says otherwise."""


class CannotRun(Exception):
    """The container can't be started here; the text is one sentence for the job's failure reason."""


@dataclass(frozen=True)
class Container:
    """One host's container of a job.

    `root` is the folder on this machine that is the container's /opt/ml. `entrypoint` replaces the image's own;
    `arguments` follow it. `log` takes each line that the container prints, also from other threads. `serving`
    containers listen on a port of their own, and their handle has its address.
    """

    account: str
    job: str
    host: str
    hosts: tuple[str, ...]
    image: str
    root: Path
    instance_type: str
    log: Callable[[str], None]
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    serving: bool = False


class Handle(Protocol):
    """A started container."""

    address: str | None
    """host:port of a serving container."""

    killed_for_memory: bool
    """Whether it ended because it used more memory than its instance has; known once it has ended."""

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code (128 + n after signal n) once all its output was logged; None after `timeout` s."""

    def stop(self, grace: float) -> None:
        """Send SIGTERM, and SIGKILL after `grace` seconds; return when it has ended."""

    def remove(self) -> None:
        """Free what the container holds; kills it if it still runs."""


class Runtime(Protocol):
    """Starts containers."""

    name: str

    def start(self, container: Container) -> Handle:
        """Start a container and return at once. Raises CannotRun."""


def mapped(images: ImageMap, uri: str) -> Image:
    """Return what stands in for an image here, or raise CannotRun with its name."""
    if image := images.find(uri):
        return image
    raise CannotRun(f"The image {uri} isn't mapped to anything on this machine: add an entry to the image map.")
