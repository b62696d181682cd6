"""Which image of the engine stands for an image URI of a job.

An account's registry that has a local address is asked for the image, by digest where the URI has one: what isn't
in that account's registry can't run in it, as in AWS. Every other URI needs an `image` in the image map.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docker.errors import DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from localaws.contract import Image, ImageMap
from localaws.runtimes.base import CannotRun


class Images:
    """The images that jobs may use.

    Args:
        client: of the engine.
        images: the image map.
        registries: a JSON file, {"111111111111.dkr.ecr.us-east-1.amazonaws.com": "127.0.0.1:5001", …}; read anew
            each time, because registries may move while localaws runs.
    """

    def __init__(self, client: Any, images: ImageMap, registries: Path | None) -> None:
        self._client = client
        self._images = images
        self._registries = registries

    def entry(self, uri: str) -> Image | None:
        """The image map's entry for a URI."""
        return self._images.find(uri)

    def resolve(self, uri: str, log: Callable[[str], None]) -> str:
        """Return the id of the engine's image for a URI; `log` is told the digest that a tag stands for.

        Raises CannotRun.
        """
        host, _, name = uri.partition("/")
        address = self._addresses().get(host)
        if address:
            return self._pull(uri, f"{address}/{name}", log)
        entry = self.entry(uri)
        if entry is None:
            raise CannotRun(f"The image {uri} isn't mapped to anything on this machine: add an entry to the image map.")
        if not entry.image:
            raise CannotRun(f"The image map's entry for {uri} has no image for the docker runtime.")
        return self._local(uri, entry.image)

    def _addresses(self) -> dict[str, str]:
        if self._registries is None:
            return {}
        try:
            return dict(json.loads(self._registries.read_text()))
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError):
            raise CannotRun(f"{self._registries} isn't a JSON object of registries and their addresses.") from None

    def _pull(self, uri: str, reference: str, log: Callable[[str], None]) -> str:
        try:
            image = self._client.images.pull(*_parts(reference))
        except (ImageNotFound, NotFound):
            raise CannotRun(
                f"The image {uri} isn't in its account's registry on this machine: push it first."
            ) from None
        except (DockerException, RequestException) as error:
            raise CannotRun(f"The image {uri} can't be pulled from {reference.partition('/')[0]}: {error}") from None
        if "@" not in reference:
            digests = [text for text in image.attrs.get("RepoDigests", ()) if text.startswith(_parts(reference)[0])]
            log(f"localaws: {uri} is {digests[0].partition('@')[2] if digests else image.id} now.")
        return image.id

    def _local(self, uri: str, name: str) -> str:
        try:
            return self._client.images.get(name).id
        except ImageNotFound:
            pass
        try:
            return self._client.images.pull(*_parts(name)).id
        except (DockerException, RequestException):
            raise CannotRun(
                f"The image map puts {name} in the place of {uri}, and the engine neither has it nor can pull it."
            ) from None


def _parts(reference: str) -> tuple[str, str]:
    """Return repository, and digest or tag; a tag beside a digest doesn't count."""
    name, _, digest = reference.partition("@")
    path, colon, tag = name.rpartition(":")
    tagged = colon and "/" not in tag
    return path if tagged else name, digest or (tag if tagged else "latest")
