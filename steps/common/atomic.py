"""Files that appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO


class Together:
    """Files that belong together: they are written under hidden names, and appear by rename when the block ends well.

    A failure or a signal leaves no file. The hidden names lie beside their goals, because every folder of outputs may
    be a mounted volume of its own.

    Raises:
        OSError: a folder can't be written, or the disk is full.
    """

    def __init__(self) -> None:
        self._parts: dict[Path, tuple[Path, BinaryIO]] = {}

    def open(self, goal: Path) -> BinaryIO:
        """Return the stream of a file that is to appear."""
        if goal not in self._parts:
            goal.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=goal.parent, prefix=".")
            self._parts[goal] = Path(name), os.fdopen(handle, "wb")
        return self._parts[goal][1]

    def __enter__(self) -> "Together":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        published: list[Path] = []
        try:
            for part, stream in self._parts.values():
                stream.close()
                if kind is None:
                    part.chmod(0o644)
            if kind is None:
                for goal, (part, _) in self._parts.items():
                    published.append(part.replace(goal))
        except BaseException:
            for goal in published:
                goal.unlink(missing_ok=True)
            raise
        finally:
            for part, stream in self._parts.values():
                stream.close()
                part.unlink(missing_ok=True)


def write_all(files: Mapping[Path, bytes | str]) -> None:
    """Write files that belong together, each in one piece.

    Raises:
        OSError: a folder can't be written, or the disk is full.
    """
    with Together() as together:
        for goal, content in files.items():
            together.open(goal).write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that appears at its path when it is whole; after a failure or a signal nothing is left.

    Raises:
        OSError: the folder can't be written, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Write one text file by rename."""
    write_all({path: content})
