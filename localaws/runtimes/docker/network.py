"""How a container is reached: most have no network at all.

Serving containers and the hosts of one job get a network of their job's own that leads nowhere else; only what this
machine itself serves on all its interfaces can be reached from there. We reach a
serving container by its address there, if the engine's networks are this machine's (or, in a container, by joining
it). Where they aren't, as with Docker Desktop, its port is published on the loopback interface, and the network has
no address translation instead.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from docker.errors import APIError, NotFound

from localaws.runtimes.base import PORT, Container

NO_TRANSLATION = {"com.docker.network.bridge.enable_ip_masquerade": "false"}
NO_NAMES: dict[str, Any] = {"dns": ["127.0.0.1"], "dns_opt": ["timeout:1", "attempts:1"]}
"""A name server that nobody answers at: the engine's own would ask the machine's for names it doesn't know."""


def is_local(client: Any) -> bool:
    """Whether the engine's networks are this machine's, so that containers can be reached by their addresses."""
    local = sys.platform.startswith("linux") and client.api.base_url.startswith("http+docker")
    return local and "Docker Desktop" not in client.info().get("OperatingSystem", "")


@dataclass
class Joined:
    """One container's part in its job's network; `options` go into its creation. No network if there is no `name`."""

    networks: Networks
    key: tuple[str, str] | None = None
    name: str | None = None
    options: dict[str, Any] = field(default_factory=lambda: {"network_mode": "none"})

    def address(self, container: Any) -> str:
        """Return host:port where a started container serves."""
        container.reload()
        found = container.attrs["NetworkSettings"]
        if self.networks.local:
            return f"{found['Networks'][self.name]['IPAddress']}:{PORT}"
        published = found["Ports"][f"{PORT}/tcp"][0]
        return f"{published['HostIp']}:{published['HostPort']}"

    def leave(self) -> None:
        """Remove the network after its last container."""
        if self.key:
            self.networks.leave(self.key)


class Networks:
    """The jobs' networks, each as long as one of its containers lives.

    Args:
        client: of the engine.
        labels: put on every network.
        own: our own container, which joins to reach those that serve; None where we run on the machine itself.
    """

    def __init__(self, client: Any, labels: dict[str, str], own: Any = None) -> None:
        self.local = is_local(client)
        self._client = client
        self._labels = labels
        self._own = own
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], list[Any]] = {}
        """Network and number of containers."""
        self._numbers = itertools.count(1)

    def join(self, container: Container) -> Joined:
        """Return how to connect a container that is about to be created."""
        if not container.serving and len(container.hosts) < 2:
            # Without a network there are no names either, and programs look up their own host's.
            return Joined(self, options={"network_mode": "none", "extra_hosts": {container.host: "127.0.0.1"}})
        name = self._enter(container)
        options: dict[str, Any] = {
            "network": name,
            "networking_config": {name: self._client.api.create_endpoint_config(aliases=[container.host])},
            **NO_NAMES,
        }
        if container.serving and not self.local:
            options["ports"] = {f"{PORT}/tcp": ("127.0.0.1", None)}
        return Joined(self, self._key(container), name, options)

    def leave(self, key: tuple[str, str]) -> None:
        """Let one container go."""
        with self._lock:
            self._known[key][1] -= 1
            network, left = self._known[key]
            if left:
                return
            del self._known[key]
        with contextlib.suppress(NotFound):
            if self._own:
                with contextlib.suppress(APIError):
                    network.disconnect(self._own, force=True)
            network.remove()

    def _enter(self, container: Container) -> str:
        key = self._key(container)
        with self._lock:
            if key not in self._known:
                self._known[key] = [self._make(container), 0]
            self._known[key][1] += 1
            return self._known[key][0].name

    def _make(self, container: Container) -> Any:
        name = f"localaws-{self._labels['localaws.run']}-{next(self._numbers)}"
        # Ports can't be published on an internal network.
        outward = container.serving and not self.local
        network = self._client.networks.create(
            name, driver="bridge", internal=not outward, options=NO_TRANSLATION if outward else {}, labels=self._labels
        )
        if self._own and container.serving:
            network.connect(self._own)
        return network

    @staticmethod
    def _key(container: Container) -> tuple[str, str]:
        # Containers of a pipeline of models serve one job, and each is a host of its own.
        return container.account, f"{container.job}/{','.join(container.hosts)}"
