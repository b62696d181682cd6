"""Checkpoints of a training job: brought back before it begins, and kept in S3 while it runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localaws.contract import JobContext
from localaws.jobs import archive, cluster, s3
from localaws.jobs.failure import JobFailed

FOLDER = "/opt/ml/checkpoints"
PAUSE = 2.0
"""Seconds between two looks for files that have changed."""


@dataclass
class Checkpoints:
    """What CheckpointConfig asks for; nothing where there is none."""

    context: JobContext
    uri: str | None = None
    path: str = FOLDER
    _known: dict[Path, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, body: dict[str, Any], context: JobContext) -> Checkpoints:
        """Read a training job's CheckpointConfig."""
        config = body.get("CheckpointConfig") or {}
        return cls(context, config.get("S3Uri"), config.get("LocalPath") or FOLDER)

    def restore(self, roots: list[Path]) -> None:
        """Bring what an earlier job kept to every host. Raises JobFailed."""
        if self.uri is None:
            return
        client = self.context.client("s3")
        objects = s3.find(client, s3.join(self.uri, ""), may_be_none=True)
        for root in roots:
            folder = self._folder(root)
            s3.download(client, objects, folder, self.context.stopped)
            self._known |= {file: state for _, file, state in _states(folder)}

    @contextlib.contextmanager
    def uploading(self, roots: list[Path]) -> Iterator[None]:
        """Put files soon after they have changed, and once more at the end, however that comes. Raises JobFailed."""
        if self.uri is None:
            yield
            return
        client, done = self.context.client("s3"), threading.Event()

        def work() -> None:
            while not done.wait(PAUSE):
                # What can't be put now is tried again at the end, where it is told.
                with contextlib.suppress(JobFailed, OSError):
                    self._upload(client, roots)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        self._upload(client, roots)

    def _upload(self, client: Any, roots: list[Path]) -> None:
        assert self.uri is not None
        for root in roots:
            for name, file, state in _states(self._folder(root)):
                if self._known.get(file) != state:
                    s3.put(client, file, s3.join(self.uri, name))
                    self._known[file] = state

    def _folder(self, root: Path) -> Path:
        return cluster.place(root, self.path, "CheckpointConfig")


def _states(folder: Path) -> Iterator[tuple[str, Path, tuple[int, int]]]:
    """Files by name, with what tells that they have changed; a container may remove them at any time."""
    for name, file in archive.files_below(folder).items():
        with contextlib.suppress(FileNotFoundError):
            status = file.stat()
            yield name, file, (status.st_mtime_ns, status.st_size)
