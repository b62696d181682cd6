"""Tells people, through the account's topic."""

from __future__ import annotations

from functions.common.context import AccountContext, client

SUBJECT_LIMIT = 99
"""Characters of a subject: SNS asks for fewer than 100."""


def subject(context: AccountContext, words: str) -> str:
    """Return a subject within SNS's limits: one line of ASCII."""
    text = " ".join(f"{context.project} {context.environment}: {words}".split())
    return text.encode("ascii", "replace").decode()[:SUBJECT_LIMIT]


def publish(context: AccountContext, subject: str, message: str) -> None:
    """Publish to the account's topic of notifications."""
    client("sns").publish(TopicArn=context.topic, Subject=subject, Message=message)
