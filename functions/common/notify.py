"""Tells people, through the account's topic."""

from __future__ import annotations

from functions.common.place import Place, client

SUBJECT_LIMIT = 99
"""Characters of a subject: SNS asks for fewer than 100."""


def subject(place: Place, words: str) -> str:
    """Return a subject within SNS's limits: one line of ASCII."""
    text = " ".join(f"{place.project} {place.environment}: {words}".split())
    return text.encode("ascii", "replace").decode()[:SUBJECT_LIMIT]


def people(place: Place, subject: str, message: str) -> None:
    """Publish to the account's topic of notifications."""
    client("sns").publish(TopicArn=place.topic, Subject=subject, Message=message)
