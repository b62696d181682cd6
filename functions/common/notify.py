"""Notifications through an account's topic: one way to send them, for functions and promotion alike."""

from __future__ import annotations

from typing import Any

from functions.common.context import AccountContext, client

SUBJECT_LIMIT = 99
"""Characters of a subject: SNS asks for fewer than 100, of ASCII, without line breaks or control characters.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""


def subject_line(text: str) -> str:
    """Return a text as a subject that SNS takes."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(line.split()).encode("ascii", "replace").decode()[:SUBJECT_LIMIT].rstrip()


def subject(context: AccountContext, words: str) -> str:
    """Return the subject of a notification about an environment."""
    return subject_line(f"{context.project} {context.environment}: {words}")


def publish(context: AccountContext, subject: str, message: str) -> None:
    """Publish to the account's topic of notifications."""
    send(client("sns"), context.topic, subject, message)


def send(sns: Any, topic: str, subject: str, message: str) -> None:
    """Publish to a topic, with as much of the subject as SNS takes."""
    sns.publish(TopicArn=topic, Subject=subject_line(subject), Message=message)
