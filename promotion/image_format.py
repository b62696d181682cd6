"""The one format of images that SageMaker takes: a single linux/amd64 image as Docker's manifest, schema 2.

CreateModel answers "Unsupported manifest media type" to OCI's manifests and to every index (reports in
aws/amazon-sagemaker-feedback#180 and moby/buildkit#5480); that jobs do so too is assumed. Builders with a containerd
store, BuildKit's attestations and other machines' architectures give such images without being asked.
"""

from __future__ import annotations

import json

from promotion.errors import UnsuitableImage

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
"""Not compressed; a builder's layers are, and end in `.gzip`."""

OTHERS = {
    "application/vnd.docker.distribution.manifest.list.v2+json": "a list of images",
    "application/vnd.oci.image.index.v1+json": "an OCI index (of several architectures, or with attestations)",
    "application/vnd.oci.image.manifest.v1+json": "an OCI manifest",
    "application/vnd.docker.distribution.manifest.v1+prettyjws": "a manifest of schema 1",
}
ACCEPTED = (MANIFEST, *OTHERS)
"""What a registry is asked for: only what is asked for can be named."""

FLAGS = "--platform linux/amd64 --provenance=false --sbom=false --output type=image,push=true,oci-mediatypes=false"
PLATFORM = ("linux", "amd64")


def config_digest(name: str, content: bytes, media_type: str) -> str:
    """Return the digest of an image's configuration, after a look at its manifest.

    Raises:
        UnsuitableImage: SageMaker wouldn't take it; the message names the image and what it is.
    """
    try:
        value = json.loads(content)
        said = value.get("mediaType", media_type)
        if said == media_type == MANIFEST and value["config"]["mediaType"] == CONFIG:
            return value["config"]["digest"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnsuitableImage(f"{name}: its manifest can't be read.") from None
    wrong = said if media_type == MANIFEST else media_type
    what = OTHERS.get(wrong) or (f"of type {wrong}" if wrong != MANIFEST else "a manifest of something else")
    raise UnsuitableImage(
        f"{name} is {what}. SageMaker takes one image as Docker's manifest of schema 2: build it with "
        f"`docker buildx build {FLAGS}`."
    )


def check_platform(name: str, config: bytes) -> None:
    """Demand that an image's configuration is one of linux/amd64.

    Raises:
        UnsuitableImage: it isn't.
    """
    try:
        value = json.loads(config)
        found = (value["os"], value["architecture"])
    except (ValueError, KeyError, TypeError):
        raise UnsuitableImage(f"{name}: its configuration names no platform.") from None
    if found != PLATFORM:
        raise UnsuitableImage(f"{name} is for {'/'.join(map(str, found))}, and instances are {'/'.join(PLATFORM)}.")
