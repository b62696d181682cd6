"""Containers in a Docker engine: the real images, without a network and with a read-only root.

Needs the extra `docker` (PyPI's package of that name).
"""

from localaws.settings import WrongSetting

try:
    import docker as _docker  # noqa: F401
except ImportError as error:
    raise WrongSetting("runtime docker: needs the package `docker`; install localaws[docker].") from error

from localaws.runtimes.docker.runtime import DockerRuntime

__all__ = ["DockerRuntime"]
