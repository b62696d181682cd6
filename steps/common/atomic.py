"""Files and folders that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file by rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as part:
        part.write(content)
    Path(part.name).chmod(0o644)
    os.replace(part.name, path)


def write_text(path: Path, content: str) -> None:
    """Write a text file by rename."""
    write_bytes(path, content.encode())


@contextmanager
def folder_of_outputs(target: Path) -> Iterator[Path]:
    """Give a hidden folder whose files move into `target` when the block ends well.

    The folder lies in `target`'s parent or, where that may not be written, in `target` itself (a mounted
    volume): the moves are renames on one file system.
    """
    target.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target, prefix="."))
    try:
        yield part
        for source in sorted(path for path in part.rglob("*") if path.is_file()):
            goal = target / source.relative_to(part)
            goal.parent.mkdir(parents=True, exist_ok=True)
            source.chmod(0o644)
            os.replace(source, goal)
    finally:
        shutil.rmtree(part, ignore_errors=True)
