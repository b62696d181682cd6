"""A localaws as a process: serving until it is told to stop, and found again by its state folder."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from localaws import tokens
from localaws.engine.joblogs import OUTPUT
from localaws.settings import Settings, WrongSetting

RUNNING = "server.json"
LOG = "localaws.log"
STOP_SECONDS = 30
LAST_RESORT_SECONDS = 20
"""Within this time after it is told to stop, localaws ends, whatever its parts and its clients do."""
_log = logging.getLogger("localaws")


class NotRunning(Exception):
    """No localaws runs where one was looked for."""


def serve(settings: Settings, until_closed: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, or until standard input closes.

    Raises WrongSetting: the port or the state folder is in use.
    """
    settings.state.mkdir(parents=True, exist_ok=True)
    with own(settings.state), _listening(settings.host, settings.port) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        from localaws.application import Application
        from localaws.server import Server

        app = Application(settings)
        # What must not outlive this process is also stopped when the server fails.
        try:
            asyncio.run(_run(app, Server(app), listener, until_closed))
        finally:
            (settings.state / RUNNING).unlink(missing_ok=True)


async def _run(app: Any, server: Any, listener: socket.socket, until_closed: bool) -> None:
    from hypercorn.asyncio import serve as listen
    from hypercorn.config import Config

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end(*_: Any) -> None:
        _end_at_last(app.settings.state)
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        # Not through the loop: it may be what has stopped working.
        signal.signal(number, end)
    if until_closed:
        threading.Thread(target=_wait_for_end_of_input, args=(end,), daemon=True).start()
    config = Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    config.graceful_timeout = 3

    async def carry_on() -> None:
        await asyncio.to_thread(_wait_until_answering, app.settings.address)
        await asyncio.to_thread(app.start)
        _announce(app.settings)

    starting = asyncio.create_task(carry_on())

    async def until_stopped() -> None:
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, starting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and starting.exception():
            return
        await stopping
        # While parts end, their last calls still come through this very port.
        await asyncio.to_thread(app.close)

    await listen(server, config, shutdown_trigger=until_stopped)
    await starting


def _end_at_last(state: Path) -> None:
    """End this process when its time to stop is over: all that was answered is on disk already."""

    def end() -> None:
        _log.warning("localaws did not stop within %s s, and ends now.", LAST_RESORT_SECONDS)
        (state / RUNNING).unlink(missing_ok=True)
        os._exit(1)

    timer = threading.Timer(LAST_RESORT_SECONDS, end)
    timer.daemon = True
    timer.start()


def _wait_for_end_of_input(end: Callable[[], None]) -> None:
    while os.read(0, 4096):
        pass
    end()


def _wait_until_answering(address: str) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            _call(address, "GET", "health")
            return
        time.sleep(0.02)
    raise RuntimeError(f"{address} doesn't answer")


def _announce(settings: Settings) -> None:
    content = {"pid": os.getpid(), "port": settings.port, "address": settings.address}
    part = settings.state / f"{RUNNING}.part"
    part.write_text(json.dumps(content))
    part.replace(settings.state / RUNNING)
    print(f"localaws answers on {settings.address}", flush=True)


def status(state: Path, address: str) -> dict[str, Any]:
    """Return what the localaws of a state folder tells of itself. Raises OSError if it doesn't answer."""
    return ask(state, address, "GET", "status")


def ask(state: Path, address: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Call one of localaws' own paths with the token in its state folder. Raises OSError."""
    return _call(address, method, path, body, {tokens.HEADER: tokens.read(state)})


def _call(address: str, method: str, path: str, body: Any = None, headers: Any = None) -> dict[str, Any]:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"{address}/_localaws/{path}", data, headers or {}, method=method)
    # A proxy has no business on the loopback interface.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def running(state: Path) -> dict[str, Any]:
    """Return pid, port and address of the localaws of a state folder. Raises NotRunning."""
    try:
        found = json.loads((state / RUNNING).read_text())
        status(state, found["address"])
        return found
    except (OSError, ValueError, TypeError, KeyError):
        raise NotRunning(f"No localaws runs with the state folder {state}.") from None


def stop(state: Path) -> None:
    """Stop the localaws of a state folder and wait for its end. Raises NotRunning."""
    found = running(state)
    os.kill(found["pid"], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while not _free(state):
        if time.monotonic() > deadline:
            raise NotRunning(f"localaws (process {found['pid']}) did not stop within {STOP_SECONDS} s.")
        time.sleep(0.05)


def _free(state: Path) -> bool:
    try:
        with own(state):
            return True
    except WrongSetting:
        return False


@contextlib.contextmanager
def own(state: Path) -> Iterator[None]:
    """Hold a state folder; the system lets go of it when this process ends, however it ends."""
    try:
        lock = (state / "lock").open("w")
    except OSError as error:
        raise WrongSetting(f"{state / 'lock'} can't be written: {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise WrongSetting(f"The state folder {state} is in use by another localaws.") from None
        yield


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            raise WrongSetting(f"Port {port} can't be used: {error.strerror}. Choose another with --port.") from None
        yield listener


def log_to(stream: Any = None) -> None:
    """Send localaws' own log to a stream, warnings of its parts included."""
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "WARNING"),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=stream or sys.stderr,
    )
    OUTPUT.setLevel("INFO")
