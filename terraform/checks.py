"""What is checked before a plan: settings, account, definitions, and the release with its signature and images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import settings as configuration
from pipeline import validation
from pipeline.execution import DEFINITIONS, CannotStart, render
from pipeline.release import Release
from pipeline.settings import Settings
from promotion import accounts, images, registry
from promotion.accounts import Account
from promotion.build import repositories
from promotion.manifest import Manifest
from promotion.releases import Releases
from terraform.errors import WrongAccount, WrongDefinition

MEMBERS = ("dev", "prod")
"""Where releases run."""


def entered(environment: str) -> Account:
    """Return an environment's account, with settings that hold and credentials that lead there.

    Raises:
        WrongSettings: a settings file can't be used.
        WrongAccount: the credentials are missing, or belong to another account that may not assume this one's CI role.
    """
    wanted = configuration.load(environment)
    try:
        account = accounts.account(environment)
        found = account.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise WrongAccount(
            f"{environment} is account {wanted.account}, and the credentials don't lead there ({_short(error)})."
        ) from None
    if found != wanted.account:
        raise WrongAccount(f"{environment} is account {wanted.account}, the credentials are those of {found}.")
    return account


def check_definitions(settings: Settings) -> None:
    """Demand that SageMaker would take the definitions of this checkout.

    Raises:
        WrongDefinition: it wouldn't.
    """
    for pipeline in DEFINITIONS:
        try:
            render(settings, pipeline, Release())
        except CannotStart as error:
            raise WrongDefinition(f"{settings.environment}: {error}") from None


def released(account: Account, version: str, into: Path) -> Manifest:
    """Fetch a release whose signature holds and whose images are in the account's registry, into a folder.

    Raises:
        Refused: by name; what is wrong with it.
        WrongDefinition: SageMaker would refuse one of its definitions.
    """
    manifest = Releases(entered("registry")).verified(version)
    images.check(registry.of(account), repositories(manifest))
    lay_out(account, manifest, Releases(entered("registry")).fetch(manifest, into.parent / "releases"), into)
    return manifest


def lay_out(account: Account, manifest: Manifest, folder: Path, into: Path) -> None:
    """Lay a release's files out where Terraform reads them: one place, because Terraform compares paths too.

    Raises:
        WrongDefinition: SageMaker would refuse one of its definitions.
    """
    environment = account.environment
    for pipeline in manifest.pipelines(environment):
        file = folder / "definitions" / environment / f"{pipeline}.json"
        try:
            definition = json.loads(file.read_text())
            problems = validation.problems(definition) or validation.unresolved(definition, manifest.images.values())
        except (OSError, ValueError) as error:
            problems = [str(error)]
        if problems:
            raise WrongDefinition(f"Release {manifest.version}: {pipeline} definition for {environment}: {problems[0]}")
    part = into.with_name(f".{into.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(folder, part)
    shutil.rmtree(into, ignore_errors=True)
    part.replace(into)


def _short(error: Exception) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else str(error)
