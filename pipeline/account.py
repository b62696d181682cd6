"""The account that an environment's settings name, and clients in it."""

from __future__ import annotations

from typing import Any

import boto3
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader

from functions.common import context
from functions.common.context import AccountContext
from pipeline.names import Names
from pipeline.settings import Settings, is_local


class WrongAccount(Exception):
    """The credentials at hand aren't the environment's."""


_loader = Loader()
"""Reads each service's model once for all local accounts."""


def session(settings: Settings, local: bool = False) -> Any:
    """Return a session in the environment's account; a local one too where nothing says so but the caller.

    Local accounts take their id as access key, whatever profile a person's shell names; in AWS the usual chain of
    credentials has to lead there.
    """
    if local or is_local():
        return boto3.Session(
            aws_access_key_id=settings.account,
            aws_secret_access_key="local",
            region_name=settings.region,
            botocore_session=without_profile(),
        )
    return boto3.Session(region_name=settings.region)


def without_profile() -> botocore.session.Session:
    """Return a session that asks for no profile: AWS_PROFILE may name one that isn't configured here."""
    core = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    core.register_component("data_loader", _loader)
    return core


def enter(settings: Settings) -> AccountContext:
    """Make the environment's account the one that the functions' helpers work in; return its context.

    Raises:
        WrongAccount: the credentials are missing or belong to another account.
    """
    entered = session(settings)
    try:
        account = entered.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise WrongAccount(f"{settings.environment}: no usable credentials ({error}).") from None
    if account != settings.account:
        raise WrongAccount(
            f"{settings.environment} is account {settings.account}, the credentials are those of {account}."
        )
    context.use(entered)
    return context_of(settings)


def context_of(settings: Settings) -> AccountContext:
    """Return the context that a function of this environment would run in."""
    names = Names(settings)
    return AccountContext(
        project=settings.project,
        environment=settings.environment,
        region=settings.region,
        account=settings.account,
        registry_account=settings.accounts.registry,
        data_bucket=names.data_bucket,
        models_bucket=names.models_bucket,
    )
