"""Command line of the images: `python -m images --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from images import engine, layers
from images.engine import NotBuilt


def base(_: argparse.Namespace) -> None:
    """Make the two base images from Debian's packages; print the settings that choose them."""
    from images import base as bases

    for name, image in bases.make(engine.require()).items():
        print(f"export {name}={image}")


def build(options: argparse.Namespace) -> None:
    """Build the steps' images, or what is named; `localaws` is the image of the local accounts."""
    from images.build import LOCALAWS, Builder

    builder = Builder.of_settings(engine.require(), reuse=not options.no_cache)
    for step in options.steps or layers.steps():
        if step == "localaws":
            print(LOCALAWS, builder.localaws(LOCALAWS), flush=True)
        else:
            name = f"{_project()}/{step}"
            print(name, builder.step(step, name), flush=True)


def push(options: argparse.Namespace) -> None:
    """Push what was built to an environment's registry; print and record the digests."""
    from images import push as pushing

    for step, digest in pushing.push(engine.require(), options.environment, options.steps).items():
        print(step, digest)


def registries(options: argparse.Namespace) -> None:
    """Start or stop the local registries that stand in for the accounts' ECR, or take those of docker-compose.yml."""
    from images import registries as local
    from pipeline import settings

    if options.action == "down":
        local.down()
        return
    accounts = {name: settings.load(name, local=True) for name in ("dev", "prod")}
    hosts = {name: local.host(one.account, one.region) for name, one in accounts.items()}
    if options.action == "compose":
        found = local.compose(hosts)
    else:
        found = local.up({accounts[name].account: host for name, host in hosts.items()})
    for host, address in found.items():
        print(host, address)


def sizes(_: argparse.Namespace) -> None:
    """Print what the images take in a registry, compressed: each alone and all together."""
    from images import sizes as measuring

    print(measuring.of_steps(engine.require(), _project()).table())


def lint(_: argparse.Namespace) -> None:
    """Hold the Dockerfiles against hadolint's rules."""
    from images import checks

    print(f"{len(checks.lint())} Dockerfiles keep hadolint's rules")


def sbom(_: argparse.Namespace) -> None:
    """List the parts of every step's image."""
    from images import checks

    for step, parts in checks.sbom(engine.require(), _project()).items():
        print(f"{step}: {parts} parts in {checks.SBOMS.relative_to(layers.ROOT) / step}.cdx.json")


def scan(_: argparse.Namespace) -> None:
    """Look those parts up in a database of vulnerabilities."""
    from images import checks

    checks.scan()


def clean(_: argparse.Namespace) -> None:
    """Remove every image that was built here except the base images."""
    docker = engine.require()
    for repository in ("baton/profile", *(f"{_project()}/{step}" for step in layers.steps())):
        for image in docker.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).split():
            docker.run("rmi", "--force", image)
    docker.run("builder", "prune", "--force")


def _project() -> str:
    from pipeline import settings

    return settings.load("dev").project


def main() -> int:
    """Run the command; a known error is one sentence on stderr and exit code 1."""
    options = _arguments()
    try:
        options.command(options)
    except NotBuilt as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m images", description="The steps as container images")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(function: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        added = commands.add_parser(function.__name__, help=function.__doc__, description=function.__doc__)
        added.set_defaults(command=function)
        return added

    command(base)
    building = command(build)
    building.add_argument("steps", nargs="*", metavar="STEP", help="default: all")
    building.add_argument("--no-cache", action="store_true", help="build every layer anew")
    pushing = command(push)
    pushing.add_argument("--environment", default="dev", choices=("dev", "prod"))
    pushing.add_argument("steps", nargs="*", metavar="STEP", help="default: all")
    command(registries).add_argument("action", choices=("up", "down", "compose"))
    for function in (sizes, lint, sbom, scan):
        command(function)
    command(clean)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
