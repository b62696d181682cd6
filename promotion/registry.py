"""A registry over the OCI distribution API: manifests and blobs by digest, held against their digests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import urllib3

from pipeline.settings import is_local
from promotion.accounts import Account
from promotion.errors import DigestMismatch, DigestMissing, RegistryFailed, TagMoved
from promotion.image_format import ACCEPTED, MANIFEST, check_platform, config_digest
from promotion.manifest import digest as digest_of

ROOT = Path(__file__).parent.parent
BLOCK = 1 << 20
PATIENCE = urllib3.Timeout(connect=10, read=120)
AGAIN = urllib3.Retry(4, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False)


class Registry:
    """One account's registry.

    Args:
        address: where it listens, https://host or http://host:port.
        host: the name to ask it by, if that isn't the address's (several registries behind one port).
        authorization: the value of the Authorization header, if it wants one.
        announce: called with each tag given (repository, tag, manifest, media type), where somebody must know.
    """

    def __init__(
        self,
        address: str,
        host: str = "",
        authorization: str = "",
        announce: Callable[[str, str, bytes, str], None] | None = None,
    ) -> None:
        self.address = address.rstrip("/")
        self.name = host or urlsplit(address).netloc
        self.headers = {"Host": host} if host else {}
        if authorization:
            self.headers["Authorization"] = authorization
        self._announce = announce
        self._pool = _pool(address)

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str]:
        """Return a manifest's bytes and media type; reference is a digest or a tag.

        Raises:
            DigestMissing: the repository doesn't hold it.
            DigestMismatch: the registry sent other bytes than the digest's.
            RegistryFailed: any other answer.
        """
        answer = self._ask("GET", f"{repository}/manifests/{reference}", {"Accept": ", ".join(ACCEPTED)})
        if answer.status == 404:
            raise DigestMissing(f"{self.name}/{repository} doesn't hold {reference}.")
        self._demand(answer, 200, f"manifest {reference} of {repository}")
        if reference.startswith("sha256:") and digest_of(answer.data) != reference:
            raise DigestMismatch(f"{self.name}/{repository} sent other bytes for {reference}.")
        return answer.data, answer.headers.get("Content-Type", MANIFEST)

    def suitable(self, repository: str, digest: str) -> tuple[bytes, str]:
        """Return the manifest of an image that SageMaker takes, and its media type.

        Raises:
            UnsuitableImage: it is of another format, or for another platform.
            DigestMissing, DigestMismatch, RegistryFailed: as `manifest` and `blob`.
        """
        name = f"{self.name}/{repository}@{digest}"
        content, media_type = self.manifest(repository, digest)
        config = config_digest(name, content, media_type)
        check_platform(name, b"".join(self.blob(repository, config)))
        return content, media_type

    def tagged(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag points to; None if there is no such tag."""
        try:
            return digest_of(self.manifest(repository, tag)[0])
        except DigestMissing:
            return None

    def holds(self, repository: str, kind: str, digest: str) -> bool:
        """Whether the repository holds a digest; kind is `manifests` or `blobs`."""
        answer = self._ask("HEAD", f"{repository}/{kind}/{digest}", {"Accept": ", ".join(ACCEPTED)})
        if answer.status not in (200, 404):
            self._demand(answer, 200, f"{digest} of {repository}")
        return answer.status == 200

    def put_manifest(self, repository: str, reference: str, content: bytes, media_type: str) -> None:
        """Store a manifest under its digest or a tag.

        Raises:
            RegistryFailed: the registry refused it.
        """
        path = f"{repository}/manifests/{reference}"
        answer = self._ask("PUT", path, {"Content-Type": media_type}, body=content)
        self._demand(answer, 201, f"manifest {reference} of {repository}")

    def put_tag(self, repository: str, tag: str, digest: str) -> None:
        """Give an image that the repository holds a tag that never moves.

        Raises:
            TagMoved: the tag is there and points elsewhere.
        """
        content, media_type = self.manifest(repository, digest)
        if self.tagged(repository, tag) is None:
            self.put_manifest(repository, tag, content, media_type)
        self.check_tag(repository, tag, digest)
        if self._announce:
            self._announce(repository, tag, content, media_type)

    def check_tag(self, repository: str, tag: str, digest: str, absent: bool = False) -> None:
        """Demand that a tag points to a digest; `absent` allows that there is no such tag.

        Raises:
            TagMoved: it doesn't.
        """
        found = self.tagged(repository, tag)
        if found != digest and not (absent and found is None):
            raise TagMoved(f"{self.name}/{repository}:{tag} points to {found or 'nothing'}, not to {digest}.")

    def blob(self, repository: str, digest: str) -> Iterator[bytes]:
        """Give a blob's bytes in blocks.

        Raises:
            DigestMissing: the repository doesn't hold it.
            DigestMismatch: the bytes, all given by then, aren't the digest's.
            RegistryFailed: any other answer, or the connection broke.
        """
        answer = self._ask("GET", f"{repository}/blobs/{digest}", {"Accept-Encoding": "identity"}, stream=True)
        if answer.status == 404:
            raise DigestMissing(f"{self.name}/{repository} doesn't hold the layer {digest}.")
        self._demand(answer, 200, f"layer {digest} of {repository}")
        seen = hashlib.sha256()
        try:
            while block := answer.read(BLOCK):
                seen.update(block)
                yield block
        except urllib3.exceptions.HTTPError as error:
            raise RegistryFailed(f"{self.name} broke off within {digest} ({type(error).__name__}).") from None
        finally:
            answer.release_conn()
        if f"sha256:{seen.hexdigest()}" != digest:
            raise DigestMismatch(f"{self.name}/{repository} sent other bytes for {digest}.")

    def mount(self, repository: str, digest: str, other: str) -> bool:
        """Take a blob over from another repository of this registry; False if the registry doesn't."""
        path = f"{repository}/blobs/uploads/?mount={digest}&from={quote(other, safe='')}"
        answer = self._ask("POST", path)
        if answer.status == 202:  # it opened an upload instead
            self._cancel(answer.headers["Location"])
        return answer.status == 201

    def put_blob(self, repository: str, digest: str, size: int, blocks: Iterator[bytes]) -> None:
        """Store a blob; nothing is kept if the blocks end early or aren't the digest's.

        Raises:
            DigestMismatch, DigestMissing, RegistryFailed: from the blocks, or the registry refused them.
        """
        answer = self._ask("POST", f"{repository}/blobs/uploads/")
        self._demand(answer, 202, f"an upload to {repository}")
        location = self._at(answer.headers["Location"])
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        try:
            answer = self._send("PATCH", location, headers, body=_Reader(blocks), retries=False)
            self._demand(answer, (202, 204), f"layer {digest} of {repository}")
        except BaseException:
            self._cancel(location)
            raise
        location = self._at(answer.headers["Location"])
        location += f"{'&' if '?' in location else '?'}digest={digest}"
        answer = self._send("PUT", location, {"Content-Length": "0"}, retries=False)
        self._demand(answer, 201, f"layer {digest} of {repository}")

    def _at(self, location: str) -> str:
        return urljoin(f"{self.address}/v2/", location)

    def _cancel(self, location: str) -> None:
        # An upload left open costs nothing for good: registries drop it after a while.
        with contextlib.suppress(RegistryFailed):
            self._send("DELETE", self._at(location), {}, retries=False)

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        **more: Any,
    ) -> urllib3.BaseHTTPResponse:
        return self._send(method, f"{self.address}/v2/{path}", headers or {}, stream=stream, **more)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], stream: bool = False, **more: Any
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(
                method,
                url,
                headers={**self.headers, **headers},
                preload_content=not stream,
                **{"retries": AGAIN, **more},
            )
        except urllib3.exceptions.HTTPError as error:
            raise RegistryFailed(f"Registry {self.name} doesn't answer ({type(error).__name__}).") from None

    def _demand(self, answer: urllib3.BaseHTTPResponse, status: int | tuple[int, ...], what: str) -> None:
        if answer.status not in (status if isinstance(status, tuple) else (status,)):
            raise RegistryFailed(f"Registry {self.name} answered {answer.status}{_reason(answer)} for {what}.")


class _Reader:
    """Blocks as the file that urllib3 reads a body from; it has no `tell`, so nothing tries to rewind it."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def read(self, _size: int = -1) -> bytes:
        return next(self._blocks, b"")


def _reason(answer: urllib3.BaseHTTPResponse) -> str:
    """The registry's own error code, in brackets."""
    try:
        return f" ({json.loads(answer.data)['errors'][0]['code']})"
    except (ValueError, LookupError, TypeError):
        return ""


def _pool(address: str) -> urllib3.PoolManager:
    parts = urlsplit(address)
    options: dict[str, Any] = {"blocksize": BLOCK, "maxsize": 8, "timeout": PATIENCE}
    if bundle := os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE"):
        options["ca_certs"] = bundle
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, **options)
    return urllib3.PoolManager(**options)


def of(account: Account) -> Registry:
    """Return an account's registry: its ECR, or what stands in for it on this machine.

    Where the clients are pointed to local accounts, a registry that `stand_ins` names comes first; else one
    port answers for every account's ECR and tells them apart by the name it is asked by.
    """
    name = f"{account.id}.dkr.ecr.{account.settings.region}.amazonaws.com"
    ecr = account.client("ecr")
    if is_local() and (own := stand_ins().get(name)):
        return Registry(f"http://{own}", announce=lambda *image: _announce(ecr, *image))
    granted = ecr.get_authorization_token()["authorizationData"][0]
    token = f"Basic {granted['authorizationToken']}"
    if is_local():
        return Registry(ecr.meta.endpoint_url, name, token)
    return Registry(granted["proxyEndpoint"], "", token)


def stand_ins() -> dict[str, str]:
    """Return registry name → host:port of the registries that stand in for local accounts' ECR.

    They are listed in .baton/registries.json, or in the file that BATON_REGISTRIES names.

    Raises:
        RegistryFailed: the file isn't JSON.
    """
    file = Path(os.environ.get("BATON_REGISTRIES") or ROOT / ".baton" / "registries.json")
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise RegistryFailed(f"{file}: not JSON.") from None


def _announce(ecr: Any, repository: str, tag: str, content: bytes, media_type: str) -> None:
    """Let ECR's own API know of an image that a registry beside it holds."""
    image = {"imageDigest": digest_of(content)}
    try:
        held = ecr.describe_images(repositoryName=repository, imageIds=[image])["imageDetails"]
    except ecr.exceptions.ImageNotFoundException:
        held = []
    if not any(tag in one.get("imageTags", ()) for one in held):
        ecr.put_image(
            repositoryName=repository,
            imageManifest=content.decode(),
            imageManifestMediaType=media_type,
            imageTag=tag,
            **image,
        )
