"""Folders that are kept in S3 while a job runs: checkpoints, and outputs with S3UploadMode Continuous."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localaws.jobs import outputs, s3
from localaws.jobs.failure import JobFailed

PAUSE = 2.0
"""Seconds between two looks for files that have changed."""


@dataclass
class Continuous:
    """Puts each file of `places` (a folder and the URI that it is for) soon after it has changed.

    Links that lead out of `within`, the job's own folder, are passed over: what lies there is this machine's.
    """

    client: Any
    places: Sequence[tuple[Path, str]]
    within: Path
    kms_key: str | None = None
    _known: dict[tuple[Path, str], tuple[int, int]] = field(default_factory=dict)

    def restore(self) -> None:
        """Bring the objects to the folders first. Raises JobFailed."""
        found: dict[str, list[s3.S3Object]] = {}
        for folder, uri in self.places:
            if uri not in found:
                found[uri] = s3.find(self.client, s3.join(uri, ""), may_be_none=True)
            s3.download(self.client, found[uri], folder)
            self._known |= {(folder, name): state for name, _, state in self._states(folder)}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Upload during the block, and once more at its end, however that comes. Raises JobFailed."""
        if not self.places:
            yield
            return
        done = threading.Event()

        def work() -> None:
            while not done.wait(PAUSE):
                # What can't be put now is tried again at the end, where it is told.
                with contextlib.suppress(JobFailed, OSError):
                    self.upload()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        self.upload()

    def upload(self) -> None:
        """Put what has changed since the last look. Raises JobFailed."""
        for folder, uri in self.places:
            for name, file, state in self._states(folder):
                if self._known.get((folder, name)) != state:
                    s3.put(self.client, file, self.within, s3.join(uri, name), self.kms_key)
                    self._known[folder, name] = state

    def _states(self, folder: Path) -> Iterator[tuple[str, Path, tuple[int, int]]]:
        """Files by name, with what tells that they have changed; a container may remove them at any time."""
        for name, file in outputs.files_now_below(folder, self.within).items():
            with contextlib.suppress(FileNotFoundError):
                status = file.stat()
                yield name, file, (status.st_mtime_ns, status.st_size)
