"""The few types that the engine, the definition language, the jobs and the runtimes share."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Literal, Protocol

JobKind = Literal["ProcessingJob", "TrainingJob", "TransformJob", "HyperParameterTuningJob"]
JobStatus = Literal["Completed", "Failed", "Stopped"]


class InvalidImageMap(Exception):
    """The image map file can't be used; the text names the file and the entry."""


@dataclass(frozen=True)
class Image:
    """What stands in on this machine for the image URIs that match `pattern`.

    `directory` and `command` serve the process runtime, `image` (a local image's name) the docker
    runtime; `script_mode` says that the command is a Python which runs the script that the job mounts.
    `environment` is added to the container's own.
    """

    pattern: str
    directory: Path
    command: tuple[str, ...] = ()
    image: str | None = None
    script_mode: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageMap:
    """Image URI patterns in the order of the file; the first that matches wins."""

    images: tuple[Image, ...] = ()

    @classmethod
    def load(cls, path: Path | None) -> ImageMap:
        """Read `{"images": [{"pattern", "directory", "command", "image", …}]}`; paths are relative to the file.

        Raises InvalidImageMap.
        """
        if path is None:
            return cls()
        try:
            entries = json.loads(path.read_text())["images"]
            return cls(tuple(_image(path, number, entry) for number, entry in enumerate(entries, 1)))
        except FileNotFoundError as error:
            raise InvalidImageMap(f"{path}: there is no such image map") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidImageMap(f'{path}: expected {{"images": [{{"pattern": …}}, …]}}') from error

    def find(self, uri: str) -> Image | None:
        """The first entry whose pattern (shell wildcards) matches the image URI."""
        return next((image for image in self.images if fnmatch.fnmatchcase(uri, image.pattern)), None)


def _image(path: Path, number: int, entry: dict[str, Any]) -> Image:
    known = {"pattern", "directory", "command", "image", "script_mode", "environment"}
    if unknown := sorted(set(entry) - known):
        raise InvalidImageMap(f"{path}: entry {number} has an unknown setting {unknown[0]}")
    if not isinstance(entry.get("pattern"), str):
        raise InvalidImageMap(f"{path}: entry {number} has no pattern")
    return Image(
        pattern=entry["pattern"],
        directory=(path.parent / entry.get("directory", ".")).resolve(),
        command=tuple(entry.get("command", ())),
        image=entry.get("image"),
        script_mode=bool(entry.get("script_mode", False)),
        environment=dict(entry.get("environment", {})),
    )


class Runtime(Protocol):
    """Where a job's container runs; implemented in `localaws.runtimes`."""

    name: str


@dataclass(frozen=True)
class JobContext:
    """Everything that one job may use of the world.

    `client(service)` is a boto3 client that acts as the job's role, in its account and region, against
    this very server. `log(stream, line)` appends one line to the job's log stream (`stream` is what
    follows the job's name: `algo-1-1700000000`). `describe_model(name)` is DescribeModel in the job's
    account. `folder` is the job's own scratch folder; the caller removes it. `progress(status)` tells that a training
    job has come to another secondary status (Downloading, Training, Uploading). `credentials()` are the variables with
    which a container that isn't isolated calls AWS as the job's role. `stopped` tells that the job is to end, and
    `closing` that localaws itself ends, which makes whatever is left to do vain.
    """

    account: str
    region: str
    name: str
    folder: Path
    client: Callable[[str], Any]
    runtime: Runtime
    images: ImageMap
    log: Callable[[str, str], None]
    stopped: Event
    describe_model: Callable[[str], dict[str, Any]]
    progress: Callable[[str], None] = lambda status: None
    credentials: Callable[[], Mapping[str, str]] = dict
    closing: Event = field(default_factory=Event)


@dataclass(frozen=True)
class Outcome:
    """How a job ended; `fields` are merged into what Describe… answers."""

    status: JobStatus
    failure_reason: str | None = None
    exit_message: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
