"""Files that appear whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_all(files: Mapping[Path, bytes | str]) -> None:
    """Write files that belong together: all under hidden names first, then each by rename.

    A failure or a signal leaves no file. The hidden names lie beside their goals, because every
    folder of outputs may be a mounted volume of its own.

    Raises:
        OSError: a folder can't be written, or the disk is full.
    """
    parts: list[tuple[Path, Path]] = []
    published: list[Path] = []
    try:
        for goal, content in files.items():
            goal.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=goal.parent, prefix=".")
            parts.append((Path(name), goal))
            with os.fdopen(handle, "wb") as stream:
                stream.write(content.encode() if isinstance(content, str) else content)
            Path(name).chmod(0o644)
        for part, goal in parts:
            published.append(part.replace(goal))
    except BaseException:
        for goal in published:
            goal.unlink(missing_ok=True)
        raise
    finally:
        for part, _ in parts:
            part.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Write one text file by rename."""
    write_all({path: content})
