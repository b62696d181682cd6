"""The three accounts by Terraform: plan, apply and destroy them, layer by layer."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.commands import Renamed, run_command
from pipeline.settings import ENVIRONMENTS, WrongSettings, is_local
from pipeline.templates import WrongTemplate
from promotion.accounts import Account
from promotion.errors import PromotionError
from terraform import checks, iam, lint
from terraform.errors import TerraformError
from terraform.root import CHANGED, LAYERS, Root
from terraform.run import Confirm, Run

KNOWN = (TerraformError, PromotionError, WrongSettings, WrongTemplate, BotoCoreError, ClientError)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 after one sentence, 2 for a plan of changes, or 130 when it is interrupted."""
    return run_command(_parser().parse_args(arguments), KNOWN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m terraform", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=run)
        added.add_argument("environment", choices=ENVIRONMENTS)
        added.add_argument("--layer", choices=(*LAYERS, "all"), help="only this layer, or all of them")
        added.add_argument(
            "--release",
            "--version",
            default="",
            action=Renamed,
            help="release to run there; by default the deployed one",
        )
        return added

    added = command("plan", _plan, "show what would change")
    added.add_argument("--detailed-exitcode", action="store_true", help="exit with 2 if anything would change")
    for name, run, words in (("apply", _apply, "make it so"), ("destroy", _destroy, "unmake it")):
        command(name, run, words).add_argument("--yes", action="store_true", help="don't ask")
    command("unlock", _unlock, "take the states' locks away from a run that is gone for good")
    added = commands.add_parser("lint", help="check format, validity, module tests, the policy scan and the reasons")
    added.set_defaults(run=lambda _: lint.check())
    added = commands.add_parser("iam", help="write the list of every IAM statement with its reason")
    added.add_argument("--out", type=Path, default=iam.PAGE)
    added.set_defaults(run=lambda options: iam.write(options.out))
    return parser


def _plan(options: argparse.Namespace) -> int:
    changed = _run(options).plan()
    return CHANGED if changed and options.detailed_exitcode else 0


def _apply(options: argparse.Namespace) -> None:
    _run(options).apply()


def _destroy(options: argparse.Namespace) -> None:
    options.layer = options.layer or "all"
    _run(options, destroys=True).destroy()


def _unlock(options: argparse.Namespace) -> None:
    account = checks.entered(options.environment)
    for layer in LAYERS:
        root = Root(layer, account)
        if root.deployed() and root.holder():
            root.init()
            holder = root.unlock()
            print(f"{root.name}: taken away from {holder['Who']}, who held it since {holder['Created'][:16]}")


def _run(options: argparse.Namespace, destroys: bool = False) -> Run:
    account = checks.entered(options.environment)
    if account.environment in checks.MEMBERS:
        checks.check_definitions(account.settings)
    roots = [Root(layer, account) for layer in _layers(options.layer, account)]
    releases = account.environment in checks.MEMBERS and roots[-1].layer == "release" and not destroys
    if releases and not _release(roots[-1], options.release):
        print(f"{account.environment}: no release is given (RELEASE=…) and none is deployed, so none is")
        roots.pop()
    return Run(account, roots, confirm=_confirm(getattr(options, "yes", False)))


def _layers(wanted: str | None, account: Account) -> tuple[str, ...]:
    if wanted:
        return LAYERS if wanted == "all" else (wanted,)
    return LAYERS[1:] if Root("bootstrap", account).deployed() else LAYERS


def _release(root: Root, version: str) -> bool:
    """Give a root the release of this version, or the deployed one; return whether there is one."""
    if not version and root.deployed():
        with root.locked():
            root.init()
            version = root.outputs().get("release") or ""
    if version:
        checks.released(root.account, version, root.files)
        root.take_release()
    return bool(version)


def _confirm(yes: bool) -> Confirm:
    def confirm(question: str) -> bool:
        if yes or is_local():
            return True
        if not sys.stdin.isatty():
            print(f"{question} Nobody is here to say yes; YES=1 says it beforehand.", file=sys.stderr)
            return False
        return input(f"{question} Only yes is yes: ") == "yes"

    return confirm


if __name__ == "__main__":
    sys.exit(main())
