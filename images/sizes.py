"""What the steps' images take in a registry: each alone, and the five together, which share layers.

The figures come from the manifests that a registry serves after a push, so they are compressed bytes as they
are stored, pushed and pulled. The registry is one of its own that is gone afterwards.
"""

from __future__ import annotations

import http.client
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from images import layers
from images.engine import Engine, NotBuilt
from images.registries import Registry
from promotion.image_format import ACCEPTED

MB = 1_000_000


@dataclass(frozen=True)
class Sizes:
    """Compressed bytes: of each layer by its digest, and the digests of each image's layers, lowest first."""

    layers: dict[str, int]
    images: dict[str, list[str]]

    def alone(self, image: str) -> int:
        """Bytes of one image with everything below it."""
        return sum(self.layers[digest] for digest in self.images[image])

    def own(self, image: str) -> int:
        """Bytes of the layers that no other image has."""
        others = {digest for name, digests in self.images.items() if name != image for digest in digests}
        return sum(self.layers[digest] for digest in self.images[image] if digest not in others)

    def together(self) -> int:
        """Bytes of all images, each layer once."""
        return sum(self.layers.values())

    def table(self) -> str:
        """A line per image in MB, and one for all of them."""
        lines = [f"{'image':12} {'MB':>7} {'own MB':>7}"]
        lines += [f"{name:12} {self.alone(name) / MB:7.1f} {self.own(name) / MB:7.1f}" for name in sorted(self.images)]
        apart = sum(map(self.alone, self.images))
        together = f"{'together':12} {self.together() / MB:7.1f}         ({apart / MB:.1f} MB if they shared nothing)"
        return "\n".join([*lines, together])


def measure(engine: Engine, images: dict[str, str]) -> Sizes:
    """Push local images (label to name) to a registry of its own, and read their layers' sizes.

    Raises:
        NotBuilt: an image was not built, or no registry can be started.
    """
    with tempfile.TemporaryDirectory(prefix="baton-sizes-") as folder:
        registry = Registry(Path(folder))
        address = registry.start()
        try:
            found = {label: _layers(engine, name, f"{address}/{label}:measured") for label, name in images.items()}
        finally:
            registry.stop()
    return Sizes(
        {digest: size for sizes in found.values() for digest, size in sizes.items()},
        {label: list(sizes) for label, sizes in found.items()},
    )


def of_steps(engine: Engine, project: str) -> Sizes:
    """Measure the image of every step."""
    return measure(engine, {step: f"{project}/{step}" for step in layers.steps()})


def _layers(engine: Engine, name: str, target: str) -> dict[str, int]:
    if not engine.has(name):
        raise NotBuilt(f"{name} was not built; run `make build`")
    engine.run("tag", name, target)
    try:
        engine.run("push", target)
    finally:
        engine.run("rmi", "--no-prune", target)
    address, _, repository = target.rpartition(":")[0].partition("/")
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("GET", f"/v2/{repository}/manifests/measured", headers={"Accept": ", ".join(ACCEPTED)})
        manifest = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    # A layer that only sets the environment is empty, and the same 32 bytes in every image.
    return {layer["digest"]: layer["size"] for layer in manifest["layers"]}
