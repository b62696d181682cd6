"""Step images where there is no Docker: images made of a step's sources and its locked dependencies.

They hold the same identity as built ones: a digest changes exactly when the step's code, what steps share,
or a locked dependency changes, on every machine alike. localaws' process runtime stands in for running them.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.names import STEPS
from promotion import registry as registries
from promotion.accounts import account
from promotion.errors import NotBuilt
from promotion.image_format import CONFIG, LAYER, MANIFEST
from promotion.manifest import digest

ROOT = Path(__file__).parent.parent
INCLUDED = ("*.py", "*.json")
LEFT_OUT = ("test_*.py", "conftest.py")


@dataclass(frozen=True)
class Image:
    """An image as a registry stores it: the manifest, and blobs by digest."""

    manifest: bytes
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The image's digest: its manifest's."""
        return digest(self.manifest)


def image(step: str, root: Path = ROOT) -> Image:
    """Make a step's image from the checkout at `root`.

    Raises:
        NotBuilt: the step or the lock can't be read.
    """
    # Not compressed: zlib's versions give different bytes for the same content, and the layers are small.
    code = _layer({str(file.relative_to(root)): file.read_bytes() for file in sources(step, root)})
    dependencies = _layer({"requirements.txt": requirements(step, root)})
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["python", "-m", f"steps.{step}"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(dependencies), digest(code)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, config),
            "layers": [_descriptor(LAYER, dependencies), _descriptor(LAYER, code)],
        }
    )
    return Image(manifest, {digest(content): content for content in (config, dependencies, code)})


def register(
    environment: str, steps: Iterable[str] = STEPS, tag: str | None = None, root: Path = ROOT
) -> dict[str, str]:
    """Make the steps' images, put them into an environment's registry, and return step → digest.

    Args:
        environment: usually dev.
        steps: which steps.
        tag: given to each image, if there is one; it never moves.
        root: the checkout.

    Raises:
        NotBuilt: a step or the lock can't be read.
        TagMoved: the tag belongs to another image.
        RegistryFailed: the registry doesn't answer, or has no repository for a step.
    """
    into = account(environment)
    registry = registries.of(into)
    digests = {}
    for step in steps:
        repository, made = into.names.repository(step), image(step, root)
        if not registry.holds(repository, "manifests", made.digest):
            for blob, content in made.blobs.items():
                if not registry.holds(repository, "blobs", blob):
                    registry.put_blob(repository, blob, len(content), iter([content]))
            registry.put_manifest(repository, made.digest, made.manifest, MANIFEST)
        if tag is not None:
            registry.put_tag(repository, tag, made.digest)
        digests[step] = made.digest
    return digests


def sources(step: str, root: Path = ROOT) -> list[Path]:
    """Return the files that a step runs: its own and what steps share, without tests.

    Raises:
        NotBuilt: there is no such step.
    """
    if not (root / "steps" / step / "__main__.py").is_file():
        raise NotBuilt(f"steps/{step}: there is no such step (no __main__.py).")
    folders = (root / "steps" / "common", root / "steps" / step)
    files = {file for folder in folders for pattern in INCLUDED for file in folder.rglob(pattern)}
    code = sorted(file for file in files if not any(file.match(pattern) for pattern in LEFT_OUT))
    return [root / "steps" / "__init__.py", *code]


def requirements(step: str, root: Path = ROOT) -> bytes:
    """Return a step's locked dependencies with their hashes, as requirements.txt.

    Raises:
        NotBuilt: uv is missing, or the lock doesn't know the step.
    """
    return _export(step, root, "--no-header", "--no-annotate", "--no-emit-workspace")


def sbom(step: str, root: Path = ROOT) -> bytes:
    """Return a step's locked dependencies as CycloneDX 1.5, without the time and number of the document.

    Raises:
        NotBuilt: uv is missing, or the lock doesn't know the step.
    """
    document = json.loads(_export(step, root, "--format", "cyclonedx1.5", "--preview-features", "sbom-export"))
    document.pop("serialNumber", None)
    document.get("metadata", {}).pop("timestamp", None)
    return _json(document)


def _export(step: str, root: Path, *options: str) -> bytes:
    own = root / ".tools" / "bin" / "uv"
    uv = os.environ.get("UV") or (str(own) if own.is_file() else shutil.which("uv"))
    if uv is None:
        raise NotBuilt("uv is not installed; `make setup` installs it.")
    done = subprocess.run(
        [
            uv,
            "export",
            "--quiet",
            "--frozen",
            "--offline",
            # The lock is all that is read: no folder for uv's cache is needed, and no home to put it in.
            "--no-cache",
            "--no-dev",
            "--package",
            f"baton-{step}",
            *options,
        ],
        cwd=root,
        capture_output=True,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise NotBuilt(f"uv export finds no dependencies of {step} in uv.lock: {said[-1]}")
    return done.stdout


def _layer(files: Mapping[str, bytes]) -> bytes:
    """A tar whose bytes depend on names and contents alone."""
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"app/{name}")
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return result.getvalue()


def _descriptor(media_type: str, content: bytes) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
