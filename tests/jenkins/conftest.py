"""Local accounts with a model to score with, a checkout as Jenkins makes it, and the Jenkinsfile's interpreter."""

import base64
import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from pipeline import approvals, settings
from pipeline.release import Release
from promotion import accounts as sessions
from promotion.manifest import Manifest
from promotion.promote import FOLDER
from promotion.releases import Releases
from rehearsal import local, provision
from rehearsal.life import Life

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
TOOLS = ROOT / ".baton" / "jenkins"
ENVIRONMENTS = (".venv", ".venvs", ".tools")
LEASE_SECONDS = "2"


def check_out(folder: Path) -> Path:
    """Copy what git would check out, with the environments that are made already."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    for name in ENVIRONMENTS:
        (folder / name).symlink_to(ROOT / name)
    commit(folder, "start")
    return folder


def commit(folder: Path, message: str) -> None:
    """Make a commit of a checkout's files, so that releases of it differ by their commit too."""
    quiet = {"cwd": folder, "check": True, "capture_output": True}
    if not (folder / ".git").exists():
        subprocess.run(["git", "init", "--quiet"], **quiet)
    subprocess.run(["git", "add", "--all"], **quiet)
    who = ["-c", "user.name=tests", "-c", "user.email=tests@example.org"]
    subprocess.run(["git", *who, "commit", "--quiet", "--allow-empty", "--message", message], **quiet)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A checkout of its own, whose steps the local accounts run."""
    return check_out(tmp_path_factory.mktemp("checkout") / "baton")


@dataclass
class Stage:
    """The three local accounts, and the programs that act in them.

    Attributes:
        address: of the accounts.
        life: what people do in them.
        checkout: where the programs are run.
        environment: what the programs get.
    """

    address: str
    life: Life
    checkout: Path
    environment: dict[str, str] = field(default_factory=dict)

    def make(self, *arguments: str, fails: bool = False, folder: Path | None = None) -> str:
        """Run make in the checkout; return what it printed, its errors too."""
        done = subprocess.run(
            ["make", *arguments],
            cwd=folder or self.checkout,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def client(self, environment: str, service: str):
        """A client of one of the accounts."""
        return self.life.accounts[environment].client(service)

    def history(self, environment: str = "prod") -> list[dict]:
        """What happened to an environment, the newest first."""
        return [asdict(event) for event in Releases(sessions.account("registry")).history(environment)]

    def serving(self, environment: str = "prod") -> str:
        """The release that an environment runs, as its history says."""
        return next(event["release"] for event in self.history(environment) if event["what"] == "serving")


def signed(version: str) -> tuple[Manifest, Path]:
    """A release's verified manifest, and the folder with its files."""
    releases = Releases(sessions.account("registry"))
    manifest = releases.verified(version)
    return manifest, releases.fetch(manifest, FOLDER)


ISSUER, AUDIENCE, SUBJECT = "jenkins.example.com/oidc", "sts.amazonaws.com", "job/baton"


def trust_jenkins(life):
    """Let CI's role of every account be taken with a token that Jenkins signs, as `ci.oidc_issuer` has it in AWS."""
    for account in life.accounts.values():
        iam, number = account.client("iam"), account.settings.account
        iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=[AUDIENCE])
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{number}:oidc-provider/{ISSUER}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": SUBJECT}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.update_assume_role_policy(RoleName=account.names.role("ci").rpartition("/")[2], PolicyDocument=document)


@pytest.fixture
def token(tmp_path):
    """The file of a token that Jenkins signs for a build; its signature isn't looked at here."""
    claims = {"iss": f"https://{ISSUER}", "aud": AUDIENCE, "sub": SUBJECT}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, claims)
    ]
    file = tmp_path / "token"
    file.write_text(".".join([*parts, "sig"]))
    return file


@pytest.fixture(scope="session")
def accounts(checkout, tmp_path_factory):
    """Local accounts in which release `first` serves in dev and prod, with an approved version to score with."""
    state = tmp_path_factory.mktemp("accounts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BATON_REGISTRIES", str(state / "none"))
        patch.setenv("BATON_LOCK_SECONDS", LEASE_SECONDS)
        for name in (*local.SILENT, "BATON_ROLE", "RELEASE", "REASON", "APPROVED_BY", "TO"):
            patch.delenv(name, raising=False)
        patch.setattr(local, "ROOT", checkout)
        patch.setattr(local, "IMAGES", checkout / "steps" / "images.json")
        sessions.account.cache_clear()
        with local.serving(state / "localaws") as address:
            patch.setenv("AWS_ENDPOINT_URL", address)
            life = Life(address)
            life.resources()
            trust_jenkins(life)
            provision.deploy(life.accounts["registry"], Release())
            stage = Stage(address, life, checkout, dict(os.environ))
            stage.make("release", "RELEASE=first")
            stage.make("deploy", "RELEASE=first")
            for name in ("dev", "prod"):
                life.put(name, "labelled/part-1.csv")
            stage.make("rehearse")
            approvals.approve(settings.load("registry"), 1, "The only one there is")
            stage.make("promote", "RELEASE=first", "APPROVED_BY=Ann", "REASON=There was none before")
            yield stage
        sessions.account.cache_clear()


@pytest.fixture
def stage(accounts):
    """The accounts, with release `first` serving in prod."""
    if accounts.serving() != "first":
        accounts.make("promote", "RELEASE=first", "APPROVED_BY=Ann", "REASON=Back to the start")
    accounts.life.collect()
    return accounts


def edit(folder, file, old, new):
    """Change a checkout, and commit it."""
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    commit(folder, f"Change {file}")


@pytest.fixture(scope="module")
def bad(request, accounts, tmp_path_factory):
    """A release whose functions mix up where the model lies: it deploys, and scores nothing.

    Each module has its own: one that has failed is marked for good.
    """
    version = f"bad-{request.module.__name__.rpartition('_')[2]}"
    folder = check_out(tmp_path_factory.mktemp("bad") / "baton")
    edit(folder, "functions/resolve/batch.py", 'record.url(seals.ARCHIVE) or ""', "statistics")
    accounts.make("release", f"RELEASE={version}", folder=folder)
    return version


@pytest.fixture(scope="session")
def second(accounts, tmp_path_factory):
    """A good release with another image and other functions."""
    folder = check_out(tmp_path_factory.mktemp("second") / "baton")
    for file in ("functions/__init__.py", "steps/monitor/__init__.py"):
        with (folder / file).open("a") as source:
            source.write("# second\n")
    commit(folder, "Second")
    accounts.make("release", "RELEASE=second", folder=folder)
    accounts.make("deploy", "RELEASE=second", folder=folder)
    return "second"


def missing(program: str) -> None:
    """Skip what needs a program that isn't there; in CI that is a failure."""
    said = f"{program} isn't installed, so the Jenkinsfile can't be run."
    if os.environ.get("CI") == "true":
        pytest.fail(said)
    pytest.skip(said)


JAVA = ("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp")


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory):
    """Command line of the Jenkinsfile's interpreter, compiled by Groovy 4 as package-lock.json has it."""
    for program in ("java", "npm"):
        if shutil.which(program) is None:
            missing(program)
    lock = (HERE / "package-lock.json").read_bytes()
    installed = TOOLS / "installed-lock.json"
    if not installed.is_file() or installed.read_bytes() != lock:
        TOOLS.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, TOOLS)
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=TOOLS, check=True, capture_output=True
        )
        installed.write_bytes(lock)
    jars = TOOLS / "node_modules" / "npm-groovy-lint" / "lib" / "java" / "groovy" / "lib" / "*"
    classes = tmp_path_factory.mktemp("interpreter")
    compiler = [*JAVA, str(jars), "org.codehaus.groovy.tools.FileSystemCompiler", "-d", str(classes)]
    subprocess.run([*compiler, *(str(HERE / f"{name}.groovy") for name in ("blocks", "declarative"))], check=True)
    return [*JAVA, f"{jars}{os.pathsep}{classes}", "declarative"]
