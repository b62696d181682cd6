"""Base images made from Debian's packages, for networks that have no public registry.

Two images of one release, so that both hold the same Python: a build image with pip and a shell, and a
base image with neither a shell nor a package manager; and one that serves a registry. The dpkg inventory
stays in all: without it a scan finds no package and looks clean.
"""

from __future__ import annotations

import fnmatch
import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from images.engine import Engine, NotBuilt

RELEASE = "bookworm"
BASE = f"baton/base:{RELEASE}"
BUILD = f"baton/build:{RELEASE}"
REGISTRY = f"baton/registry:{RELEASE}"

# libstdc++ is what compiled wheels expect of a system; the rest is Python's own dependencies.
BASE_PACKAGES = ("base-files", "python3", "libstdc++6")
REGISTRY_PACKAGES = ("base-files", "docker-registry", "busybox-static")
BUILD_PACKAGES = (*BASE_PACKAGES, "python3-venv", "ca-certificates", "coreutils", "dash", "netbase")

# Licence texts stay; machine settings, manuals and translations go, and APT's own files with them.
NOWHERE = (
    "etc/apt/*", "etc/hostname", "etc/resolv.conf", "usr/share/doc-base/*", "usr/share/info/*",
    "usr/share/lintian/*", "usr/share/locale/*", "usr/share/man/*", "usr/share/pixmaps/*", "var/cache/*",
    "var/lib/apt/*", "var/lib/dpkg/*", "var/log/*",
)  # fmt: skip
# Whole packages that are in no container's way but of no use in it, then parts: character sets that only
# iconv converts, and what Python brings for people at a terminal.
REMOVED_PACKAGES = ("dpkg", "mawk", "readline-common", "tar")
NOT_AT_RUN_TIME = (
    "bin/tar", "etc/cron.daily/*", "usr/bin/dpkg*", "usr/bin/mawk", "usr/bin/update-alternatives", "usr/lib/mime/*",
    "usr/lib/python3.11/idlelib/*", "usr/lib/python3.11/lib2to3/*", "usr/lib/python3.11/pydoc_data/*",
    "usr/lib/python3.11/test/*", "usr/lib/*/gconv/*", "usr/libexec/*", "usr/sbin/*", "usr/share/dpkg/*",
    "usr/share/gdb/*", "usr/share/polkit-1/*", "usr/share/readline/*",
)  # fmt: skip
# The configuration of the public registry image, in the place of Debian's, which wants a password.
REGISTRY_DROPS = ("etc/docker/registry/config.yml",)
REGISTRY_FILES = {
    "etc/docker/registry/config.yml": (
        "version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: /var/lib/registry}}\n"
        'http: {addr: ":5000"}\n'
    ),
    "usr/bin/wget": '#!/bin/busybox sh\nexec /bin/busybox wget "$@"\n',
}
DOCUMENT = re.compile(r"usr/share/doc/.*(?<!/copyright)$")
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}
AUTHORITIES = "usr/share/ca-certificates/mozilla/*.crt"
INVENTORY = "var/lib/dpkg/status.d"
ARCHIVES = "var/cache/apt/archives/*.deb"


def make(engine: Engine) -> dict[str, str]:
    """Make the images where they are missing, and return them as settings.

    BASE_IMAGE and BUILD_IMAGE are what the steps' images are made from, REGISTRY_IMAGE serves a registry.

    Raises:
        NotBuilt: mmdebstrap is not installed or failed.
    """
    if not engine.has(BASE):
        engine.run("import", "--change", 'CMD ["python3"]', "-", BASE, stdin=_tree(BASE_PACKAGES, NOT_AT_RUN_TIME))
    if not engine.has(BUILD):
        engine.run("import", "-", BUILD, stdin=_tree(BUILD_PACKAGES, ()))
    if not engine.has(REGISTRY):
        run = ['ENTRYPOINT ["docker-registry", "serve"]', 'CMD ["/etc/docker/registry/config.yml"]', "EXPOSE 5000"]
        changes = [f"--change={line}" for line in run]
        engine.run("import", *changes, "-", REGISTRY, stdin=_tree(REGISTRY_PACKAGES, REGISTRY_DROPS, REGISTRY_FILES))
    return {"BASE_IMAGE": BASE, "BUILD_IMAGE": BUILD, "REGISTRY_IMAGE": REGISTRY}


def _tree(packages: tuple[str, ...], drop: tuple[str, ...], own: Mapping[str, str] | None = None) -> bytes:
    """The root file system with these packages and what they depend on, as a tar of fixed times."""
    with tempfile.TemporaryDirectory(prefix="baton-base-") as folder:
        extracted = Path(folder) / "extracted.tar"
        _extract(packages, extracted)
        result = io.BytesIO()
        with tarfile.open(extracted) as source, tarfile.open(fileobj=result, mode="w") as target:
            for member in source:
                name = member.name.removeprefix("./")
                if _stays(name, drop):
                    member.mtime = 0
                    target.addfile(member, source.extractfile(member) if member.isreg() else None)
            removed = REMOVED_PACKAGES if drop is NOT_AT_RUN_TIME else ()
            inventory = {name: text for name, text in _inventory(source) if Path(name).name not in removed}
            # Scanners look for the inventory's folder, which no package brings.
            folder = tarfile.TarInfo(INVENTORY)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            target.addfile(folder)
            for name, text in {**ACCOUNTS, **inventory, **_certificates(source), **(own or {})}.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text.encode()), 0o755 if text.startswith("#!") else 0o644
                target.addfile(entry, io.BytesIO(text.encode()))
    return result.getvalue()


def _extract(packages: tuple[str, ...], target: Path) -> None:
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise NotBuilt("The base images can't be made: mmdebstrap is not installed")
    options = ["--quiet", "--variant=extract", "--skip=cleanup/apt", f"--include={','.join(packages)}"]
    made = subprocess.run([tool, *options, RELEASE, str(target)], capture_output=True, text=True)
    if made.returncode:
        raise NotBuilt(f"mmdebstrap failed: {made.stderr.strip().splitlines()[-1]}")


def _stays(name: str, drop: tuple[str, ...]) -> bool:
    return not DOCUMENT.match(name) and not any(fnmatch.fnmatch(name, pattern) for pattern in NOWHERE + drop)


def _inventory(source: tarfile.TarFile) -> Iterator[tuple[str, str]]:
    """One file per package, as scanners look for it in an image without dpkg."""
    with tempfile.TemporaryDirectory(prefix="baton-base-") as folder:
        for member in source.getmembers():
            if fnmatch.fnmatch(member.name.removeprefix("./"), ARCHIVES):
                deb = Path(folder) / "package.deb"
                deb.write_bytes(source.extractfile(member).read())
                fields = subprocess.run(["dpkg-deb", "--field", deb], capture_output=True, text=True, check=True)
                package = re.search(r"^Package: (\S+)$", fields.stdout, re.MULTILINE)[1]
                yield f"{INVENTORY}/{package}", fields.stdout


def _certificates(source: tarfile.TarFile) -> dict[str, str]:
    bundle = [
        source.extractfile(member).read().decode()
        for member in source.getmembers()
        if fnmatch.fnmatch(member.name.removeprefix("./"), AUTHORITIES)
    ]
    return {"etc/ssl/certs/ca-certificates.crt": "".join(bundle)} if bundle else {}
