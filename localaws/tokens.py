"""The secret with which localaws' own commands, and its own look-ups, are told from everybody else's requests."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Any

from localaws.http import Request

HEADER = "x-localaws-token"
FILE = "token"


def make(state: Path) -> str:
    """Write a new token into the state folder, for its owner alone, and return it."""
    token, part = secrets.token_urlsafe(32), state / f"{FILE}.part"
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token)
    part.replace(state / FILE)
    return token


def read(state: Path) -> str:
    """The token of the localaws that runs with a state folder. Raises OSError."""
    return (state / FILE).read_text()


def shows(request: Request, token: str) -> bool:
    """Whether a request has the token."""
    return hmac.compare_digest(request.headers.get(HEADER, "").encode(), token.encode())


def without(scope: Any) -> Any:
    """The request of an ASGI scope without the token, which no emulator gets to see."""
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name.lower() != HEADER.encode()]}
