"""One real OCI registry per account, on a loopback port of its own: what ECR is in AWS.

`.baton/registries.json` (or the file that BATON_REGISTRIES names) tells everybody which port stands in for
which account: {"111111111111.dkr.ecr.us-east-1.amazonaws.com": "127.0.0.1:40111", …}. What serves them is
REGISTRY_SERVER: a registry program (default: Debian's docker-registry, where it is installed), or an image,
written as image:registry:2.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from images import engine
from images.engine import NotBuilt
from images.layers import ROOT

STATE = ROOT / ".baton/registries"
PUBLIC_IMAGE = "image:registry:2"
READY_SECONDS = 30
COMPOSE_PORTS = {"dev": 5011, "prod": 5033}
"""Those of docker-compose.yml."""
OWN_HEADER = "X-Baton-Registry"


def file() -> Path:
    """Where it is written which port stands in for which account's registry."""
    return Path(os.environ.get("BATON_REGISTRIES") or ROOT / ".baton/registries.json")


def endpoints() -> dict[str, str]:
    """The local address of each registry host that is stood in for; empty where none is."""
    try:
        return json.loads(file().read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise NotBuilt(f"{file()} is not JSON ({error})") from None


def host(account: str, region: str) -> str:
    """The account's registry in AWS."""
    return f"{account}.dkr.ecr.{region}.amazonaws.com"


@dataclass(frozen=True)
class Registry:
    """One registry of this machine: its data, its port and the word by which it is known as ours."""

    folder: Path

    def start(self) -> str:
        """Serve the folder, unless that is so already, and return the address.

        Raises:
            NotBuilt: what REGISTRY_SERVER names can't be started, or something else answers on its port.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if address := self.address():
            return address
        self.stop()
        server = os.environ.get("REGISTRY_SERVER") or shutil.which("docker-registry") or PUBLIC_IMAGE
        address = f"127.0.0.1:{_free_port()}"
        word = secrets.token_hex(8)
        settings = {
            "REGISTRY_HTTP_SECRET": secrets.token_hex(16),
            f"REGISTRY_HTTP_HEADERS_{OWN_HEADER.upper()}": json.dumps([word]),
        }
        run = self._container if server.startswith("image:") else self._process
        started = run(server.removeprefix("image:"), address, settings)
        self._state.write_text(json.dumps({"address": address, "word": word, **started}))
        deadline = time.monotonic() + READY_SECONDS
        while self.address() is None:
            if time.monotonic() > deadline:
                self.stop()
                raise NotBuilt(f"{server} did not answer on {address}; {self.folder / 'log'} says why")
            time.sleep(0.05)
        return address

    def address(self) -> str | None:
        """Where it answers, if it runs and it is really this one that answers there."""
        state = self._read()
        if not state:
            return None
        connection = http.client.HTTPConnection(state["address"], timeout=2)
        try:
            connection.request("GET", "/v2/")
            answer = connection.getresponse()
            return state["address"] if answer.headers[OWN_HEADER] == state["word"] else None
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def stop(self) -> None:
        """End the process or the container; what was pushed stays."""
        state = self._read()
        if container := state.get("container"):
            if docker := engine.find():
                subprocess.run([docker.command, "rm", "--force", container], capture_output=True)
        elif (pid := state.get("pid")) and _is_registry(pid):
            os.kill(pid, signal.SIGTERM)
            for _ in range(100):
                if not _is_registry(pid):
                    break
                time.sleep(0.05)
        self._state.unlink(missing_ok=True)

    @property
    def _state(self) -> Path:
        return self.folder / "running.json"

    def _read(self) -> dict:
        try:
            return json.loads(self._state.read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def _process(self, program: str, address: str, settings: Mapping[str, str]) -> dict:
        config = self.folder / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {self.folder / 'data'}}}}}\n"
        )
        environment = {"PATH": os.defpath, "REGISTRY_HTTP_ADDR": address, **settings}
        try:
            with (self.folder / "log").open("wb") as log:
                process = subprocess.Popen(
                    [program, "serve", str(config)],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise NotBuilt(f"{program} can't be started ({error.strerror}); set REGISTRY_SERVER") from None
        return {"pid": process.pid}

    def _container(self, image: str, address: str, settings: Mapping[str, str]) -> dict:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        options = [f"--env={name}={value}" for name, value in settings.items()]
        container = engine.require().run(
            *("run", "--detach", "--publish", f"{address}:5000", "--volume", f"{data}:/var/lib/registry"),
            *(*options, image),
        )
        return {"container": container.strip()}


def up(accounts: Mapping[str, str]) -> dict[str, str]:
    """Start a registry for each account id; `accounts` gives its registry's host in AWS. Return the map.

    Raises:
        NotBuilt: one of them can't be started.
    """
    return _noted({name: Registry(STATE / account).start() for account, name in accounts.items()})


def compose(hosts: Mapping[str, str]) -> dict[str, str]:
    """Note the registries that docker-compose.yml serves; `hosts` gives each environment's host in AWS.

    Raises:
        NotBuilt: nothing answers on one of their ports (REGISTRY_DEV_PORT, REGISTRY_PROD_PORT).
    """
    addresses = {}
    for environment, host_in_aws in hosts.items():
        variable = f"REGISTRY_{environment.upper()}_PORT"
        address = f"127.0.0.1:{os.environ.get(variable) or COMPOSE_PORTS[environment]}"
        if not answers(address):
            raise NotBuilt(f"No registry answers on {address}; `docker compose up --wait` starts it ({variable})")
        addresses[host_in_aws] = address
    return _noted(addresses)


def answers(address: str) -> bool:
    """Whether a registry answers on an address."""
    try:
        with contextlib.closing(http.client.HTTPConnection(address, timeout=5)) as connection:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def _noted(addresses: dict[str, str]) -> dict[str, str]:
    file().parent.mkdir(parents=True, exist_ok=True)
    file().with_suffix(".new").write_text(json.dumps(addresses, indent=2) + "\n")
    file().with_suffix(".new").replace(file())
    return addresses


def down() -> None:
    """Stop every registry of this machine, and forget the ports."""
    for folder in sorted(STATE.glob("*")):
        Registry(folder).stop()
    file().unlink(missing_ok=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _is_registry(pid: int) -> bool:
    """Whether the process lives and is what was started here, not another that got its number since."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        words = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True).stdout.split()
    return b"serve" in words
