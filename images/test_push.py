"""A push may be repeated: a tag that is there, which holds the image's own id, is asked for before anything is sent."""

import io
import os
import shutil
import tarfile
from functools import partial

import pytest

from images import push
from images.engine import Engine, NotBuilt
from images.fixtures import unavailable
from images.registries import Registry
from promotion import registry as registries
from promotion import source
from promotion.image_format import MANIFEST

REPOSITORY = "mammography/train"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A real registry, which speaks as ECR does but for refusing a tag a second time."""
    if not os.environ.get("REGISTRY_SERVER") and not shutil.which("docker-registry"):
        unavailable("No registry program is installed; .ci/docker up installs Debian's docker-registry")
    found = Registry(tmp_path_factory.mktemp("registry") / "111111111111")
    yield registries.Registry(f"http://{found.start()}")
    found.stop()


@pytest.fixture(scope="module")
def image():
    return source.image("train")


def pushing(registry, image, tag):
    """Return what pushes an image under a tag, as an engine does."""

    def push() -> str:
        for blob, content in image.blobs.items():
            registry.put_blob(REPOSITORY, blob, len(content), iter([content]))
        registry.put_manifest(REPOSITORY, tag, image.manifest, MANIFEST)
        return image.digest

    return push


def refused() -> str:
    raise NotBuilt("tag invalid: The image tag already exists and cannot be overwritten.")


def test_what_is_pushed_again_is_there_already(registry, image):
    assert push._once(registry, REPOSITORY, "1", pushing(registry, image, "1")) == image.digest
    assert push._once(registry, REPOSITORY, "1", refused) == image.digest


def test_what_somebody_else_pushed_meanwhile_is_there_as_well(registry, image):
    def beaten() -> str:
        pushing(registry, image, "2")()
        return refused()

    assert push._once(registry, REPOSITORY, "2", beaten) == image.digest


def test_what_the_registry_refuses_for_another_reason_is_said(registry):
    with pytest.raises(NotBuilt, match="cannot be overwritten"):
        push._once(registry, REPOSITORY, "3", refused)
    with pytest.raises(NotBuilt, match="doesn't answer"):
        push._once(registries.Registry("http://127.0.0.1:9"), REPOSITORY, "3", refused)


def test_an_image_of_sources_is_one_that_sagemaker_takes(registry, image):
    push._once(registry, REPOSITORY, "1", pushing(registry, image, "1"))
    assert registry.suitable(REPOSITORY, image.digest) == (image.manifest, MANIFEST)


def test_an_engines_image_is_one_that_sagemaker_takes_and_its_push_may_be_repeated(docker, registry):
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, content in (("Dockerfile", b"FROM scratch\nCOPY file /file\n"), ("file", b"1")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    docker.run("build", "--quiet", *docker.one_image, "--tag", "baton-test-push", "-", stdin=context.getvalue())
    try:
        target = f"{registry.name}/{REPOSITORY}:4"
        pushed = push._once(registry, REPOSITORY, "4", partial(push._push, docker, "baton-test-push", target))
        assert registry.suitable(REPOSITORY, pushed)[1] == MANIFEST
        assert push._once(registry, REPOSITORY, "4", refused) == pushed
    finally:
        docker.run("rmi", "baton-test-push")


@pytest.mark.parametrize(
    ("help_text", "options"),
    [
        ("--platform string", []),
        ("--provenance string --sbom string", ["--provenance=false", "--sbom=false"]),
    ],
)
def test_a_builder_that_knows_attestations_makes_none(tmp_path, help_text, options):
    """No builder of that kind is installed here; what it says of its options is enough to choose them."""
    command = tmp_path / "docker"
    command.write_text(f"#!/bin/sh\necho '{help_text}'\n")
    command.chmod(0o755)
    assert Engine(str(command)).one_image == ["--platform=linux/amd64", *options]
