"""Plan, apply and destroy, layer by layer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.settings import is_local
from promotion.accounts import Account
from terraform import adopt, leave
from terraform.errors import Failed, NotConfirmed, NotDestroyed, NotEmpty, Protected
from terraform.root import GUARD, Root, exists

ROUNDS = 6
"""Times that an interrupted run's leavings are looked for: what hangs on one is only seen after it."""

NO_BACKEND = 'terraform {\n  backend "local" {}\n}\n'

Confirm = Callable[[str], bool]
"""Asked whether a plan that was shown may be applied."""


@dataclass
class Run:
    """What is done with some layers of an account.

    Attributes:
        account: whose.
        roots: its layers, in the order in which they are made.
        say: told what happens, line by line.
        confirm: asked before anything is changed.
    """

    account: Account
    roots: list[Root]
    say: Callable[[str], None] = field(default=lambda line: print(line, flush=True))
    confirm: Confirm = field(default=lambda _: False)

    def plan(self) -> bool:
        """Show what would change, and change nothing. Return whether anything would.

        Raises:
            NotEmpty: the account holds what Terraform would make, and didn't make.
            Failed, Locked: Terraform failed, or another run holds a state.
        """
        self._demand_ours()
        changed = False
        for root in self.roots:
            self.say(f"{root.name}:")
            with root.locked():
                folder = self._prepared(root, preview=True)
                if folder is None and self._let_go(root, look=True):
                    self.say("  was protected and no longer is: apply and destroy take that back first")
                    changed = True
                else:
                    changed |= root.plan(self._file(root), folder=folder)
        return changed

    def apply(self) -> None:
        """Make it so.

        Raises:
            NotEmpty: the account holds what Terraform would make, and didn't make.
            NotConfirmed: nobody said yes.
            Failed, Locked: Terraform failed, or another run holds a state.
        """
        self._demand_ours()
        for root in self.roots:
            self.say(f"{root.name}:")
            with root.locked():
                if not root.deployed():
                    self._agreed(f"{self.account.environment} is empty: make the bucket {root.bucket} for the states?")
                    self._make_bucket(root)
                folder = self._prepared(root)
                if root.plan(self._file(root), folder=folder):
                    self._agreed(f"Apply this to {root.name}?")
                    self._apply(root, self._file(root), folder)

    def apply_planned(self, files: dict[str, Path]) -> None:
        """Apply plans made earlier, layer → file. Raises Failed, Locked."""
        for root in self.roots:
            with root.locked():
                self._apply(root, files[root.layer], self._prepared(root))

    def destroy(self) -> None:
        """Unmake it, the last layer first.

        Raises:
            Protected: the settings keep it.
            NotConfirmed, Failed, Locked, NotDestroyed: as `apply`; something still uses it.
        """
        settings = self.account.settings
        if settings.protected:
            raise Protected(
                f"{settings.environment} is protected; protected = false in its environment file lets it be destroyed."
            )
        for root in reversed(self.roots):
            if not (root.deployed() or self._left_state(root).exists()):
                continue
            self.say(f"{root.name}:")
            with root.locked():
                self._destroy(root)
        for line in leave.remaining(self.account):
            self.say(line)

    def _demand_ours(self) -> None:
        names, environment = self.account.names, self.account.environment
        bucket = names.models_bucket if environment == "registry" else names.data_bucket
        if exists(self.account, names.state_bucket) or not exists(self.account, bucket):
            return
        local = "; `python -m localaws up` with a state folder of its own gives empty ones" if is_local() else ""
        raise NotEmpty(
            f"{environment} holds {bucket}, which Terraform didn't make: it begins in empty accounts{local}."
        )

    def _destroy(self, root: Root) -> None:
        file = self._file(root)
        if root.interrupted:
            raise NotDestroyed(
                f"{root.name}: its last apply was killed; apply once more, so that nothing stays behind."
            )
        if root.layer == "foundation":
            leave.check_idle(self.account)
        folder = self._leaving(root) if root.layer == "bootstrap" else self._prepared(root)
        if root.plan(file, "-destroy", folder=folder):
            self._agreed(f"Destroy {root.name}?")
            if root.layer != "release":
                leave.empty(self.account, root.layer, self.say)
            root.run("apply", str(file), folder=folder)
        self._left_state(root).unlink(missing_ok=True)

    def _leaving(self, root: Root) -> Path:
        """Take the state out of the bucket that is to be destroyed; return the folder to run in."""
        state = self._left_state(root)
        if not state.exists():
            self._prepared(root)
            pulled = root.run("state", "pull", quiet=True).stdout
            part = state.with_suffix(".part")
            part.write_text(pulled)
            part.replace(state)
        folder = root.copy(without=("imports.tf",), backend_override=NO_BACKEND)
        root.init(folder, f"-backend-config=path={state}")
        return folder

    @staticmethod
    def _left_state(root: Root) -> Path:
        return root.work / "leaving.tfstate"

    def _agreed(self, question: str) -> None:
        if not self.confirm(question):
            raise NotConfirmed(f"{self.account.environment}: not confirmed, nothing was changed by this step.")

    @staticmethod
    def _file(root: Root) -> Path:
        root.work.mkdir(parents=True, exist_ok=True)
        return root.work / "plan.tfplan"

    def _prepared(self, root: Root, preview: bool = False) -> Path | None:
        """Connect a root to its state; return the folder to run in, None for its own."""
        if not root.deployed():
            if not preview:
                raise Failed(f"{self.account.environment} has no bucket for states; apply its bootstrap first.")
            folder = root.copy(without=("imports.tf",), backend_override=NO_BACKEND)
            root.init(folder, f"-backend-config=path={root.work / 'preview.tfstate'}")
            return folder
        root.init()
        if not preview:
            self._let_go(root)
        return None

    def _let_go(self, root: Root, look: bool = False) -> bool:
        """Take the guards out of the state where the settings protect it no longer; return whether there were any."""
        guards = [] if self.account.settings.protected else [a for a in root.addresses() if GUARD in a]
        if guards and not look:
            root.run("state", "rm", *guards, quiet=True)
        return bool(guards)

    def _make_bucket(self, root: Root) -> None:
        region = self.account.settings.region
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.account.client("s3").create_bucket(Bucket=root.bucket, **where)

    def _apply(self, root: Root, file: Path, folder: Path | None) -> None:
        interrupted = root.interrupted
        with root.applying():
            if interrupted:
                self._take_over(root, file, folder)
            else:
                root.run("apply", str(file), folder=folder)

    def _take_over(self, root: Root, file: Path, folder: Path | None) -> None:
        self.say(f"{root.name}: the run before this one was killed; what it left is taken over")
        adopted: dict[str, str] = {}
        for _ in range(ROUNDS):
            plan = root.show(file, folder)
            found = adopt.nameless_keys(plan, self.account)
            if not found:
                diagnostics = list(_applied(root, file, folder))
                if not diagnostics:
                    return
                found = adopt.there(plan, diagnostics, self.account)
                if not found:
                    raise Failed(f"terraform apply failed in {root.name}: {_sentence(diagnostics[0])}")
            for address in found:
                self.say(f"  takes over {address}")
            adopted |= found
            folder = root.copy(adopted=adopt.imports(adopted))
            root.init(folder)
            root.plan(file, folder=folder, quiet=True)
        raise Failed(
            f"terraform apply failed in {root.name}: the leavings of a killed run could not all be taken over."
        )


def _applied(root: Root, file: Path, folder: Path | None) -> Iterator[dict]:
    """Apply a plan; give the errors that it ends with."""
    done = root.run("apply", "-json", str(file), folder=folder, quiet=True, good=(0, 1))
    for line in done.stdout.splitlines():
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("@level") == "error":
            yield said.get("diagnostic") or {"summary": said.get("@message", "")}


def _sentence(diagnostic: dict) -> str:
    return " ".join(f"{diagnostic.get('summary', '')}: {diagnostic.get('detail', '')}".split()).strip(" :")
