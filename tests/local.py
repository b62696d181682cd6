"""The whole life of a model in real containers: `make test-local`.

Builds the images, brings the local stack of docker-compose.yml up under a name and on ports of its own, pushes the
images to dev's registry, runs the end-to-end test against it, and takes it down again whatever happens. Where no
Docker engine answers, the same test runs in plain processes, and says so.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from images import engine, layers, registries
from images.build import LOCALAWS, Builder
from images.compose import Compose
from images.engine import Engine, NotBuilt
from pipeline import settings
from tests.localstack import install

ROOT = Path(__file__).parent.parent
LOCALSTACK = ROOT / "tests/docker/localstack.yml"
LOG = ROOT / ".baton/test-local.log"
LOOP = ("tests/test_loop.py",)
BEHIND_EMULATOR = (*LOOP, "tests/docker/test_localstack_client.py")


def main() -> int:
    """Run the tests and return pytest's exit code, or 1 after one sentence."""
    parser = argparse.ArgumentParser(prog="python -m tests.local", description=__doc__.splitlines()[0])
    parser.add_argument("--emulator", action="store_true", help="with LocalStack in a container of its own")
    parser.add_argument("tests", nargs="*", help="by default the end-to-end test")
    options = parser.parse_args()
    options.tests = options.tests or (BEHIND_EMULATOR if options.emulator else LOOP)
    # `finally` has to happen on SIGTERM too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    docker = engine.find()
    try:
        if docker is not None:
            return _in_containers(docker, options.tests, options.emulator)
    except NotBuilt as error:
        print(error, file=sys.stderr)
        return 1
    print("No Docker engine answers: this is the end-to-end test in plain processes, not in containers.", flush=True)
    if os.environ.get("CI") == "true":
        print("In CI that counts as a failure; .ci/docker up starts an engine.", file=sys.stderr)
        return 1
    return _pytest(options.tests, {"BATON_RUNTIME": "process"})


def _in_containers(docker: Engine, tests: list[str], emulator: bool) -> int:
    builder = Builder.of_settings(docker)
    project = settings.load("dev").project
    for step in layers.steps():
        builder.step(step, f"{project}/{step}")
    builder.localaws(LOCALAWS)
    with _stack(docker, emulator) as environment:
        _run("-m", "tests.local_accounts", environment=environment)
        _run("-m", "images", "push", "--environment", "dev", environment=environment)
        return _pytest(tests, environment)


@contextlib.contextmanager
def _stack(docker: Engine, emulator: bool) -> Iterator[dict[str, str]]:
    """Bring the local stack up; give the environment in which clients find it."""
    ports = dict(zip(("PORT", "REGISTRY_DEV_PORT", "REGISTRY_PROD_PORT", "EMULATOR_PORT"), _free_ports(4), strict=True))
    variables = {name: str(port) for name, port in ports.items()}
    overrides: tuple[Path, ...] = ()
    if emulator:
        variables["LOCALAWS_EMULATOR"] = "http://emulator:4566"
        if not os.environ.get("EMULATOR_IMAGE") and (base := os.environ.get("BUILD_IMAGE")):
            variables |= _localstack(base)
            overrides = (LOCALSTACK,)
    # Only one run at a time of a checkout: what a killed one left goes first.
    name = f"baton-test-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"
    compose = Compose.find(docker, name, variables, ("localstack",) if emulator else (), overrides)
    compose.down()
    accounts = [settings.load(environment, local=True) for environment in ("dev", "prod")]
    try:
        compose.up()
        with tempfile.TemporaryDirectory(prefix="baton-test-") as folder:
            file = Path(folder) / "registries.json"
            hosts = [registries.host(one.account, one.region) for one in accounts]
            addresses = [f"127.0.0.1:{ports[f'REGISTRY_{one}_PORT']}" for one in ("DEV", "PROD")]
            file.write_text(json.dumps(dict(zip(hosts, addresses, strict=True))))
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports['PORT']}",
                "BATON_REGISTRIES": str(file),
                "BATON_RUNTIME": "docker",
            }
    finally:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_text(compose.logs())
        compose.down()
        _forget(docker, [f"127.0.0.1:{port}/" for port in ports.values()])


def _localstack(base: str) -> dict[str, str]:
    """Return what puts LocalStack's code from PyPI into a container, where only images like `base` can be had."""
    if (python := install.python()) is None:
        raise NotBuilt(install.NO_PYTHON)
    install.install(python)
    print("EMULATOR_IMAGE isn't given and BUILD_IMAGE is: this is LocalStack 4.14.0's code from PyPI, in a container")
    return {
        "LOCALSTACK_BASE": base,
        "LOCALSTACK_PYTHON": str(python.parent.parent),
        "LOCALSTACK_ENVIRONMENT": str(install.ENVIRONMENT),
    }


def _forget(docker: Engine, addresses: list[str]) -> None:
    """Remove the names that images got on their way to and from registries that are gone."""
    held = docker.run("image", "ls", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}").splitlines()
    for line in held:
        repository, tag, digest = line.split()
        if repository.startswith(tuple(addresses)):
            name = f"{repository}:{tag}" if digest == "<none>" else f"{repository}@{digest}"
            docker.run("rmi", "--no-prune", name)


def _pytest(tests: list[str], environment: Mapping[str, str]) -> int:
    return _run("-m", "pytest", *tests, environment=environment, check=False)


def _run(*arguments: str, environment: Mapping[str, str], check: bool = True) -> int:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=os.environ | environment)
    if check and done.returncode:
        raise NotBuilt(f"python {' '.join(arguments)} failed; what the containers said is in {LOG}")
    return done.returncode


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


if __name__ == "__main__":
    sys.exit(main())
