"""Terraform itself: where it and its provider are found, and how it is run."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from terraform.errors import Failed, NoTerraform

LOWEST = (1, 11)
MIRRORS = ("/opt", "/srv", "/usr/share", "/usr/local/share", "/var/lib")
"""Where closed networks keep folders of plug-ins, beside the places in which Terraform looks by itself."""

PROVIDER = Path("registry.terraform.io", "hashicorp", "aws")


@functools.cache
def program() -> str:
    """Return Terraform's path: TERRAFORM names it, else the first on the PATH.

    Raises:
        NoTerraform: there is none, or it is too old.
    """
    found = shutil.which(os.environ.get("TERRAFORM") or "terraform")
    if found is None:
        raise NoTerraform("Terraform isn't on the PATH; TERRAFORM may name it.")
    said = subprocess.run([found, "version"], capture_output=True, text=True, env=os.environ | _configuration()).stdout
    version = re.search(r"Terraform v(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < LOWEST:
        raise NoTerraform(f"{found} isn't Terraform {'.'.join(map(str, LOWEST))} or later.")
    return found


def plugin_folder() -> Path | None:
    """Return the folder to take providers from instead of the registry, if there is one.

    TF_PLUGIN_DIR names it. Otherwise the user's own Terraform configuration counts, if there is one; else the first
    folder of plug-ins that holds the provider in one of the usual places.
    """
    if named := os.environ.get("TF_PLUGIN_DIR"):
        return Path(named).absolute()
    own = Path(os.environ.get("TF_CLI_CONFIG_FILE") or Path.home() / ".terraformrc")
    if own.is_file():
        return None
    found = (folder for mirror in MIRRORS for folder in sorted(Path(mirror).glob("*")) if (folder / PROVIDER).is_dir())
    return next(found, None)


def _configuration() -> dict[str, str]:
    """Keep Terraform from warning of a configuration file that isn't there, and from colours where nobody sees them."""
    named = os.environ.get("TF_CLI_CONFIG_FILE")
    found = {"TF_CLI_CONFIG_FILE": os.devnull} if named and not Path(named).is_file() else {}
    if not sys.stdout.isatty():
        for command in ("TF_CLI_ARGS_init", "TF_CLI_ARGS_plan", "TF_CLI_ARGS_apply"):
            found[command] = f"-no-color {os.environ.get(command, '')}".strip()
    return found


def run(
    folder: Path,
    arguments: list[str],
    environment: Mapping[str, str],
    quiet: bool = False,
    good: tuple[int, ...] = (0,),
    keep: tuple[int, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run Terraform in a folder.

    Args:
        folder: the root.
        arguments: the command and what belongs to it.
        environment: what is added to this process's environment.
        quiet: whether what it says is returned instead of shown.
        good: the exit codes that aren't failures.
        keep: file descriptors that it inherits.

    Raises:
        Failed: any other exit code; the message ends with Terraform's own errors if they weren't shown.
    """
    done = subprocess.run(
        [program(), f"-chdir={folder}", *arguments],
        env=os.environ | _configuration() | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
        | dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.PIPE if quiet else None,
        text=True,
        pass_fds=keep,
    )  # fmt: skip
    if done.returncode not in good:
        why = f": {_errors(done.stderr or '') or _errors(done.stdout or '')}" if quiet else ", as it says above"
        raise Failed(f"terraform {arguments[0]} failed in {folder.name}{why}.")
    return done


def _errors(said: str) -> str:
    lines = [line.strip("│╷╵ ") for line in re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()]
    return " ".join(line for line in lines if line).strip().rstrip(".")
