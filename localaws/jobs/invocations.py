"""A hosting container's HTTP interface: /ping, /execution-parameters and /invocations.

Source: Amazon SageMaker AI developer guide, "Custom Inference Code with Batch Transform".
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PING = 2.0
"""Seconds within which a container must answer /ping."""

MOST = 1 << 20
"""Bytes of an answer to /ping or /execution-parameters."""

AGAIN = 0.05
"""Seconds before the next attempt at /ping."""


class Rejected(Exception):
    """The container didn't take a request; `status` is its HTTP status (None: no answer), the text what it said."""

    def __init__(self, status: int | None, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What /invocations gave."""

    body: bytes
    content_type: str | None


class Server:
    """One container's address; each thread that talks to it keeps a connection of its own."""

    def __init__(self, address: str, timeout: float, retries: int) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._timeout = timeout
        self._retries = retries
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def wait(self, ended: Callable[[], bool]) -> bool:
        """Wait for /ping to answer 200; False when `ended` said so first."""
        while not ended():
            try:
                if self._once("/ping")[0] == 200:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(AGAIN)
        return False

    def parameters(self) -> dict[str, Any]:
        """Return what /execution-parameters says: nothing where the container doesn't know it."""
        try:
            status, content = self._once("/execution-parameters")
            given = json.loads(content)
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        return given if status == 200 and isinstance(given, dict) else {}

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.close()

    def invoke(self, body: bytes, content_type: str | None, accept: str | None, chunked: bool = False) -> Answer:
        """Send one payload, again where it failed on the container's side. Raises Rejected."""
        headers = {"Content-Type": content_type, "Accept": accept}
        for left in range(self._retries, -1, -1):
            try:
                return self._attempt(body, {name: text for name, text in headers.items() if text}, chunked)
            except Rejected as error:
                if not left or (error.status is not None and error.status < 500):
                    raise
        raise AssertionError

    def _attempt(self, body: bytes, headers: dict[str, str], chunked: bool) -> Answer:
        try:
            response = self._post(body, headers, chunked)
            content = response.read()
        except TimeoutError:
            self._forget()
            raise Rejected(None, f"no answer within {self._timeout:g} seconds") from None
        except (OSError, http.client.HTTPException):
            self._forget()
            raise Rejected(None, "the connection broke") from None
        if response.status >= 300:
            raise Rejected(response.status, content.decode(errors="replace").strip())
        return Answer(content, response.headers.get("Content-Type"))

    def _post(self, body: bytes, headers: dict[str, str], chunked: bool) -> http.client.HTTPResponse:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            # The container may have closed a connection that was idle, which is no failed request.
            with contextlib.suppress(ConnectionError, http.client.BadStatusLine):
                return self._ask(connection, body, headers, chunked)
            self._forget()
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        self._local.connection = connection
        self._connections.append(connection)
        return self._ask(connection, body, headers, chunked)

    def _ask(
        self, connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str], chunked: bool
    ) -> http.client.HTTPResponse:
        content = iter([body]) if chunked else body
        connection.request("POST", "/invocations", content, headers, encode_chunked=chunked)
        return connection.getresponse()

    def _forget(self) -> None:
        self._connections.remove(self._local.connection)
        self._local.connection.close()
        self._local.connection = None

    def _once(self, path: str) -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection(self._host, self._port, timeout=PING)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read(MOST)
