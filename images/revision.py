"""What the labels of an image say about its source."""

from __future__ import annotations

import datetime
import os
import re
import subprocess
import tomllib
from pathlib import Path

from images.layers import ROOT


def labels(folder: Path) -> dict[str, str]:
    """The annotations of the OCI image specification that the image of a folder gets."""
    with (folder / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    created = datetime.datetime.fromtimestamp(time(), datetime.UTC)
    values = {
        "title": project["name"],
        "description": project["description"],
        "licenses": "MIT-0",
        "source": source(),
        "revision": commit(),
        "version": version(),
        "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {f"org.opencontainers.image.{name}": value for name, value in values.items()}


def commit() -> str:
    """The commit that is checked out, or GIT_COMMIT where the source is no checkout."""
    return os.environ.get("GIT_COMMIT") or _git("rev-parse", "HEAD") or "unknown"


def version() -> str:
    """The nearest tag and the commit; ends in `-dirty` if tracked files differ from the commit."""
    return os.environ.get("VERSION") or _git("describe", "--tags", "--always", "--dirty", "--abbrev=12") or "unknown"


def time() -> int:
    """The commit's time, in seconds since 1970: the only time that an image tells."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct") or 0)


def source() -> str:
    """Where the source is published: SOURCE_URL, else the origin if it is a URL, without credentials."""
    origin = _git("remote", "get-url", "origin")
    published = re.sub(r"^(https?://)[^/@]*@", r"\1", origin) if re.match(r"https?://|git@|ssh://", origin) else ""
    return os.environ.get("SOURCE_URL") or published or "unknown"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
