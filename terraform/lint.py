"""Guard rails that need no account: format, validity, the modules' own tests, and the policy scan."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from terraform import cli, iam
from terraform.errors import Failed
from terraform.root import FOLDER, REPOSITORY

ROOTS = (
    "bootstrap",
    *(f"{layer}/{name}" for layer in ("foundation", "release") for name in ("dev", "registry", "prod")),
)
SCAN = FOLDER / "scan"


def check(say: Callable[[str], None] = print) -> None:
    """Run everything.

    Raises:
        Failed: something isn't as it should be.
    """
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        say(_format(scratch))
        say(_valid(scratch))
        say(_tests(scratch))
    say(_scan())
    say(_reasons())


def _run(folder: Path, scratch: Path, *arguments: str, good: tuple[int, ...] = (0,)) -> str:
    return cli.run(folder, list(arguments), _environment(folder, scratch), quiet=True, good=good).stdout


def _environment(folder: Path, scratch: Path) -> dict[str, str]:
    return {"TF_DATA_DIR": str(scratch / folder.relative_to(FOLDER)), "AWS_EC2_METADATA_DISABLED": "true"}


def _init(folder: Path, scratch: Path) -> None:
    plugins = cli.plugin_folder()
    from_folder = [f"-plugin-dir={plugins}"] if plugins else []
    _run(folder, scratch, "init", "-backend=false", "-lockfile=readonly", *from_folder)


def _format(scratch: Path) -> str:
    wrong = _run(FOLDER, scratch, "fmt", "-check", "-recursive", good=(0, 3)).split()
    if wrong:
        raise Failed(f"terraform fmt would change {', '.join(wrong)}.")
    return f"format: {len(list(FOLDER.rglob('*.tf')))} files as terraform fmt writes them"


def _valid(scratch: Path) -> str:
    for name in ROOTS:
        _init(FOLDER / name, scratch)
        answer = json.loads(_run(FOLDER / name, scratch, "validate", "-json", good=(0, 1)))
        if not answer["valid"] or answer["diagnostics"]:
            raise Failed(f"{name}: {answer['diagnostics'][0]['summary']}: {answer['diagnostics'][0].get('detail', '')}")
    return f"validate: {len(ROOTS)} roots, no error and no warning"


def _tests(scratch: Path) -> str:
    folder = FOLDER / "tests"
    _init(folder, scratch)
    done = cli.run(folder, ["test", "-no-color"], _environment(folder, scratch), quiet=True, good=(0, 1))
    said = done.stdout + done.stderr
    result = re.search(r"(\d+) passed, (\d+) failed", said)
    if result is None or result[2] != "0" or result[1] == "0":
        raise Failed(f"terraform test: {said.strip()}")
    return f"test: {result[1]} runs passed"


def _scan() -> str:
    passed, excepted = scan(["--directory", str(FOLDER), "--framework", "terraform"])
    return f"scan: {passed} checks passed, {len(excepted)} exceptions with a reason in scan/exceptions.json"


def scan(what: list[str]) -> tuple[int, list[str]]:
    """Run checkov over Terraform's files or plans.

    Returns:
        The number of checks that passed, and the check and resource of each exception.

    Raises:
        Failed: a check failed that isn't an exception.
    """
    environment = os.environ | {"UV_PROJECT_ENVIRONMENT": str(REPOSITORY / ".venvs" / "scan")}
    done = subprocess.run(
        [_uv(), "run", "--quiet", "--locked", "--project", str(SCAN), "checkov",
         *what, "--output", "json", "--quiet", "--compact", "--skip-download"],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise Failed(f"checkov did not run: {(done.stderr or done.stdout).strip()[-500:]}") from None
    answers = answer if isinstance(answer, list) else [answer]
    exceptions = json.loads((SCAN / "exceptions.json").read_text())
    excepted, wrong = [], []
    for failed in (failed for one in answers for failed in one["results"]["failed_checks"]):
        check, resource = failed["check_id"], failed["resource"]
        known = any(check in one["checks"] and one["resource"] in resource for one in exceptions)
        (excepted if known else wrong).append(f"{check} of {resource} ({failed['check_name']})")
    if wrong:
        raise Failed(f"checkov: {'; '.join(wrong)}.")
    return sum(one["summary"]["passed"] for one in answers), excepted


def _uv() -> str:
    own = REPOSITORY / ".tools" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        raise Failed("The scanner needs uv; make setup installs it.")
    return found


def _reasons() -> str:
    if not iam.PAGE.exists() or iam.PAGE.read_text() != iam.page():
        raise Failed("docs/iam.md isn't what the policies say: make iam")
    return f"policies: {sum(map(len, iam.policies().values()))} statements, each with its reason in docs/iam.md"
