"""The release manifest: the one thing that is promoted. Its hash is the release's identity."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pipeline.names import STEPS
from promotion.errors import WrongManifest

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What a registry takes as a tag, because the version becomes one."""
PART = re.compile(r"[a-z][a-z0-9_-]*(/[a-z][a-z0-9_-]*)?")
FORMAT = 1


def digest(content: bytes) -> str:
    """Return the content's digest as registries write it, sha256:…"""
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Manifest:
    """Everything that makes up a release, by content. All values but version and commit are digests, sha256:…

    Attributes:
        version: the release's name and its images' tag.
        git_commit: the commit it was built from.
        git_clean: whether the checkout was exactly that commit.
        images: of every step, the image manifest.
        definitions: of `environment/pipeline`, the rendered definition; published function versions stay
            variables in it, because each account numbers its own.
        function_code: the archive of the Lambda functions.
        sboms: of every step, the CycloneDX document of what its image contains.
        terraform: the tree of Terraform's modules and roots, settings, policies and event rules.
        tests: the JUnit report of the tests that passed; empty if none was handed in.
    """

    version: str
    git_commit: str
    git_clean: bool
    images: Mapping[str, str]
    definitions: Mapping[str, str] = field(default_factory=dict)
    sboms: Mapping[str, str] = field(default_factory=dict)
    function_code: str = ""
    terraform: str = ""
    tests: str = ""

    def content(self) -> bytes:
        """Return the manifest's one byte form: RFC 8785 (sorted keys, no white space)."""
        value = {"format": FORMAT, **asdict(self)}
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def identity(self) -> str:
        """The release's identity: the digest of `content`."""
        return digest(self.content())

    def pipelines(self, environment: str) -> tuple[str, ...]:
        """Return the names of the pipelines that the release has in an environment; releases needn't have the same."""
        found = (name.partition("/") for name in sorted(self.definitions))
        return tuple(pipeline for name, _, pipeline in found if name == environment)

    def files(self) -> dict[str, str]:
        """Return path → digest of every file that the release consists of beside its images."""
        named = {
            **{f"definitions/{name}.json": value for name, value in self.definitions.items()},
            **{f"sboms/{name}.cdx.json": value for name, value in self.sboms.items()},
        }
        single = {"functions.zip": self.function_code, "tests.xml": self.tests}
        return named | {path: value for path, value in single.items() if value}

    @classmethod
    def read(cls, content: bytes, name: str) -> Manifest:
        """Read a manifest from its bytes; `name` is what messages call it.

        Raises:
            WrongManifest: the bytes aren't a manifest in its one byte form, or a field isn't what it must be.
        """
        try:
            value = json.loads(content)
        except ValueError:
            raise WrongManifest(f"{name}: not JSON.") from None
        if not isinstance(value, dict) or value.pop("format", None) != FORMAT:
            raise WrongManifest(f"{name}: not a release manifest of format {FORMAT}.")
        known = {part.name for part in fields(cls)}
        if odd := sorted(known ^ value.keys()):
            raise WrongManifest(f"{name}: field {odd[0]} is {'missing' if odd[0] in known else 'unknown'}.")
        _check(value, name)
        manifest = cls(**value)
        if manifest.content() != content:
            raise WrongManifest(f"{name}: not in the one byte form (sorted keys, no white space).")
        return manifest


def _check(value: dict[str, Any], name: str) -> None:
    def demand(holds: bool, part: str, must: str) -> None:
        if not holds:
            raise WrongManifest(f"{name}: {part} isn't {must}.")

    def is_digest(text: Any) -> bool:
        return isinstance(text, str) and DIGEST.fullmatch(text) is not None

    demand(bool(VERSION.fullmatch(str(value["version"]))), "version", "letters, digits, dots and hyphens")
    demand(isinstance(value["git_commit"], str), "git_commit", "a text")
    demand(isinstance(value["git_clean"], bool), "git_clean", "true or false")
    for part in ("images", "definitions", "sboms"):
        demand(isinstance(value[part], dict), part, "an object")
        for key, text in value[part].items():
            demand(PART.fullmatch(key) is not None, f"{part}.{key}", "a name")
            demand(is_digest(text), f"{part}.{key}", "a digest (sha256:…)")
    for step in STEPS:
        demand(step in value["images"], f"images.{step}", "there")
    for part in ("function_code", "terraform", "tests"):
        demand(value[part] == "" or is_digest(value[part]), part, "a digest (sha256:…)")
