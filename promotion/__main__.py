"""What people and CI do with releases: build and sign them, deploy them, take them back, look at them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.commands import Renamed, run_command
from pipeline.execution import CannotStart
from pipeline.settings import WrongSettings
from pipeline.templates import WrongTemplate
from promotion import build, deployers, show, smoke_test, source
from promotion.accounts import account, who
from promotion.errors import ApprovalMissing, PlanStale, PromotionError
from promotion.plans import Plan
from promotion.promote import Approval, Ask, Environment
from promotion.releases import Releases

ROOT = Path(__file__).parent.parent
LAST = ROOT / ".baton" / "release" / "version"
"""The version that was built here last: what the other commands take where none is given."""
KNOWN = (PromotionError, WrongSettings, WrongTemplate, CannotStart, BotoCoreError, ClientError)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 after one sentence on standard error, or 130 when it is interrupted."""
    # Told to end, a command gives its lock back.
    return run_command(_parser().parse_args(arguments), KNOWN, tidy=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m promotion", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int | None], words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=run)
        return added

    def of_release(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument(
            "--release", "--version", default="", action=Renamed, help="default: the one that was built here last"
        )
        return added

    def of_environment(added: argparse.ArgumentParser, default: str) -> argparse.ArgumentParser:
        added.add_argument("--environment", choices=build.ENVIRONMENTS, default=default, help=f"default: {default}")
        return added

    def of_decision(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--by", default="", help="who approves; without it, the terminal asks")
        added.add_argument("--reason", default="", help="why it is approved")
        return added

    command("push", _push, "make the steps' images of their sources, and put them into dev's registry")
    added = command("build", _build, "make a release of this checkout, keep it in the registry account, and sign it")
    added.add_argument(
        "--release",
        "--version",
        default="",
        action=Renamed,
        help="its name; default: the project's version and the commit",
    )
    added.add_argument("--images", type=Path, help="what pushing images wrote; made of sources without it, locally")
    added.add_argument("--tests", type=Path, nargs="*", default=[], help="JUnit reports of the tests that passed")
    added.add_argument("--sboms", type=Path, help="folder of <step>.cdx.json; default: what the lock says")
    added.add_argument("--unsigned", action="store_true", help="leave the signature to `sign`")
    of_release(command("sign", _sign, "sign a release"))
    of_release(command("verify", _verify, "hold a release's signature and files against its manifest"))
    added = of_environment(of_release(command("plan", _plan, "show what deploying a release would change")), "prod")
    added.add_argument("--out", type=Path, help="write the plan to this file, for `promote --plan`")
    added = command("promote", _promote, "deploy a release: plan, approve, copy, apply, try, record")
    of_decision(of_environment(of_release(added), "prod"))
    added.add_argument("--plan", type=Path, help="the plan that is approved, from `plan --out`")
    added = command("rollback", _rollback, "deploy the release that served before again")
    of_decision(of_environment(added, "prod"))
    added.add_argument("--to", default="", help="an earlier release; default: the one before")
    added = of_environment(of_release(command("rehearse", _rehearse, "train with the deployed release")), "dev")
    added = command("releases", _releases, "print what ran where, when, and approved by whom")
    added.add_argument("--environment", choices=build.ENVIRONMENTS, default="")
    added.add_argument("--all", action="store_true", help="also what was approved and applied on the way")
    added.add_argument("--json", action="store_true")
    words = "print each image's digest in dev's registry, in the environment's, and in what runs there"
    of_environment(of_release(command("digests", _digests, words)), "prod")
    return parser


def _release(options: argparse.Namespace) -> str:
    """The release that is asked for, or the last one built here."""
    if options.release or not LAST.is_file():
        return options.release
    return LAST.read_text().strip()


def _push(_: argparse.Namespace) -> None:
    for step, digest in source.register("dev").items():
        print(step, digest)


def _build(options: argparse.Namespace) -> None:
    images = build.pushed(options.images)
    manifest = build.build(
        options.release,
        images,
        build.read_sboms(options.sboms) if options.sboms else None,
        build.join_reports(options.tests) if options.tests else None,
    )
    if not options.unsigned:
        Releases(account("registry")).sign(manifest.version)
    LAST.parent.mkdir(parents=True, exist_ok=True)
    LAST.write_text(f"{manifest.version}\n")
    print(f"release {manifest.version} ({manifest.identity}){' not signed yet' if options.unsigned else ''}")


def _sign(options: argparse.Namespace) -> None:
    manifest = Releases(account("registry")).sign(_release(options))
    print(f"release {manifest.version} ({manifest.identity}) is signed")


def _verify(options: argparse.Namespace) -> None:
    releases = Releases(account("registry"))
    manifest = releases.verified(_release(options))
    for path in manifest.files():
        releases.file(manifest, path)
    print(manifest.content().decode())


def _environment(options: argparse.Namespace) -> Environment:
    here = account(options.environment)

    def say(line: str) -> None:
        print(line, flush=True)

    return Environment(options.environment, deployers.of(here), smoke_test.SmokeTest(here, say), say=say)


def _plan(options: argparse.Namespace) -> None:
    plan = _environment(options).plan(_release(options))
    print(plan.text())
    if options.out:
        plan.write(options.out)


def _promote(options: argparse.Namespace) -> None:
    approved = _read_plan(options.plan) if options.plan else None
    print(_environment(options).promote(_release(options), _ask(options), approved))


def _read_plan(file: Path) -> Plan:
    try:
        return Plan.of(file.read_bytes(), str(file))
    except OSError as error:
        raise PlanStale(f"{file}: can't be read ({error.strerror}); plan again.") from None


def _rollback(options: argparse.Namespace) -> None:
    print(_environment(options).rollback(_ask(options), options.to))


def _ask(options: argparse.Namespace) -> Ask:
    """How the plan is decided on: by what was given, in dev by whoever builds, else at the terminal."""
    if options.by or options.reason:
        return lambda _: Approval(options.by, options.reason)
    if options.environment == "dev":
        return lambda _: Approval(who(), "dev takes what is built")
    return _at_terminal


def _at_terminal(plan: Plan) -> Approval | None:
    if not sys.stdin.isatty():
        raise ApprovalMissing(
            f"Release {plan.release} was not approved for {plan.environment}: give --by NAME and --reason REASON, or "
            f"run this at a terminal."
        )
    reason = input("Apply this plan? Say why, or leave it empty to refuse: ")
    return Approval(input("Your name: "), reason) if reason.strip() else None


def _rehearse(options: argparse.Namespace) -> None:
    print(smoke_test.rehearse(account(options.environment), _release(options)))


def _releases(options: argparse.Namespace) -> None:
    if options.json:
        print(show.history_json(options.environment))
    else:
        show.history(options.environment, options.all)


def _digests(options: argparse.Namespace) -> int:
    manifest = Releases(account("registry")).verified(_release(options))
    found = show.digests(manifest, options.environment)
    print(json.dumps(found, indent=1))
    wrong = [step for step, line in found.items() if len(set(line.values())) > 1]
    if wrong:
        print(f"{', '.join(wrong)}: not the same digest everywhere.", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
