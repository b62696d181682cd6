"""Builds the steps' images: base, one layer of packages after the other, the step's own code last.

The engine gets its build context as a tar made here, with fixed times and modes: what lies in a layer then
depends on the content alone, and not on when and under which umask the source was checked out.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from images import layers, revision
from images.engine import Engine, NotBuilt
from images.layers import ROOT, UV, Layer

PUBLIC_BASE = "python:3.11-slim"
PROFILES = "baton/profile"
LOCALAWS = "baton/localaws"
INSTALLER = "images/install.py"
CA_SETTINGS = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
INDEX_SETTINGS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
NOT_IN_IMAGES = ("__pycache__", "Dockerfile", "README.md", "conftest.py", "pyproject.toml")


@dataclass(frozen=True)
class Recipe:
    """A Dockerfile with everything that goes into its build, so that it can be told apart by a hash."""

    dockerfile: str
    arguments: Mapping[str, str]
    files: Mapping[str, bytes]

    def context(self) -> bytes:
        """The build context: the Dockerfile and the files, as a tar that depends on nothing else."""
        result = io.BytesIO()
        with tarfile.open(fileobj=result, mode="w") as tar:
            for name, content in sorted({**self.files, "Dockerfile": (ROOT / self.dockerfile).read_bytes()}.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                tar.addfile(entry, io.BytesIO(content))
        return result.getvalue()

    def key(self) -> str:
        """Twelve hex digits that stand for this input."""
        return hashlib.sha256(self.context() + repr(sorted(self.arguments.items())).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Builder:
    """How to build: the engine, the two images to start from, and whether what is there already counts."""

    engine: Engine
    base_image: str
    build_image: str
    reuse: bool = True

    @classmethod
    def of_settings(cls, engine: Engine, reuse: bool = True) -> Builder:
        """Take BASE_IMAGE and BUILD_IMAGE; BUILD_IMAGE needs pip and a shell, and the same Python.

        Raises:
            NotBuilt: one of the two is neither in the engine nor to be had from its registry.
        """
        base = os.environ.get("BASE_IMAGE", PUBLIC_BASE)
        builder = cls(engine, base, os.environ.get("BUILD_IMAGE", base), reuse)
        for image in {builder.base_image, builder.build_image}:
            if not engine.has(image):
                try:
                    engine.run("pull", "--quiet", image)
                except NotBuilt as error:
                    raise NotBuilt(
                        f"{error}. Set BASE_IMAGE and BUILD_IMAGE to images that can be had, "
                        "or make them from Debian's packages with `python -m images base`"
                    ) from None
        return builder

    def step(self, step: str, name: str) -> str:
        """Build one step's image, name it, and return its id.

        Raises:
            NotBuilt: there is no such step, or a build failed.
        """
        if step not in layers.steps():
            raise NotBuilt(f"There is no step {step}; there are {', '.join(layers.steps())}")
        sources = _sources(ROOT / "steps", "__init__.py", "common", step)
        return self._image(ROOT / "steps" / step, layers.of(step), sources, name)

    def localaws(self, name: str) -> str:
        """Build the image of the local accounts, name it, and return its id.

        Raises:
            NotBuilt: a build failed.
        """
        return self._image(ROOT / "localaws", layers.of_localaws(), _sources(ROOT, "localaws"), name)

    def _image(self, folder: Path, packages: list[Layer], sources: dict[str, bytes], name: str) -> str:
        profile = {"PROFILE": self.profile(packages)}
        recipe = Recipe(str((folder / "Dockerfile").relative_to(ROOT)), profile, sources)
        labels = [f"--label={key}={value}" for key, value in revision.labels(folder).items()]
        return self._build(recipe, name, *labels, f"--build-arg=SOURCE_DATE_EPOCH={revision.time()}")

    def profile(self, packages: list[Layer]) -> str:
        """The image with these layers of packages on the base, and no code yet; built where it is missing."""
        installer = {INSTALLER: (ROOT / INSTALLER).read_bytes()}
        base = {"BASE_IMAGE": self.base_image, "ID": self.engine.inspect(self.base_image)["Id"]}
        image = self._profile("base", Recipe("images/base.Dockerfile", base, installer))
        common = {"BUILD_IMAGE": self.build_image, "UV_VERSION": _uv_version()}
        for layer in packages:
            files = {**installer, "requirements.txt": layer.requirements.encode()}
            image = self._profile(layer.name, Recipe("images/packages.Dockerfile", {**common, "PARENT": image}, files))
        return image

    def _profile(self, label: str, recipe: Recipe) -> str:
        name = f"{PROFILES}:{label}-{recipe.key()}"
        if not self.reuse or not self.engine.has(name):
            self._build(recipe, name, "--build-arg=SOURCE_DATE_EPOCH=0")
        return name

    def _build(self, recipe: Recipe, name: str, *options: str) -> str:
        arguments = [f"--build-arg={key}={value}" for key, value in recipe.arguments.items()]
        cache = [] if self.reuse else ["--no-cache"]
        with _secrets() as secrets:
            built = self.engine.run(
                "build",
                "--quiet",
                *self.engine.one_image,
                *cache,
                *secrets,
                *arguments,
                *options,
                "--tag",
                name,
                "-",
                stdin=recipe.context(),
            )
        return built.strip()


def _sources(folder: Path, *names: str) -> dict[str, bytes]:
    """What goes into an image of these files and folders, without their tests, and the installer."""
    files = [ROOT / INSTALLER]
    for name in names:
        path = folder / name
        found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        files += [file for file in found if _at_run_time(file.relative_to(ROOT))]
    return {str(file.relative_to(ROOT)): file.read_bytes() for file in files}


def _at_run_time(file: Path) -> bool:
    parts = file.parts
    return not (set(parts) & set(NOT_IN_IMAGES)) and not any(part.startswith(("test_", ".")) for part in parts)


def _uv_version() -> str:
    return subprocess.run([UV, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


@contextlib.contextmanager
def _secrets() -> Iterator[list[str]]:
    """Options that hand a build the CA bundle and the package index of this machine's settings, if any."""
    options = []
    if bundle := next((os.environ[name] for name in CA_SETTINGS if os.environ.get(name)), None):
        options.append(f"--secret=id=ca,src={bundle}")
    with tempfile.TemporaryDirectory(prefix="baton-secret-") as folder:
        if index := next((os.environ[name] for name in INDEX_SETTINGS if os.environ.get(name)), None):
            file = Path(folder) / "index"
            file.write_text(index)
            options.append(f"--secret=id=index,src={file}")
        yield options
