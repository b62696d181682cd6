"""A release from a checkout: everything that is deployed is made here, once, and named by its content."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from pathlib import Path

from functions import package
from pipeline import settings
from pipeline.execution import DEFINITIONS, render
from pipeline.names import STEPS
from pipeline.release import Release
from promotion import images as copies
from promotion import registry as registries
from promotion import source
from promotion.accounts import account
from promotion.errors import NotBuilt
from promotion.manifest import DIGEST, VERSION, Manifest, digest
from promotion.releases import Releases

ROOT = source.ROOT
PUSHED = ROOT / ".baton" / "digests" / "dev.json"
"""What pushing built images to dev's registry writes: the commit, and step → digest."""
ENVIRONMENTS = ("dev", "prod")
"""Where pipelines live."""
INFRASTRUCTURE = ("terraform", "policies", "events", "environments")
STATE = (".terraform", ".tfstate", ".tfplan", "__pycache__")
"""What Terraform and Python leave in their tree that is no part of it."""


def build(
    version: str = "",
    images: Mapping[str, str] | None = None,
    sboms: Mapping[str, bytes] | None = None,
    tests: bytes | None = None,
) -> Manifest:
    """Make a release of this checkout, keep it in the registry account, unsigned, and return its manifest.

    Args:
        version: its name; by default the project's version and the commit.
        images: step → digest of what was pushed to dev's registry; None makes them of the steps' sources.
        sboms: step → CycloneDX document; a step without one gets that of its locked dependencies.
        tests: the JUnit report of the tests that this checkout passed.

    Raises:
        NotBuilt: the checkout isn't a clean commit, outside local accounts, or something is missing in it.
        ReleaseExists: the version is taken by other content.
        DigestMissing, TagMoved, RegistryFailed: dev's registry doesn't hold the images, or not by this name.
    """
    commit, clean = checkout()
    if not clean and not settings.is_local():
        raise NotBuilt("The checkout differs from its commit; a release is built from a commit.")
    images = dict(images) if images is not None else source.register("dev")
    for step in STEPS:
        if not DIGEST.fullmatch(images.get(step, "")):
            raise NotBuilt(f"images.{step}: not a digest (sha256:…).")
    version = version or default_version(commit, clean, images)
    if not VERSION.fullmatch(version):
        raise NotBuilt(f"Version {version}: only letters, digits, dots, hyphens and underscores.")
    files = _files(version, commit, images, sboms or {}, tests)
    manifest = Manifest(
        version,
        commit,
        clean,
        images,
        definitions=_digests(files, "definitions/", ".json"),
        sboms=_digests(files, "sboms/", ".cdx.json"),
        function_code=digest(files["functions.zip"]),
        terraform=tree_digest(),
        tests=digest(tests) if tests else "",
    )
    _tag(manifest)
    Releases(account("registry")).store(manifest, files)
    return manifest


def pushed(file: Path | None = None) -> dict[str, str] | None:
    """Return step → digest of the images that were built of this commit and pushed to dev's registry.

    Args:
        file: what pushing wrote; None takes PUSHED against AWS, and no file against local accounts, where images
            can be made of the steps' sources.

    Raises:
        NotBuilt: the file can't be used, or is of another commit.
    """
    if file is None and settings.is_local():
        return None
    file = file or PUSHED
    try:
        content = json.loads(file.read_text())
        found, commit = dict(content["images"]), content["git_commit"]
    except OSError as error:
        raise NotBuilt(f"{file}: can't be read ({error.strerror}); build and push the images first.") from None
    except (ValueError, KeyError, TypeError):
        raise NotBuilt(f"{file}: not what pushing images writes.") from None
    if commit != checkout()[0]:
        raise NotBuilt(f"{file}: the images were built of commit {commit}, this is another; build and push again.")
    return found


def read_sboms(folder: Path) -> dict[str, bytes]:
    """Return step → CycloneDX document of a folder that holds <step>.cdx.json.

    Raises:
        NotBuilt: a step's document is missing or isn't one.
    """
    found = {}
    for step in STEPS:
        file = folder / f"{step}.cdx.json"
        try:
            found[step] = file.read_bytes()
            if json.loads(found[step])["bomFormat"] != "CycloneDX":
                raise ValueError
        except OSError as error:
            raise NotBuilt(f"{file}: can't be read ({error.strerror}).") from None
        except (ValueError, KeyError, TypeError):
            raise NotBuilt(f"{file}: not a CycloneDX document.") from None
    return found


def join_reports(files: Iterable[Path]) -> bytes:
    """Return what JUnit reports say, as one without times and hosts: the same for the same tests.

    Raises:
        NotBuilt: a report can't be read, a test failed, or none ran.
    """
    joined, ran = ElementTree.Element("testsuites"), 0
    for file in sorted(files):
        try:
            cases = list(ElementTree.parse(file).getroot().iter("testcase"))
        except (OSError, ElementTree.ParseError):
            raise NotBuilt(f"{file}: not a JUnit report.") from None
        suite = ElementTree.SubElement(joined, "testsuite", name=file.stem)
        for case in sorted(cases, key=lambda case: (case.get("classname", ""), case.get("name", ""))):
            element = ElementTree.SubElement(
                suite, "testcase", classname=case.get("classname", ""), name=case.get("name", "")
            )
            if case.find("failure") is not None or case.find("error") is not None:
                raise NotBuilt(f"{file}: {case.get('name')} failed; a release is built of what passed its tests.")
            if case.find("skipped") is not None:
                ElementTree.SubElement(element, "skipped")
            else:
                ran += 1
    if not ran:
        raise NotBuilt("The JUnit reports tell of no test that ran.")
    return ElementTree.tostring(joined)


def _files(
    version: str, commit: str, images: Mapping[str, str], sboms: Mapping[str, bytes], tests: bytes | None
) -> dict[str, bytes]:
    # Each account numbers its own published functions, so their versions stay variables here.
    release = Release(version, commit, images)
    files = {
        f"definitions/{environment}/{pipeline}.json": render(settings.load(environment), pipeline, release)
        .text()
        .encode()
        for environment in ENVIRONMENTS
        for pipeline in DEFINITIONS
    }
    files |= {f"sboms/{step}.cdx.json": sboms.get(step) or source.sbom(step) for step in STEPS}
    return files | {"functions.zip": package.build()} | ({"tests.xml": tests} if tests else {})


def _digests(files: Mapping[str, bytes], prefix: str, suffix: str) -> dict[str, str]:
    return {
        path.removeprefix(prefix).removesuffix(suffix): digest(content)
        for path, content in files.items()
        if path.startswith(prefix)
    }


def _tag(manifest: Manifest) -> None:
    """Give dev's images the release's tag, after making sure that all of them are there."""
    registry = registries.of(account("dev"))
    named = repositories(manifest)
    copies.check(registry, named)
    for repository, found in named.items():
        registry.put_tag(repository, manifest.version, found)


def repositories(manifest: Manifest) -> dict[str, str]:
    """Return repository → digest of a release's images; repositories have one name in every account."""
    names = account("dev").names
    return {names.repository(step): found for step, found in manifest.images.items()}


def checkout(root: Path = ROOT) -> tuple[str, bool]:
    """Return the checkout's commit, and whether it is exactly that commit; `unknown` where git knows none."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    return commit or "unknown", commit is not None and git("status", "--porcelain") == ""


def default_version(commit: str, clean: bool, images: Mapping[str, str]) -> str:
    """Return the project's version with the commit; without a clean commit, with what it would hold too."""
    number = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    name = f"{number}-{commit[:12]}"
    if clean:
        return name
    files = _files(number, commit, images, {}, None)
    parts = [*images.values(), tree_digest(), *(digest(content) for content in files.values())]
    return f"{name}-{hashlib.sha256(' '.join(sorted(parts)).encode()).hexdigest()[:8]}"


def tree_digest(root: Path = ROOT) -> str:
    """Return the digest of the infrastructure's files, by path and content."""
    seen = hashlib.sha256()
    for folder in INFRASTRUCTURE:
        for file in sorted((root / folder).rglob("*")):
            path = file.relative_to(root).as_posix()
            if file.is_file() and not any(mark in path for mark in STATE):
                seen.update(f"{digest(file.read_bytes())} {path}\n".encode())
    return f"sha256:{seen.hexdigest()}"
