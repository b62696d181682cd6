"""Sessions in the three accounts: a role of each in AWS, the account's own key against local accounts."""

from __future__ import annotations

import getpass
import os
import re
import socket
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import boto3

from pipeline import account as credentials
from pipeline import settings
from pipeline.names import Names


@dataclass(frozen=True)
class Account:
    """One environment's account: its settings, its names, and clients that act in it."""

    settings: settings.Settings
    session: boto3.Session

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
            self._clients[service] = self.session.client(service)
        return self._clients[service]


@lru_cache
def account(environment: str) -> Account:
    """Return an environment's account.

    Against AWS a caller from another account assumes the account's CI role, `<project>-ci`; BATON_EXTERNAL_ID
    is passed where that role's trust asks for one. Against local accounts the key id is the account id.

    Raises:
        WrongSettings: the environment's settings can't be used.
        botocore.exceptions.ClientError: the role may not be assumed.
    """
    chosen = settings.load(environment)
    return Account(chosen, _in_account(chosen))


def _in_account(chosen: settings.Settings) -> boto3.Session:
    own = credentials.session(chosen)
    sts = own.client("sts")
    if sts.get_caller_identity()["Account"] == chosen.account:
        return own
    external = {"ExternalId": os.environ["BATON_EXTERNAL_ID"]} if os.environ.get("BATON_EXTERNAL_ID") else {}
    keys = sts.assume_role(
        RoleArn=Names(chosen).role("ci"),
        RoleSessionName=re.sub(r"[^\w+=,.@-]", "-", f"promotion-{who()}")[:64],
        **external,
    )["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=chosen.region)


def who() -> str:
    """Return who acts: BUILD_TAG in Jenkins, else user@host."""
    return os.environ.get("BUILD_TAG") or f"{getpass.getuser()}@{socket.gethostname()}"
