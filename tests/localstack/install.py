"""LocalStack's own code from PyPI, in an environment of its own."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = ROOT / ".venvs" / "localstack"
NO_PYTHON = "There is no Python 3.13 on this machine, and LocalStack 4.14.0 needs it."


def python() -> Path | None:
    """Return a Python that LocalStack runs on, or None."""
    for name in ("python3.13", *(str(path) for path in Path.home().glob(".pyenv/versions/3.13.*/bin/python"))):
        # A shim of pyenv's may stand for no Python at all.
        if (found := shutil.which(name)) and not subprocess.run([found, "-c", ""], capture_output=True).returncode:
            return Path(found).resolve()
    return None


def install(with_python: Path) -> None:
    """Make the environment what its lock says."""
    environment = os.environ | {"UV_PROJECT_ENVIRONMENT": str(ENVIRONMENT), "UV_PYTHON": str(with_python)}
    uv = [ROOT / ".tools/bin/uv", "sync", "--quiet", "--locked", "--project", ROOT / "tests/localstack"]
    subprocess.run(uv, env=environment, check=True)
