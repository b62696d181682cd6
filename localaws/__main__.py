"""AWS accounts on this machine, with a SageMaker that executes.

  python -m localaws up                 start it, and print the lines to export
  python -m localaws status             what it is doing
  python -m localaws logs               the log of the server, or of a job
  python -m localaws fire RULE          fire a schedule now
  python -m localaws fault STEP         let the next attempt at a step fail as if AWS had
  python -m localaws clock 36h          move the accounts' clock forward
  python -m localaws down               stop it; its state stays for the next start
  python -m localaws check              look whether anything in the state folder is damaged
  python -m localaws restore, reset     take the last good copy of a service's state, or begin it anew

Every AWS client reaches it through AWS_ENDPOINT_URL; an access key of 12 digits is an account.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
from pathlib import Path
from typing import Any

from localaws import environment, keeping, process
from localaws.contract import InvalidImageMap
from localaws.disk import DiskFull
from localaws.engine import faults
from localaws.process import NotRunning
from localaws.settings import Settings, WrongSetting
from localaws.statefiles import Damaged

_LENGTHS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_START_SECONDS = 60


def main(arguments: list[str] | None = None) -> int:
    """Run one command, the command line's unless one is given.

    Returns 0, 1 after one sentence on standard error, or 130 when it is interrupted.
    """
    parser = _parser()
    options, more = parser.parse_known_args(arguments)
    if more and (options.run is not _clock or options.forward):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:  # a time such as -5d, which isn't an option either
        options.forward = more[0]
    if arguments is None and options.run is _serve:  # begun anew, a program that only calls this would be replaced
        environment.keep_own()
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        # No profile leads to these accounts, and one that isn't configured would stop every client in here.
        os.environ.pop(name, None)
    try:
        return options.run(options) or 0
    except (WrongSetting, NotRunning, InvalidImageMap, Damaged, DiskFull) as error:
        print(error, file=sys.stderr)
    except urllib.error.HTTPError as error:
        print(json.load(error)["message"], file=sys.stderr)
    except OSError as error:
        print(f"localaws doesn't answer: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localaws", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.add_argument("--state", type=Path, help="folder of what outlives a restart (.localaws)")
        added.set_defaults(run=run)
        return added

    for name, run, words in (
        ("up", _up, "start in the background, and print the lines to export"),
        ("down", _down, "stop; the state stays for the next start (takes what `up` takes)"),
        ("serve", _serve, "run in the foreground until Ctrl-C"),
    ):
        added = command(name, run, words)
        added.add_argument("--port", type=int, help="loopback port (4566); 0 takes a free one")
        added.add_argument("--names", help="host names that clients reach it by besides localhost, with commas")
        added.add_argument("--runtime", choices=("process", "docker"), help="where jobs run (process)")
        added.add_argument("--images", type=Path, help="image map: what stands in for which image")
        added.add_argument("--registries", type=Path, help="which address stands in for which ECR registry")
        added.add_argument("--emulator", help="URL of a running emulator (built in by default)")
        added.add_argument("--at-home", help="services that are built in although that emulator has them, with commas")
        added.add_argument("--emulator-functions", help="where functions that it runs in containers reach localaws")
        added.add_argument("--slots", type=int, help="jobs at once (the machine's cores)")
        added.add_argument("--no-enforce", dest="enforce", action="store_false", default=None,
                           help="don't enforce roles and policies")  # fmt: skip
        added.add_argument("--duplicate-events", type=int, help="deliver each event this many times more")
        added.add_argument("--reorder-events", action="store_true", default=None, help="let events overtake others")
    added.add_argument("--until-closed", action="store_true", help="also stop when standard input closes")
    command("status", _status, "print what it is doing, as JSON")
    command("check", _check, "look whether anything in the state folder is damaged")
    for name, run, words in (
        ("restore", _restore, "take the last good copy of a service's state"),
        ("reset", _reset, "begin a service's state anew; what it was is kept in a folder"),
    ):
        command(name, run, words).add_argument("--service", required=True, help="such as iam, s3 or sagemaker")
    added = command("logs", _logs, "print the server's log, or a job's")
    added.add_argument("job", nargs="?", help="name of a processing, training or transform job")
    added.add_argument("--account", help="12-digit account of the job, where several have one of this name")
    added.add_argument("--region", help="its region, where it is in several")
    command("fire", _fire, "fire the rule's schedule now").add_argument("rule", help="name of the rule")
    added = command("fault", _fault, "let the next attempts at a step fail, to rehearse its retry policies")
    added.add_argument("step", help="name of the step")
    added.add_argument("--kind", choices=tuple(faults.KINDS), default="capacity", help="what fails (capacity)")
    added.add_argument("--times", type=int, default=1, help="how many attempts (1); 0 takes back what was asked for")
    added = command("clock", _clock, "print the accounts' time, or move it forward")
    added.add_argument("forward", nargs="?", help="such as 90s, 5m, 36h or 2d")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    return Settings.read(vars(options))


def _folder(settings: Settings) -> Path:
    """Make the state folder, and the log in it; return the log. Raises WrongSetting."""
    log = settings.state / process.LOG
    try:
        settings.state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongSetting(f"The state folder {settings.state} can't be used: {error.strerror}.") from None
    try:
        log.open("ab").close()
    except OSError as error:
        raise WrongSetting(f"{log} can't be written: {error.strerror}.") from None
    return log


def _serve(options: argparse.Namespace) -> None:
    process.log_to()
    settings = _settings(options)
    _folder(settings)
    process.serve(settings, options.until_closed)
    # Everything is on disk; the interpreter would spend seconds on the emulator's threads and tables.
    sys.stdout.flush()
    os._exit(0)


def _up(options: argparse.Namespace) -> int:
    settings = _settings(options)
    log = _folder(settings)
    with contextlib.suppress(NotRunning):
        found = process.running(settings.state)
        raise WrongSetting(
            f"The state folder {settings.state} is in use by another localaws, which answers on {found['address']}; "
            f"`down` stops it."
        )
    given = ["--state", str(settings.state), *_given(options)]
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "localaws", "serve", *given],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        try:
            found = process.running(settings.state)
        except NotRunning:
            time.sleep(0.05)
            continue
        if found["pid"] == child.pid:
            print(f"export AWS_ENDPOINT_URL={found['address']}")
            print("export AWS_ACCESS_KEY_ID=111111111111 AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1")
            return 0
        time.sleep(0.05)
    if child.poll() is None:
        child.terminate()
        raise NotRunning(f"localaws didn't answer within {_START_SECONDS} s and was stopped; see {log}")
    print(_last_line(log), file=sys.stderr)
    return 1


def _given(options: argparse.Namespace) -> list[str]:
    found = []
    values = ("port", "names", "runtime", "images", "registries", "slots", "duplicate_events")
    for name in (*values, "emulator", "at_home", "emulator_functions"):
        if getattr(options, name) is not None:
            found += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    if options.enforce is False:
        found.append("--no-enforce")
    return [*found, *(["--reorder-events"] if options.reorder_events else [])]


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"localaws ended without a word; see {log}"


def _down(options: argparse.Namespace) -> None:
    state, port = _settings(options).state, options.port
    if port and process.running(state)["port"] != port:
        raise NotRunning(f"No localaws runs with the state folder {state} on port {port}.")
    process.stop(state)


def _check(options: argparse.Namespace) -> int:
    settings = _settings(options)
    with process.own(settings.state):
        found = [str(damaged) for damaged in keeping.check(settings)]
    print("\n".join(found) or f"Nothing in {settings.state} is damaged.", file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


def _restore(options: argparse.Namespace) -> None:
    _mend(options, keeping.restore, "is what its last good copy was")


def _reset(options: argparse.Namespace) -> None:
    _mend(options, keeping.reset, "begins anew")


def _mend(options: argparse.Namespace, act: Any, words: str) -> None:
    state = _settings(options).state
    with process.own(state):
        left = act(state, options.service)
    print(f"{options.service} {words}; what it was is in {left}.")


def _status(options: argparse.Namespace) -> None:
    state = _settings(options).state
    found = process.running(state)
    print(json.dumps(found | process.status(state, found["address"]), indent=1))


def _logs(options: argparse.Namespace) -> None:
    state = _settings(options).state
    if options.job is None:
        log = state / process.LOG
        if not log.exists():
            raise NotRunning(f"No localaws has run with the state folder {state}.")
        sys.stdout.write(log.read_text(errors="replace"))
        return
    address = process.running(state)["address"]
    job = _found(process.ask(state, address, "POST", "jobs", {"name": options.job})["jobs"], options)
    import boto3

    client = boto3.client(
        "logs", region_name=job["region"], endpoint_url=address,
        aws_access_key_id=job["account"], aws_secret_access_key="local",
    )  # fmt: skip
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):  # it has said nothing yet
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/sagemaker/{job['kind']}s", logStreamNamePrefix=f"{options.job}/"
        )
        for event in (event for page in pages for event in page["events"]):
            print(event["message"])


def _found(jobs: list[dict[str, str]], options: argparse.Namespace) -> dict[str, str]:
    """Return the one job that was meant. Raises WrongSetting."""
    given = {name: value for name in ("account", "region") if (value := getattr(options, name))}
    meant = [job for job in jobs if all(job[name] == value for name, value in given.items())]
    where = "".join(f" in {name} {value}" for name, value in given.items())
    if not meant:
        raise WrongSetting(f"{options.job}: there is no processing, training or transform job of this name{where}.")
    if len(meant) > 1:
        places = ", ".join(f"{job['kind']} in account {job['account']}, {job['region']}" for job in meant)
        raise WrongSetting(f"{options.job}: more than one job has this name{where}: {places}.")
    return meant[0]


def _fire(options: argparse.Namespace) -> None:
    state = _settings(options).state
    address = process.running(state)["address"]
    for arn in process.ask(state, address, "POST", "fire", {"rule": options.rule})["fired"]:
        print(arn)


def _fault(options: argparse.Namespace) -> None:
    state = _settings(options).state
    asked = {"step": options.step, "kind": options.kind, "times": options.times}
    process.ask(state, process.running(state)["address"], "POST", "fault", asked)


def _clock(options: argparse.Namespace) -> None:
    state = _settings(options).state
    address = process.running(state)["address"]
    if options.forward is None:
        print(process.status(state, address)["clock"])
        return
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", options.forward)
    if not found:
        raise WrongSetting(f"{options.forward}: not a length of time such as 90s, 5m, 36h or 2d.")
    print(process.ask(state, address, "POST", "clock", {"seconds": float(found[1]) * _LENGTHS[found[2]]})["clock"])


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.exit(main())
