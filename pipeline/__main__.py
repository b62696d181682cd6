"""What people do with the pipelines, their versions and their batches."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import account, approvals, decisions, execution, model_quality, versions
from pipeline import settings as configuration
from pipeline.account import WrongAccount
from pipeline.commands import NotPossible, Renamed, run_command
from pipeline.difference import differences
from pipeline.execution import DEFINITIONS, CannotStart, render
from pipeline.release import Release, WrongRelease
from pipeline.settings import Settings

DEPLOY_ENVIRONMENTS = ("dev", "prod")
OLDER_REQUEUE = "release-batch"
"""What `requeue` was called: accepted for one release."""
KNOWN = (
    configuration.WrongSettings, WrongRelease, WrongAccount, CannotStart, NotPossible, BotoCoreError, ClientError,
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 after one sentence on standard error, or 130 when it is interrupted."""
    return run_command(_parser().parse_args(arguments), KNOWN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, words: str, environments=DEPLOY_ENVIRONMENTS) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=run)
        if environments:
            added.add_argument("--environment", required=True, choices=environments)
        return added

    added = command("render", _render, "print a definition as SageMaker takes it")
    added.add_argument("pipeline", choices=DEFINITIONS)
    added.add_argument("--release", type=Path, help="release manifest; without it, ${…} stand for what it holds")

    added = command("diff", _diff, "show where dev's and prod's definitions differ", ())
    added.add_argument("pipeline", choices=DEFINITIONS)

    added = command("start", _start, "deploy a pipeline, start it and follow it")
    added.add_argument("pipeline", choices=DEFINITIONS)
    added.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE")
    added.add_argument("--release", type=Path, help="release manifest; without it, the deployed release stays")
    added.add_argument("--reason", default="", help="why; a model version that comes of it carries this")
    added.add_argument("--wait", action="store_true", help="follow it; exit with 1 unless it succeeds")

    command("versions", _versions, "print the model's versions, with the report of each", ())

    added = command("report", _report, "write a version's report to a file", ())
    added.add_argument("--model", "--version", type=int, required=True, action=Renamed, help="number of a version")
    added.add_argument("--out", type=Path, required=True, metavar="FILE", help="HTML; an earlier file is replaced")

    for name, run, does in (
        ("approve", approvals.approve, "approve a version in the registry"),
        ("seal", approvals.seal, "seal a version that was registered before versions were sealed"),
        ("revoke", approvals.revoke, "take a version's approval away"),
    ):
        added = command(name, partial(_decide, run), does, ())
        added.add_argument("--model", "--version", type=int, required=True, action=Renamed, help="number of a version")
        added.add_argument("--reason", required=True)

    for name, run in (("requeue", _requeue), (OLDER_REQUEUE, _older_requeue)):
        added = command(name, run, "make a quarantined or failed batch pending again, and score it")
        added.add_argument("--batch", required=True)
        added.add_argument("--reason", required=True)

    command("batches", _batches, "print what became of each batch")
    command("quality", _quality, "print what labels that arrived said of the model, with the report of each execution")
    command("settings", _settings, "print an environment's settings", configuration.ENVIRONMENTS)
    return parser


def _render(options: argparse.Namespace) -> int:
    release = Release.read(options.release) if options.release else Release()
    settings = configuration.load(options.environment)
    sys.stdout.write(render(settings, options.pipeline, release).text())
    return 0


def _diff(options: argparse.Namespace) -> int:
    dev, prod = (
        render(configuration.load(environment), options.pipeline, Release()).render()
        for environment in DEPLOY_ENVIRONMENTS
    )
    for path, left, right in differences(dev, prod):
        print(f"{path}\n  dev   {left}\n  prod  {right}")
    return 0


def _start(options: argparse.Namespace) -> int:
    settings = configuration.load(options.environment)
    release = Release.read(options.release) if options.release else None
    parameters = dict(_pair(text) for text in options.parameter)
    context = account.enter(settings)
    definition = render(settings, options.pipeline, release or Release())
    execution.checked_parameters(definition.render(), parameters)
    execution.upsert(settings, options.pipeline, release)
    arn = execution.start(settings, options.pipeline, parameters, options.reason)
    print(arn, flush=True)
    if not options.wait:
        return 0
    interval = execution.LOCAL_INTERVAL if configuration.is_local() else execution.INTERVAL
    for step in execution.follow(arn, interval):
        print(_line(step), flush=True)
    status, why = execution.outcome(context, arn)
    print(status, flush=True)
    if status != "Succeeded":
        print(f"{arn}: {status}: {why}", file=sys.stderr)
    return 0 if status == "Succeeded" else 1


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CannotStart(f"parameter {text}: not NAME=VALUE.")
    return name, value


def _line(step: dict) -> str:
    took = ""
    if "EndTime" in step and "StartTime" in step:
        took = f"{(step['EndTime'] - step['StartTime']).total_seconds():8.1f} s"
    return f"  {step['StepName']:16} {step['StepStatus']:10}{took}"


def _versions(_: argparse.Namespace) -> int:
    versions.print_versions(configuration.load("registry"))
    return 0


def _report(options: argparse.Namespace) -> int:
    versions.fetch_report(configuration.load("registry"), options.model, options.out)
    print(options.out)
    return 0


def _decide(does: Callable[[Settings, int, str], str], options: argparse.Namespace) -> int:
    print(does(configuration.load("registry"), options.model, options.reason))
    return 0


def _older_requeue(options: argparse.Namespace) -> None:
    print(f"{OLDER_REQUEUE} is requeue now, and goes with the next release.", file=sys.stderr)
    _requeue(options)


def _requeue(options: argparse.Namespace) -> int:
    settings = configuration.load(options.environment)
    print(decisions.requeue(settings, options.batch, options.reason, getpass.getuser()))
    return 0


def _batches(options: argparse.Namespace) -> int:
    decisions.print_batches(configuration.load(options.environment))
    return 0


def _quality(options: argparse.Namespace) -> int:
    model_quality.print_model_quality(configuration.load(options.environment))
    return 0


def _settings(options: argparse.Namespace) -> int:
    print(json.dumps(dataclasses.asdict(configuration.load(options.environment)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
