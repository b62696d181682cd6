"""Sessions in the three accounts: CI's role of each in AWS, the account's own key against local accounts."""

from __future__ import annotations

import getpass
import os
import re
import socket
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from pipeline import account as credentials
from pipeline import settings
from pipeline.names import Names


@dataclass(frozen=True)
class Account:
    """One environment's account: its settings, its names, and clients that act in it."""

    settings: settings.Settings
    session: boto3.Session
    endpoint: str | None = None
    """Where local accounts answer, if not where the environment says."""

    @property
    def environment(self) -> str:
        """Dev, registry or prod."""
        return self.settings.environment

    @property
    def id(self) -> str:
        """12-digit account id."""
        return self.settings.account

    @property
    def names(self) -> Names:
        """What things are called in this account."""
        return Names(self.settings)

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service in this account."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service, endpoint_url=self.endpoint)
        return self._clients[service]

    def variables(self) -> dict[str, str]:
        """Return the environment variables with which another program acts in this account."""
        keys = self.session.get_credentials().get_frozen_credentials()
        found = {
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_REGION": self.settings.region,
        }
        return found | ({"AWS_SESSION_TOKEN": keys.token} if keys.token else {})


@lru_cache
def account(environment: str) -> Account:
    """Return an environment's account.

    Where BATON_ROLE is set, as in CI, that role (`ci`) is assumed in every account: with the token in
    AWS_WEB_IDENTITY_TOKEN_FILE if there is one, else with the external id of the settings. Without BATON_ROLE,
    local accounts take their id as access key, and in AWS the caller's own credentials do for the caller's own
    account; in the others CI's role is assumed.

    Raises:
        WrongSettings: the environment's settings can't be used.
        botocore.exceptions.ClientError: the role may not be assumed.
    """
    chosen = settings.load(environment)
    return Account(chosen, _session(chosen))


def _session(chosen: settings.Settings) -> boto3.Session:
    role = os.environ.get("BATON_ROLE")
    if role and (token := os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")):
        return _assumed(chosen, role, Path(token).read_text().strip())
    if role:
        return _assumed(chosen, role)
    own = credentials.session(chosen)
    if settings.is_local() or own.client("sts").get_caller_identity()["Account"] == chosen.account:
        return own
    return _assumed(chosen, "ci")


def _assumed(chosen: settings.Settings, role: str, token: str = "") -> boto3.Session:
    named = {
        "RoleArn": Names(chosen).role(role),
        "RoleSessionName": re.sub(r"[^\w+=,.@-]", "-", f"promotion-{who()}")[:64],
    }
    base = boto3.Session(region_name=chosen.region)
    if token:
        sts = base.client("sts", config=Config(signature_version=UNSIGNED))
        keys = sts.assume_role_with_web_identity(**named, WebIdentityToken=token)["Credentials"]
    else:
        keys = base.client("sts").assume_role(**named, ExternalId=chosen.ci.external_id)["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=chosen.region)


def who() -> str:
    """Return who acts: BUILD_TAG in Jenkins, else user@host."""
    return os.environ.get("BUILD_TAG") or f"{getpass.getuser()}@{socket.gethostname()}"
