"""A release as the definitions need it: the digest of every image and the version of every function."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.names import FUNCTIONS, STEPS

IMAGE = re.compile(r"/(?P<step>[a-z_]+)@(?P<digest>sha256:[0-9a-f]{64})$")
FUNCTION = re.compile(
    r":function:.*?(?P<function>" + "|".join(f.replace("_", "-") for f in FUNCTIONS) + r"):(?P<version>\d+)$"
)


class WrongRelease(Exception):
    """A release manifest can't be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Release:
    """What a release consists of; what it doesn't name stays a `${…}` variable of the rendered definition."""

    version: str = "${release_version}"
    git_commit: str = "${git_commit}"
    images: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)

    def digest(self, step: str) -> str:
        """Digest of a step's image, or the variable that stands for it."""
        return self.images.get(step, f"${{{step}_digest}}")

    def function(self, name: str) -> str:
        """Published version of a function, or the variable that stands for it."""
        return self.functions.get(name, f"${{{name}_version}}")

    @classmethod
    def read(cls, file: Path) -> Release:
        """Read a release manifest.

        Raises:
            WrongRelease: the file can't be read, or its content isn't a release's.
        """
        try:
            content = json.loads(file.read_text())
        except OSError as error:
            raise WrongRelease(f"{file}: can't be read ({error.strerror}).") from None
        except ValueError as error:
            raise WrongRelease(f"{file}: not JSON ({error}).") from None
        try:
            release = cls(
                str(content["version"]), str(content["git_commit"]), dict(content["images"]),
                {name: str(version) for name, version in content.get("functions", {}).items()},
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise WrongRelease(f"{file}: not a release manifest ({type(error).__name__}: {error}).") from None
        for step in STEPS:
            digest = release.images.get(step)
            if not isinstance(digest, str) or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
                raise WrongRelease(f"{file}: images.{step} isn't a digest (sha256:…).")
        for name, version in release.functions.items():
            if name not in FUNCTIONS or not version.isdigit():
                raise WrongRelease(f"{file}: functions.{name} isn't a published version of a function.")
        return release

    @classmethod
    def of_definition(cls, definition: Any) -> Release:
        """Return the release that a rendered definition names."""
        images, functions = {}, {}
        for text in texts(definition):
            if match := IMAGE.search(text):
                images[match["step"]] = match["digest"]
            elif match := FUNCTION.search(text):
                functions[match["function"].replace("-", "_")] = match["version"]
        properties = next(
            (
                step["Arguments"].get("CustomerMetadataProperties", {})
                for step in steps_of(definition["Steps"])
                if step["Type"] == "RegisterModel"
            ),
            {},
        )
        return cls(properties.get("Release", "unknown"), properties.get("GitCommit", "unknown"), images, functions)


def steps_of(steps: list[dict]) -> Iterator[dict]:
    """Give every rendered step, those within conditions too."""
    for step in steps:
        yield step
        if step["Type"] == "Condition":
            yield from steps_of(step["Arguments"]["IfSteps"])
            yield from steps_of(step["Arguments"]["ElseSteps"])


def texts(value: Any) -> Iterator[str]:
    """Give every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
