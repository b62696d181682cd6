"""Pushes what was built to an environment's registry, and writes down the digests that the registry gave.

An account's ECR is stood in for by a loopback registry where `images.registries` names one. The local
account's ECR then learns of the image through its own API, with the very manifest that the registry serves:
same bytes, same digest. Against AWS the registry is ECR itself.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from images import layers, registries, revision
from images.engine import Engine, NotBuilt
from images.layers import ROOT
from pipeline import settings
from promotion import accounts
from promotion.errors import PromotionError
from promotion.registry import Registry
from promotion.registry import of as registry_of

DIGESTS = ROOT / ".baton/digests"


def push(engine: Engine, environment: str, steps: list[str] | None = None) -> dict[str, str]:
    """Push the steps' images (default: all) as they were built, and return each one's digest.

    Writes them to .baton/digests/<environment>.json too, with the commit's version beside them.

    Raises:
        NotBuilt: an image was not built, or the registry refused it.
    """
    account = accounts.account(environment)
    host = registries.host(account.id, account.settings.region)
    local = registries.endpoints().get(host)
    if local is None:
        if settings.is_local():
            raise NotBuilt(
                f"No registry stands in for {host}; `.venv/bin/python -m images registries compose` takes those of "
                "`docker compose up`, `… registries up` starts others"
            )
        _log_in(engine, account, host)
    registry = Registry(f"http://{local}") if local else registry_of(account)
    digests = {}
    for step in steps or layers.steps():
        repository = account.names.repository(step)
        tag = _tag(engine, f"{repository}:latest")
        target = f"{local or host}/{repository}:{tag}"
        digests[step] = _once(registry, repository, tag, partial(_push, engine, f"{repository}:latest", target))
        try:
            content, media_type = registry.suitable(repository, digests[step])
        except PromotionError as error:
            raise NotBuilt(str(error)) from None
        if local:
            _tell_ecr(account.client("ecr"), repository, tag, content, media_type, digests[step])
    _record(environment, digests)
    return digests


def _tag(engine: Engine, built: str) -> str:
    """The version and the image's own id: repositories never let a tag move, and a rebuild may differ."""
    image = engine.inspect(built)
    if not image:
        raise NotBuilt(f"{built} was not built; run `make build`")
    version = re.sub(r"[^\w.-]", "-", revision.version())
    return f"{version}-{image['Id'].removeprefix('sha256:')[:12]}"


def _once(registry: Registry, repository: str, tag: str, push: Callable[[], str]) -> str:
    """Push an image unless its tag is there, which holds the image's id; return its digest.

    ECR refuses a tag that is there, were it for the same digest (aws/containers-roadmap#2179).
    """
    try:
        if held := registry.tagged(repository, tag):
            return held
        try:
            return push()
        except NotBuilt:
            # Somebody else pushed the same image meanwhile.
            if held := registry.tagged(repository, tag):
                return held
            raise
    except PromotionError as error:
        raise NotBuilt(str(error)) from None


def _push(engine: Engine, built: str, target: str) -> str:
    engine.run("tag", built, target)
    try:
        return re.search(r"digest: (sha256:[0-9a-f]{64})", engine.run("push", target))[1]
    finally:
        engine.run("rmi", "--no-prune", target)


def _log_in(engine: Engine, account: accounts.Account, host: str) -> None:
    """Give the engine ECR's own password, through its standard input."""
    token = account.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, password = base64.b64decode(token).decode().split(":", 1)
    engine.run("login", "--username", user, "--password-stdin", host, stdin=password.encode())


def _tell_ecr(ecr, repository: str, tag: str, manifest: bytes, media_type: str, digest: str) -> None:
    try:
        known = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])["images"]
        if not any(image["imageId"].get("imageTag") == tag for image in known):
            ecr.put_image(
                repositoryName=repository,
                imageManifest=manifest.decode(),
                imageManifestMediaType=media_type,
                imageTag=tag,
                imageDigest=digest,
            )
    except (BotoCoreError, ClientError) as error:
        raise NotBuilt(f"ECR does not take {repository}@{digest}: {error}") from None


def _record(environment: str, digests: dict[str, str]) -> None:
    DIGESTS.mkdir(parents=True, exist_ok=True)
    target = DIGESTS / f"{environment}.json"
    known = json.loads(target.read_text()) if target.exists() else {"images": {}}
    content = {
        "version": revision.version(),
        "git_commit": revision.commit(),
        "images": {**known["images"], **digests},
    }
    written = target.with_suffix(".new")
    written.write_text(json.dumps(content, indent=2) + "\n")
    Path(written).replace(target)
