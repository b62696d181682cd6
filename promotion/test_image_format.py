"""Layouts that builders give, as they were seen in registries: one of them is taken, the others are named."""

import json

import pytest

from promotion.errors import UnsuitableImage
from promotion.image_format import CONFIG, MANIFEST, check_platform, config_digest

DIGEST = "sha256:" + "a" * 64
OCI, INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def image(media_type, config):
    layer = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1, "digest": DIGEST}
    described = {"mediaType": config, "size": 1, "digest": DIGEST}
    return {"schemaVersion": 2, "mediaType": media_type, "config": described, "layers": [layer]}


def index(media_type, *platforms):
    listed = [
        {"mediaType": OCI, "digest": DIGEST, "size": 1, "platform": dict(zip(("os", "architecture"), one, strict=True))}
        for one in platforms
    ]
    return {"schemaVersion": 2, "mediaType": media_type, "manifests": listed}


def test_dockers_manifest_is_taken():
    content = json.dumps(image(MANIFEST, CONFIG)).encode()
    assert config_digest("infer", content, MANIFEST) == DIGEST


LAYOUTS = {
    "a containerd store's image with an attestation": (
        index(INDEX, ("linux", "amd64"), ("unknown", "unknown")), INDEX, "an OCI index",
    ),
    "one image in an index": (index(INDEX, ("linux", "amd64")), INDEX, "an OCI index"),
    "several architectures": (index(LIST, ("linux", "amd64"), ("linux", "arm64")), LIST, "a list of images"),
    "BuildKit without attestations": (image(OCI, "application/vnd.oci.image.config.v1+json"), OCI, "an OCI manifest"),
    "an OCI manifest that says no type": (
        {key: value for key, value in image(OCI, "x").items() if key != "mediaType"}, OCI, "an OCI manifest",
    ),
    "an OCI manifest served as Docker's": (image(OCI, CONFIG), MANIFEST, "an OCI manifest"),
    "an artifact in Docker's manifest": (image(MANIFEST, "application/vnd.in-toto+json"), MANIFEST, "something else"),
    "schema 1": (
        {"schemaVersion": 1}, "application/vnd.docker.distribution.manifest.v1+prettyjws", "a manifest of schema 1",
    ),
    "a type nobody knows": (image("text/x", CONFIG), "text/x", "of type text/x"),
}  # fmt: skip


@pytest.mark.parametrize(("layout", "media_type", "said"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_another_layout_is_named_with_how_to_build_it(layout, media_type, said):
    with pytest.raises(UnsuitableImage, match=rf"^infer is .*{said}.*oci-mediatypes=false"):
        config_digest("infer", json.dumps(layout).encode(), media_type)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"mediaType": 1, "config": 2}'])
def test_what_is_no_manifest_is_refused(content):
    with pytest.raises(UnsuitableImage, match=r"^infer"):
        config_digest("infer", content, MANIFEST)


def test_only_linux_on_amd64_is_taken():
    check_platform("infer", b'{"os": "linux", "architecture": "amd64"}')
    with pytest.raises(UnsuitableImage, match=r"^infer is for linux/arm64, and instances are linux/amd64"):
        check_platform("infer", b'{"os": "linux", "architecture": "arm64", "variant": "v8"}')
    for config in (b"", b"{}", b"[]"):
        with pytest.raises(UnsuitableImage, match="names no platform"):
            check_platform("infer", config)
