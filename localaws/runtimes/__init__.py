"""Where the containers of jobs run: as plain processes of this machine, or in Docker."""

from localaws.runtimes.base import CannotRun, Container, Handle
from localaws.runtimes.process import ProcessRuntime

__all__ = ["CannotRun", "Container", "Handle", "ProcessRuntime"]
