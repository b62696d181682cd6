"""The whole life of a model on this machine: `python -m rehearsal run`, or `up` to drive it by hand."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from localaws import process
from localaws.__main__ import main as localaws
from pipeline.commands import NotPossible, run_command
from promotion.errors import PromotionError
from rehearsal import local, stages
from rehearsal.life import Life, WentWrong

ROOT = Path(__file__).parent.parent
STATE = ROOT / ".baton"
PORT = 4566
NEXT = ".venv/bin/python -m pipeline start train --environment dev --wait"
"""What a person does first in the accounts that `up` leaves."""

KNOWN = (local.CannotStart, WentWrong, NotPossible, PromotionError, process.NotRunning, BotoCoreError, ClientError)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 after one sentence on standard error, or 130 when it is interrupted."""
    # What this process started ends with it, also when it is told to end.
    return run_command(_parser().parse_args(arguments), KNOWN, tidy=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    added = commands.add_parser("run", help="play everything from an empty state, then stop")
    added.add_argument("--runtime", choices=("process", "docker"), default=os.environ.get("BATON_RUNTIME", "process"))
    added.set_defaults(run=_run)
    for name, run, words in (
        ("up", _up, "keep the three accounts running, with the release deployed in dev and prod"),
        ("down", _down, "stop what `up` started"),
    ):
        added = commands.add_parser(name, help=words)
        added.add_argument("--port", type=int, default=PORT)
        added.set_defaults(run=run)
    added = commands.add_parser("begin", help="make what `up` makes, in the local accounts at AWS_ENDPOINT_URL")
    added.set_defaults(run=_begin)
    return parser


def _begin(_: argparse.Namespace) -> None:
    address, runtime = os.environ.get("AWS_ENDPOINT_URL"), os.environ.get("BATON_RUNTIME", "process")
    if not address:
        raise WentWrong("AWS_ENDPOINT_URL isn't set: it says where the local accounts answer.")
    life = Life(address, lambda line: print(line, file=sys.stderr), runtime)
    life.resources()
    if runtime == "docker":
        pushed = subprocess.run([sys.executable, "-m", "images", "push", "--environment", "dev"], cwd=ROOT)
        if pushed.returncode:
            raise WentWrong("The images could not be pushed.")
    life.build()
    life.promote()
    life.put_labelled()
    print(f"Next: {NEXT}", file=sys.stderr)


def _run(options: argparse.Namespace) -> None:
    _alone()
    # A state of its own: neither `up` nor another run is disturbed.
    state = STATE / "runs" / str(os.getpid())
    _sweep(state.parent)
    try:
        stages.play(state, STATE / "run", options.runtime)
    except Exception:
        # Where it went wrong is worth a look; the next run takes it away.
        print(f"What localaws said is in {state / process.LOG}, until the next run.", file=sys.stderr)
        raise
    except BaseException:
        shutil.rmtree(state, ignore_errors=True)
        raise
    shutil.rmtree(state, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove the states of runs that have ended, and of one that had this process's id."""
    for state in folder.glob("[0-9]*"):
        if int(state.name) == os.getpid() or not _runs(int(state.name)):
            shutil.rmtree(state, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _alone() -> None:
    """Let nothing that a person's shell says lead this process elsewhere than to its own accounts."""
    for name in local.SILENT:
        os.environ.pop(name, None)


def _state(port: int) -> Path:
    return STATE / f"up-{port}"


def _up(options: argparse.Namespace) -> int:
    state, port = _state(options.port), "" if options.port == PORT else f" PORT={options.port}"
    _alone()
    os.chdir(ROOT)
    with contextlib.suppress(process.NotRunning):
        address = process.running(state)["address"]
        raise local.CannotStart(f"The accounts run already, on {address}; `make down{port}` stops them.")
    lines = io.StringIO()
    with contextlib.redirect_stdout(lines):
        failed = localaws(["up", *local.arguments(state, options.port, os.environ.get("BATON_RUNTIME", "process"))])
    if failed:
        return failed
    try:
        os.environ["AWS_ENDPOINT_URL"] = address = process.running(state)["address"]
        Life(address, lambda line: print(line, file=sys.stderr)).begin()
    except BaseException:
        # Nobody was told how to reach them, so nobody would stop them.
        process.stop(state)
        raise
    print(lines.getvalue(), end="", flush=True)
    print(f"Next: {NEXT}\nThe end: make down{port}", file=sys.stderr)
    return 0


def _down(options: argparse.Namespace) -> None:
    process.stop(_state(options.port))


if __name__ == "__main__":
    sys.exit(main())
