"""Notifications through an environment's topic."""

from __future__ import annotations

from functions.common import notify
from promotion.accounts import account


def publish(environment: str, subject: str, text: str) -> None:
    """Publish to the environment's topic of notifications; the message has the whole subject."""
    here = account(environment)
    notify.send(here.client("sns"), here.names.topic(), subject, f"{subject}.\n{text}\n")
