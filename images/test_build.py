import dataclasses
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from images import build, layers, sizes
from images.build import CA_SETTINGS, INSTALLER, Builder, Recipe
from images.engine import NotBuilt
from images.fixtures import unavailable
from images.layers import ROOT

STEPS = layers.steps()
TRAIN_MB, TOGETHER_MB = 110, 120
SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
NOT_AT_RUN_TIME = (
    "bin/sh", "bin/bash", "bin/dash", "usr/bin/apt", "usr/bin/dpkg", "usr/bin/gcc", "usr/bin/pip", "usr/bin/pip3",
    "usr/bin/perl", "opt/uv", "root/.cache",
)  # fmt: skip


def files(docker, image: str) -> dict[str, tarfile.TarInfo]:
    container = docker.run("create", image).strip()
    try:
        exported = subprocess.run([docker.command, "export", container], capture_output=True, check=True).stdout
    finally:
        docker.run("rm", container)
    with tarfile.open(fileobj=io.BytesIO(exported)) as tar:
        return {member.name: member for member in tar}


def test_sizes(docker, built, project):
    measured = sizes.of_steps(docker, project)
    assert measured.alone("train") <= TRAIN_MB * sizes.MB, measured.table()
    assert measured.together() <= TOGETHER_MB * sizes.MB, measured.table()


@pytest.mark.parametrize("step", STEPS)
def test_holds_no_shell_no_package_manager_and_no_test(docker, built, step):
    held = files(docker, built[step])
    if os.environ.get("BASE_IMAGE", "").startswith("baton/"):  # What a public base brings isn't ours to remove.
        assert not held.keys() & set(NOT_AT_RUN_TIME)
    ours = [name for name in held if name.startswith(("opt/packages/", "opt/baton/"))]
    assert ours
    assert not [name for name in ours if "/tests/" in name or "/test_" in name or name.endswith((".c", ".pyx"))]


@pytest.mark.parametrize("step", STEPS)
def test_every_module_has_bytecode_that_any_user_can_read(docker, built, step):
    held = files(docker, built[step])
    for name, member in held.items():
        if name.startswith(("opt/packages", "opt/baton")) and not member.issym():
            assert member.mode & 0o004, name
        if name.startswith("opt/baton/") and name.endswith(".py"):
            folder, _, module = name.rpartition("/")
            assert [other for other in held if other.startswith(f"{folder}/__pycache__/{module[:-3]}.")], name


@pytest.mark.parametrize("step", STEPS)
def test_labels_tell_source_revision_and_version(docker, built, step):
    labels = docker.inspect(built[step])["Config"]["Labels"]
    for name in ("title", "description", "licenses", "source", "revision", "version", "created"):
        assert labels[f"org.opencontainers.image.{name}"], name


@pytest.mark.parametrize("step", STEPS)
def test_names_no_user_so_that_it_works_as_root_and_as_any_other(docker, built, step):
    assert docker.inspect(built[step])["Config"]["User"] == ""


def test_two_builds_have_equal_layers(docker, builder, built):
    anew = dataclasses.replace(builder, reuse=False).step("monitor", "baton/test-reproducible:1")
    try:
        first, second = (docker.inspect(image)["RootFS"]["Layers"] for image in (built["monitor"], anew))
        assert first == second
    finally:
        docker.run("rmi", "--force", "baton/test-reproducible:1")


def test_build_secrets_stay_in_no_layer_and_no_history(docker, builder, built, monkeypatch, tmp_path):
    bundle = next((Path(os.environ[name]) for name in CA_SETTINGS if os.environ.get(name)), SYSTEM_BUNDLE)
    if not bundle.exists():
        unavailable("No bundle of certificates is set or installed")
    marked = tmp_path / "bundle.crt"
    marked.write_text(f"# word-9f1c2\n{bundle.read_text()}")
    for name in CA_SETTINGS:
        monkeypatch.setenv(name, str(marked))
    layer = min(layers.of("infer"), key=lambda layer: len(layer.requirements))
    installer = (ROOT / INSTALLER).read_bytes()
    recipe = Recipe(
        "images/packages.Dockerfile",
        {"BUILD_IMAGE": builder.build_image, "PARENT": builder.base_image, "UV_VERSION": build._uv_version()},
        {INSTALLER: installer, "requirements.txt": layer.requirements.encode()},
    )
    name = "baton/test-secret:1"
    try:
        dataclasses.replace(builder, reuse=False)._build(recipe, name)
        assert "opt/packages" in files(docker, name)
        assert b"word-9f1c2" not in whole(docker, name)
    finally:
        docker.run("rmi", "--force", name)


def whole(docker, image: str) -> bytes:
    """Everything that the image consists of: configuration, history and layers."""
    return subprocess.run([docker.command, "save", image], capture_output=True, check=True).stdout


def test_refuses_an_unknown_step(builder):
    with pytest.raises(NotBuilt, match="There is no step trian; there are evaluate, infer"):
        builder.step("trian", "baton/test:1")


def test_says_how_to_get_a_base_image(docker, monkeypatch):
    monkeypatch.setenv("BASE_IMAGE", "127.0.0.1:1/nobody/has-this:1")
    with pytest.raises(NotBuilt, match="Set BASE_IMAGE and BUILD_IMAGE to images that can be had"):
        Builder.of_settings(docker)
