"""What a build runs inside its container: install a layer's packages, slim them, compile them.

    install.py uv VERSION                    the installer itself, into the build stage
    install.py packages ROOT REQUIREMENTS    the packages of one layer, each by its hash
    install.py standard-library ROOT         bytecode of the base image's own Python
    install.py code ROOT                     bytecode of the step's own modules, beside them

ROOT holds a layer as it will lie in the image: /opt/packages, /opt/baton. Everything that is left in it has
one fixed time, so that the same input gives the same layer. Bytecode isn't checked against its source at run
time: an image never changes, and a start saves the look-ups.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from compileall import compile_dir
from importlib.util import cache_from_source
from pathlib import Path
from py_compile import PycInvalidationMode, compile

UNCHECKED_HASH = PycInvalidationMode.UNCHECKED_HASH
FIXED_TIME = 0
UV = Path("/opt/uv")

# Build secrets, as the Dockerfiles mount them. They are in no layer.
CA_BUNDLE = Path("/run/secrets/ca")
INDEX = Path("/run/secrets/index")

NOT_AT_RUN_TIME_FILES = ("*.pyi", "*.pyx", "*.pxd", "*.pxi", "*.a", "*.c", "*.cpp", "*.h", "*.hpp")
# Tests, what builds extensions, and the tables that scikit-learn brings as examples.
NOT_AT_RUN_TIME_FOLDERS = (
    "**/tests", "**/test", "numpy/distutils",
    "sklearn/datasets/data", "sklearn/datasets/images",
)  # fmt: skip

# Parts of the standard library that no service imports.
SKIPPED_LIBRARY = {
    "test", "idlelib", "lib2to3", "tkinter", "turtledemo", "pydoc_data", "ensurepip", "distutils", "curses",
    "dbm", "sqlite3", "wsgiref", "venv", "site-packages", "dist-packages", "msilib", "xmlrpc",
}  # fmt: skip


def uv(version: str) -> None:
    """Install uv, into an environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", str(UV)], check=True)
    pip = [str(UV / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--timeout=120"]
    subprocess.run([*pip, f"uv=={version}"], check=True, env={**os.environ, **_secrets()})


def packages(root: Path, requirements: Path) -> None:
    """Install exactly the listed packages, each held against its hash, without what only developers need."""
    target = root / "opt/packages"
    install = [str(UV / "bin/uv"), "pip", "install", "--quiet", "--target", str(target)]
    exactly = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", str(requirements)]
    subprocess.run(
        [*install, *exactly],
        check=True,
        env={**os.environ, **_secrets(), "UV_LINK_MODE": "copy", "UV_NO_CONFIG": "1", "UV_HTTP_TIMEOUT": "120"},
    )
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)
    for folder in [found for pattern in NOT_AT_RUN_TIME_FOLDERS for found in target.glob(pattern)]:
        shutil.rmtree(folder, ignore_errors=True)
    for file in [found for pattern in NOT_AT_RUN_TIME_FILES for found in target.rglob(pattern)]:
        file.unlink()
    code(root)


def standard_library(root: Path) -> None:
    """Bytecode for the standard library, at the place where the base image's Python looks for it."""
    library = Path(sysconfig.get_path("stdlib"))
    for source in sorted(library.rglob("*.py")):
        if SKIPPED_LIBRARY.isdisjoint(source.relative_to(library).parts):
            bytecode = root / cache_from_source(str(source)).lstrip("/")
            bytecode.parent.mkdir(parents=True, exist_ok=True)
            compile(str(source), str(bytecode), str(source), doraise=True, invalidation_mode=UNCHECKED_HASH)
    settle(root)


def code(root: Path) -> None:
    """Compile every module, under the file name that it will have, and settle the rest."""
    options = {"stripdir": str(root), "prependdir": "/", "invalidation_mode": UNCHECKED_HASH, "quiet": 1}
    if not compile_dir(str(root), **options):
        raise SystemExit(f"Some modules below {root} don't compile")
    settle(root)


def settle(root: Path) -> None:
    """Fixed times, and modes that let any user read: what a layer's bytes depend on besides content."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
        os.utime(path, (FIXED_TIME, FIXED_TIME), follow_symlinks=False)


def _secrets() -> dict[str, str]:
    found = {}
    if CA_BUNDLE.exists():
        found |= {"SSL_CERT_FILE": str(CA_BUNDLE), "PIP_CERT": str(CA_BUNDLE)}
    if INDEX.exists():
        found |= {"UV_DEFAULT_INDEX": INDEX.read_text().strip(), "PIP_INDEX_URL": INDEX.read_text().strip()}
    return found


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "uv":
        uv(*arguments)
    else:
        task = {"packages": packages, "standard-library": standard_library, "code": code}[command]
        task(*map(Path, arguments))
