"""What people do with the pipelines, their versions and their batches."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import json
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from pipeline import account, execution, judgements, people, versions
from pipeline import settings as configuration
from pipeline.account import WrongAccount
from pipeline.commands import NotPossible, obey
from pipeline.difference import differences
from pipeline.execution import DEFINITIONS, CannotStart, render
from pipeline.release import Release, WrongRelease

PIPELINES_LIVE_IN = ("dev", "prod")
KNOWN = (
    configuration.WrongSettings, WrongRelease, WrongAccount, CannotStart, NotPossible, BotoCoreError, ClientError,
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 after one sentence on standard error, or 130 when it is interrupted."""
    return obey(_parser().parse_args(arguments), KNOWN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, words: str, environments=PIPELINES_LIVE_IN) -> argparse.ArgumentParser:
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

    added = command("start", _start, "put a pipeline in place, start it and follow it")
    added.add_argument("pipeline", choices=DEFINITIONS)
    added.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE")
    added.add_argument("--release", type=Path, help="release manifest; without it, the release in place stays")
    added.add_argument("--reason", default="", help="why; a model version that comes of it carries this")
    added.add_argument("--wait", action="store_true", help="follow it; exit with 1 unless it succeeds")

    command("versions", _versions, "print the model's versions, with the report of each", ())

    added = command("report", _report, "write a version's report to a file", ())
    added.add_argument("--version", type=int, required=True)
    added.add_argument("--out", type=Path, required=True, metavar="FILE", help="HTML; an earlier file is replaced")

    added = command("approve", _approve, "approve a version in the registry", ())
    added.add_argument("--version", type=int, required=True)
    added.add_argument("--reason", required=True)

    added = command("release-batch", _release_batch, "let a batch through that was set aside")
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
        for environment in PIPELINES_LIVE_IN
    )
    for path, left, right in differences(dev, prod):
        print(f"{path}\n  dev   {left}\n  prod  {right}")
    return 0


def _start(options: argparse.Namespace) -> int:
    settings = configuration.load(options.environment)
    release = Release.read(options.release) if options.release else None
    parameters = dict(_pair(text) for text in options.parameter)
    place = account.enter(settings)
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
    status, why = execution.outcome(place, arn)
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
    versions.fetch_report(configuration.load("registry"), options.version, options.out)
    print(options.out)
    return 0


def _approve(options: argparse.Namespace) -> int:
    print(people.approve(configuration.load("registry"), options.version, options.reason))
    return 0


def _release_batch(options: argparse.Namespace) -> int:
    settings = configuration.load(options.environment)
    print(people.release_batch(settings, options.batch, options.reason, getpass.getuser()))
    return 0


def _batches(options: argparse.Namespace) -> int:
    people.print_batches(configuration.load(options.environment))
    return 0


def _quality(options: argparse.Namespace) -> int:
    judgements.print_judgements(configuration.load(options.environment))
    return 0


def _settings(options: argparse.Namespace) -> int:
    print(json.dumps(dataclasses.asdict(configuration.load(options.environment)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
