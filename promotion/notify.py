"""Tells people, through an environment's topic."""

from __future__ import annotations

from promotion.accounts import account

SUBJECT_LIMIT = 100
"""Characters that SNS takes in a subject."""


def publish(environment: str, subject: str, text: str) -> None:
    """Publish to the environment's topic of notifications."""
    here = account(environment)
    here.client("sns").publish(
        TopicArn=here.names.topic(), Subject=subject[:SUBJECT_LIMIT], Message=f"{subject}.\n{text}\n"
    )
