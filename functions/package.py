"""The functions' archive, the same bytes for the same sources: `python -m functions.package --out FILE`."""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parent
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip archive can hold."""


def sources() -> list[Path]:
    """Return what AWS Lambda needs: the folder's Python, without its tests and without this file."""
    return sorted(
        path
        for path in FOLDER.rglob("*.py")
        if not path.name.startswith(("test_", "conftest")) and path != Path(__file__)
    )


def build() -> bytes:
    """Return the archive: fixed order, times, permissions and compression."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for path in sources():
            entry = zipfile.ZipInfo(path.relative_to(FOLDER.parent).as_posix(), EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, whatever system builds it
            # Stored, not compressed: zlib's output differs between its versions.
            target.writestr(entry, path.read_bytes(), zipfile.ZIP_STORED)
    return archive.getvalue()


def main() -> int:
    """Write the archive to the file given with --out."""
    parser = argparse.ArgumentParser(prog="python -m functions.package", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(build())
        part.replace(out)
    except OSError as error:
        print(f"--out {out}: can't be written ({error.strerror}).", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
