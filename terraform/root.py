"""One root of one account: its settings, its state and its lock, and what is done with it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from pipeline.settings import is_local
from promotion.accounts import Account
from terraform import cli
from terraform.errors import Locked

REPOSITORY = Path(__file__).parent.parent
FOLDER = Path(__file__).parent
LAYERS = ("bootstrap", "foundation", "release")
GUARD = "terraform_data.protection"
CHANGED = 2
"""Exit code of a plan that would change something."""


def work() -> Path:
    """Return the folder of what Terraform keeps here between two runs: .baton/terraform, or BATON_TERRAFORM."""
    return Path(os.environ.get("BATON_TERRAFORM") or REPOSITORY / ".baton" / "terraform").absolute()


def exists(account: Account, bucket: str) -> bool:
    """Whether an account has a bucket."""
    try:
        account.client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchBucket", "NotFound"):
            return False
        raise
    return True


@dataclass
class Root:
    """A layer of an account.

    Attributes:
        layer: bootstrap, foundation or release.
        account: whose.
        variables: what is given beside the environment files.
        quiet: whether Terraform's own words are kept back.
    """

    layer: str
    account: Account
    variables: dict[str, str] = field(default_factory=dict)
    quiet: bool = False
    _lock: int | None = None

    @property
    def name(self) -> str:
        """What messages call it: dev's foundation."""
        return f"{self.account.environment}'s {self.layer}"

    @property
    def folder(self) -> Path:
        """Where its Terraform lies."""
        return FOLDER / self.layer / ("" if self.layer == "bootstrap" else self.account.environment)

    @property
    def work(self) -> Path:
        """Where it keeps its plans and Terraform's own data."""
        return work() / self.account.environment / self.layer

    @property
    def files(self) -> Path:
        """Where the files of the release that it is to run lie."""
        return self.work.parent / "release-files"

    def take_release(self) -> None:
        """Let it run the release in `files`, by a path that is the same in every checkout."""
        inside = self.files.is_relative_to(REPOSITORY)
        self.variables["release"] = os.path.relpath(self.files, self.folder) if inside else str(self.files)

    @property
    def bucket(self) -> str:
        """Bucket of the account's states."""
        return self.account.names.state_bucket

    def environment(self) -> dict[str, str]:
        """Return the environment variables by which Terraform acts in the account."""
        keys = self.account.session.get_credentials().get_frozen_credentials()
        found = {
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_SESSION_TOKEN": keys.token or "",
            "AWS_REGION": self.account.settings.region,
            "AWS_PROFILE": "",
            "TF_DATA_DIR": str(self.work / "data"),
            # A killed run loses what it made since the state was written last.
            "TF_STATE_PERSIST_INTERVAL": os.environ.get("TF_STATE_PERSIST_INTERVAL", "20"),
        }
        return found | ({"AWS_EC2_METADATA_DISABLED": "true"} if is_local() else {})

    def run(self, *arguments: str, folder: Path | None = None, **more: Any) -> Any:
        """Run Terraform in this root, or in a copy of it. Raises Failed."""
        keep = () if self._lock is None else (self._lock,)
        return cli.run(
            folder or self.folder, list(arguments), self.environment(), **{"quiet": self.quiet, "keep": keep} | more
        )

    def init(self, folder: Path | None = None, *backend: str) -> None:
        """Fetch the locked provider and connect to the state. Raises Failed."""
        self.work.mkdir(parents=True, exist_ok=True)
        plugins = cli.plugin_folder()
        style = ["-backend-config=use_path_style=true"] if is_local() else []
        self.run(
            "init", "-reconfigure", "-lockfile=readonly",
            *([f"-plugin-dir={plugins}"] if plugins else []),
            *(backend or (
                f"-backend-config=bucket={self.bucket}",
                f"-backend-config=key={self.layer}.tfstate",
                f"-backend-config=region={self.account.settings.region}",
                *style,
            )),
            folder=folder,
            quiet=True,
        )  # fmt: skip

    def plan(self, file: Path, *arguments: str, folder: Path | None = None, **more: Any) -> bool:
        """Plan into a file; return whether anything would change. Raises Failed."""
        done = self.run(
            "plan", f"-out={file}", "-detailed-exitcode", *self._inputs(), *arguments,
            folder=folder, good=(0, CHANGED), **more,
        )  # fmt: skip
        return done.returncode == CHANGED

    def show(self, file: Path, folder: Path | None = None) -> dict[str, Any]:
        """Return a plan as Terraform's JSON."""
        return json.loads(self.run("show", "-json", str(file), folder=folder, quiet=True).stdout)

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of what was applied last."""
        found = json.loads(self.run("output", "-json", quiet=True).stdout)
        return {name: output["value"] for name, output in found.items()}

    def addresses(self) -> list[str]:
        """Return the addresses of everything in the state; none where there is no state yet."""
        return self.run("state", "list", quiet=True, good=(0, 1)).stdout.split()

    def _inputs(self) -> list[str]:
        names = ["shared", self.account.environment, *(["local"] if is_local() else [])]
        files = [f"-var-file={REPOSITORY / 'environments' / name}.tfvars.json" for name in names]
        return files + [f"-var={name}={value}" for name, value in self.variables.items()]

    def deployed(self) -> bool:
        """Whether the account has a bucket for its states yet."""
        return exists(self.account, self.bucket)

    @property
    def interrupted(self) -> bool:
        """Whether an apply was killed before its end, and what it made may be missing in the state."""
        return self._object(self._marker) is not None

    @property
    def _marker(self) -> str:
        return f"{self.layer}.applying"

    @contextlib.contextmanager
    def applying(self) -> Iterator[None]:
        """Mark the state while an apply runs; only a killed run leaves the mark behind."""
        s3 = self.account.client("s3")
        s3.put_object(Bucket=self.bucket, Key=self._marker, Body=b"")
        try:
            yield
        finally:
            s3.delete_object(Bucket=self.bucket, Key=self._marker)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the root on this machine, and clear the lock of a run that was killed on it.

        Terraform inherits the hold, so that it also lasts while a Terraform lives whose starter was killed.

        Raises:
            Locked: a run on another machine holds the state.
        """
        folder = Path(tempfile.gettempdir()) / f"baton-terraform-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(folder / f"{_endpoint()}{self.bucket}-{self.layer}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._clear_stale_lock()
            yield
        finally:
            os.close(self._lock)
            self._lock = None

    def holder(self) -> dict[str, str] | None:
        """Return what Terraform's lock says of its holder; None if there is no lock."""
        found = self._object(f"{self.layer}.tfstate.tflock")
        return None if found is None else json.loads(found)

    def _object(self, key: str) -> bytes | None:
        try:
            return self.account.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchBucket", "NotFound"):
                return None
            raise

    def unlock(self) -> dict[str, str] | None:
        """Take the lock away from a run that is gone for good; return who held it."""
        if holder := self.holder():
            self.run("force-unlock", "-force", holder["ID"], quiet=True)
        return holder

    def _clear_stale_lock(self) -> None:
        holder = self.holder()
        if holder is None:
            return
        me = f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"
        if holder["Who"] != me:
            raise Locked(
                f"{self.name} is locked by {holder['Who']} since {holder['Created'][:16]} ({holder['Operation']}); "
                f"if that run is gone for good: make unlock/{self.account.environment}"
            )
        # Nobody on this machine holds the root any more, so the run that left the lock was killed.
        self.init()
        self.unlock()

    def copy(self, without: tuple[str, ...] = (), **files: str) -> Path:
        """Return a copy of the root in which some files are missing and others are added.

        The copy lies in a tree like the repository's, made of links, so that every relative path holds.
        """
        tree = self.work / "copy"
        shutil.rmtree(tree, ignore_errors=True)
        copied = tree / self.folder.relative_to(REPOSITORY)
        copied.mkdir(parents=True)
        for source, target in ((REPOSITORY, tree), (FOLDER, tree / FOLDER.name)):
            for item in source.iterdir():
                if not (target / item.name).exists():
                    (target / item.name).symlink_to(item)
        for item in self.folder.iterdir():
            if item.name not in without:
                (copied / item.name).symlink_to(item.resolve())
        for name, content in files.items():
            (copied / f"{name}.tf").write_text(content)
        return copied


def _endpoint() -> str:
    return "".join(c if c.isalnum() else "-" for c in os.environ.get("AWS_ENDPOINT_URL", "")) + "-"
