"""What a process has of the environment in which somebody started localaws: of their keys and tokens nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

INHERITED = ("PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
             "CURL_CA_BUNDLE", "PIP_CERT")  # fmt: skip
"""All that jobs and functions get of localaws' own environment, beside LC_…: no key, no token, no setting."""

_OWN = ("HOME", "TMPDIR", "LOG_LEVEL", "CI", "PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV")
_OWN_STARTS = ("LOCALAWS_", "DOCKER_", "XDG_RUNTIME_", "LD_", "DYLD_")


def inherited(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that every process may have."""
    return {name: value for name, value in environment.items() if name in INHERITED or name.startswith("LC_")}


def keep_own() -> None:
    """Begin this program again with nothing but the variables that localaws itself uses, unless it has no others.

    Where a job has no process namespace of its own it can read the environment that this process was started with,
    which no program can change but by being started anew.
    """
    own = {name: value for name, value in os.environ.items() if name in _OWN or name.startswith(_OWN_STARTS)}
    own |= inherited()
    if set(os.environ) - set(own):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], own)
