"""What can be set about one localaws."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from localaws import origins

PREFIX = "LOCALAWS_"
IN_A_CONTAINER = ("/.dockerenv", "/run/.containerenv")
"""Files that Docker and Podman put into every container."""


class WrongSetting(Exception):
    """A setting can't be used; the message names it."""


@dataclass(frozen=True)
class Settings:
    """Each setting can also be given as an environment variable: LOCALAWS_ and its name in capitals.

    Args:
        state: folder of everything that outlives a restart.
        port: loopback port of every service; 0 takes a free one.
        host: address to listen on; only in a container of its own, whose network is its own, anything but loopback.
        names: host names and addresses, separated by commas, that clients reach it by besides the loopback
            interface's: that of its container, say. Requests for any other are refused.
        runtime: where jobs run, `process` or `docker`.
        images: the image map (see `localaws.contract.ImageMap`).
        registries: JSON file that tells which local address stands in for which account's registry.
        emulator: URL of a running emulator for everything but SageMaker; empty for the built-in one.
        at_home: services, separated by commas, that the built-in one answers although the one elsewhere has them;
            what that one lacks, EventBridge and functions are answered here anyway.
        emulator_functions: address at which functions reach localaws that the emulator elsewhere runs in containers
            of its own; empty for functions at home, in processes.
        slots: jobs that run at once; 0 takes the machine's cores.
        enforce: whether roles and resource policies are enforced.
        duplicate_events: how many times more than once an event is delivered.
        reorder_events: whether events overtake each other.
    """

    state: Path = Path(".localaws")
    port: int = 4566
    host: str = "127.0.0.1"
    names: str = ""
    runtime: str = "process"
    images: Path | None = None
    registries: Path | None = None
    emulator: str = ""
    at_home: str = ""
    emulator_functions: str = ""
    slots: int = 0
    enforce: bool = True
    duplicate_events: int = 0
    reorder_events: bool = False

    @property
    def address(self) -> str:
        """The URL that clients use as AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def host_names(self) -> list[str]:
        """The names of the setting, in small letters."""
        return [name.strip().lower() for name in self.names.split(",") if name.strip()]

    @classmethod
    def read(cls, given: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings: what is given (None counts as not given), else the environment's, else defaults.

        Raises WrongSetting.
        """
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        for item in fields(cls):
            name = f"{PREFIX}{item.name.upper()}"
            if given.get(item.name) is not None:
                values[item.name] = given[item.name]
            elif environment.get(name):
                values[item.name] = _typed(hints[item.name], environment[name], name)
        settings = cls(**values)
        if settings.runtime not in ("process", "docker"):
            raise WrongSetting(f"runtime {settings.runtime}: there are process and docker.")
        if not 0 <= settings.port <= 65535:
            raise WrongSetting(f"port {settings.port}: not between 0 and 65535.")
        if not _is_loopback(settings.host) and not any(Path(mark).exists() for mark in IN_A_CONTAINER):
            raise WrongSetting(f"host {settings.host}: outside of a container localaws listens on loopback only.")
        for name in settings.host_names:
            if not origins.is_name(name):
                raise WrongSetting(f"names {name}: neither a host name nor an address.")
        if settings.slots < 0 or settings.duplicate_events < 0:
            raise WrongSetting("slots and duplicate_events can't be negative.")
        return replace(settings, state=settings.state.absolute())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise WrongSetting(f"host {host}: not an IP address.") from None


def _typed(kind: Any, text: str, name: str) -> Any:
    try:
        if kind is bool:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        return int(text) if kind is int else text if kind is str else Path(text)
    except (KeyError, ValueError):
        raise WrongSetting(f"{name}={text}: not {'true or false' if kind is bool else 'a whole number'}.") from None
