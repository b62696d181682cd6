"""What a function of the embedded emulator has of this process: its own folders, and of its environment no more than
a job."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from localaws import disk
from localaws.environment import inherited


def make_folder(folder: Path) -> None:
    """Make the folder of functions' files anew: ministack leaves the code of those that ran."""
    disk.remove(folder)
    (folder / "home").mkdir(parents=True)


def own_environment(ministack: Any, folder: Path) -> None:
    """Let ministack, which copies its own environment for a function, find no more in it than that may have."""
    from ministack.core import lambda_runtime

    system = _System(_Environment(folder))
    for module in (lambda_runtime, ministack._get_module("lambda_svc")):
        module.os = system


class _Environment(Mapping[str, str]):
    """This process's environment for whoever asks for a variable; for whoever copies it, only what functions have."""

    def __init__(self, folder: Path) -> None:
        self._shown = {
            **inherited(),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if "PYTHONPATH" in os.environ:
            # Where localaws' own packages lie there, functions' do: boto3 is always theirs.
            self._shown["PYTHONPATH"] = os.environ["PYTHONPATH"]

    def __getitem__(self, name: str) -> str:
        return self._shown[name] if name in self._shown else os.environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shown)

    def __len__(self) -> int:
        return len(self._shown)


class _System:
    """The module `os` with another environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)
