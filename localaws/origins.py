"""Who may talk to localaws at all: programs on this machine that name it, and no page in a browser.

A page can send requests to any port of the machine that its browser runs on. It can't choose these three headers,
which browsers set: `Host` (a name of the page's own that resolves to this machine, "DNS rebinding"), `Origin` and
`Sec-Fetch-Site` (https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/). AWS's clients
send neither of the last two.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from localaws.http import Refused, Request

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?")
_REGISTRY = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
"""Accounts' registries, which share this port and are told apart by name; only AWS can make these resolve."""
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


def is_name(text: str) -> bool:
    """Whether a text can name a host: a host name in small letters, or an address."""
    return _NAME.fullmatch(text) is not None or _address(text) is not None


def host_name(host: str) -> str | None:
    """The name or address in a Host header, in small letters and without port; None if it isn't one."""
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return None
    return found[1].strip("[]") if found[1].startswith("[") else found[1].removesuffix(".")


def check(request: Request, names: Collection[str]) -> None:
    """Raise Refused for what a browser's page sends, and for what isn't sent to this server by one of its names.

    Args:
        request: as it has come.
        names: host names and addresses, besides those of the loopback interface, that are this server's.
    """
    if request.method == "OPTIONS":
        raise Refused(403, "AccessForbidden", "localaws answers no web page, and so no preflight of one.")
    if "origin" in request.headers:
        raise Refused(403, "AccessForbidden", "localaws answers no web page: the request has an Origin.")
    if request.headers.get("sec-fetch-site", "none") != "none":
        raise Refused(403, "AccessForbidden", "localaws answers no web page: the request comes from one.")
    name = host_name(request.headers.get("host", ""))
    own = name is not None and (name in names or is_loopback(name) or _REGISTRY.fullmatch(name))
    if not own or "host" in request.repeated:
        raise Refused(
            403, "AccessForbidden", "The Host isn't a name of this localaws; LOCALAWS_NAMES can give it more names."
        )
    if not request.path.startswith("/"):
        raise Refused(400, "InvalidURI", "The request's target isn't a path.")


def is_loopback(name: str) -> bool:
    """Whether a host's name or address can only be this machine's loopback interface."""
    address = _address(name)
    if address is not None:
        return address.is_loopback
    return (name == "localhost" or name.endswith(".localhost")) and _NAME.fullmatch(name) is not None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
