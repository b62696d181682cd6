"""Files of the state folder: each carries its format and a digest, and the last good copy of each lies beside it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

FORMAT = 1
"""Of a state file; the first localaws wrote files without a number."""

LAST = ".last"
"""Ends the name of a last good copy."""

PART = ".part"
"""Ends the name of a file that is being written."""

CONTENTS = "contents.json"
"""Names the files that a state folder must have, so that one that is missing is missed."""

DATABASE = "localaws.db"
SERVICES = "services"
OBJECTS = "s3"

_BEGINNING = re.compile(
    rb'\{"localaws": \{"format": (\d{1,9}), "sha256": "([0-9a-f]{64})"\}, '
    rb'("__ministack_format__": \d{1,9}, )?"payload": '
)


class Damaged(Exception):
    """A file of the state can't be used. The message names it and says what to do."""

    def __init__(self, file: Path, why: str, state: Path, service: str = "") -> None:
        self.file, self.service = file, service or service_of(file, state)
        super().__init__(f"{file} can't be used: {why}; {self._remedy(state)}.")

    def _remedy(self, state: Path) -> str:
        command, chosen = f"`python -m localaws {{}} --state {state}", f" --service {self.service}`"
        if self.service == "clock":
            return f"{command.format('reset')}{chosen} returns it to the machine's time"
        if not self.service:
            return f"move it away, and {command.format('check')}` says whether anything else is amiss"
        anew = f"{command.format('reset')}{chosen} keeps what is left of it in a folder and begins {self.service} anew"
        if (copy := last(self.file)).exists():
            return f"{command.format('restore')}{chosen} takes its last good copy, {copy.name}, and {anew}"
        return f"put a copy of it there if you have one; {anew}"


def service_of(file: Path, state: Path) -> str:
    """Return the service whose state a file is, as `reset` takes it; empty if it is nobody's."""
    try:
        parts = file.relative_to(state).parts
    except ValueError:
        return ""
    if parts[:1] == (OBJECTS,):
        return "s3"
    if parts[:2] == (SERVICES, "lambda-blobs"):
        return "lambda"
    if parts[:1] == (SERVICES,) and len(parts) == 2:
        return parts[1].removesuffix(".json")
    if parts and parts[0].startswith(DATABASE):
        return "sagemaker"
    return "contents" if parts == (CONTENTS,) else ""


def last(file: Path) -> Path:
    """Return where the last good copy of a file lies."""
    return file.with_name(file.name + LAST)


def write(file: Path, payload: str, format_of_emulator: int | None = None) -> None:
    """Replace a state file by one with this payload (JSON); what it was becomes its last good copy. Raises OSError."""
    digest = hashlib.sha256(payload.encode()).hexdigest()
    more = "" if format_of_emulator is None else f'"__ministack_format__": {format_of_emulator}, '
    beginning = f'{{"localaws": {{"format": {FORMAT}, "sha256": "{digest}"}}, {more}"payload": '
    replace(file, f"{beginning}{payload}}}".encode())


def replace(file: Path, content: bytes) -> None:
    """Replace a file in one step; what it was becomes its last good copy. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part, copy = file.with_name(file.name + PART), file.with_name(file.name + LAST + PART)
    try:
        part.write_bytes(content)
        copy.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.link(file, copy)
            copy.replace(last(file))
        part.replace(file)
    except OSError:
        for left in (part, copy):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
        raise


def read(file: Path, state: Path, hook: Any = None) -> tuple[Any, bool]:
    """Return a state file's JSON document, and whether it carries a digest already. Raises Damaged.

    Args:
        file: the file.
        state: the state folder that it is in.
        hook: makes something else of each JSON object.
    """
    content = content_of(file, state)
    if not content:
        raise Damaged(file, "it is empty", state)
    found = _BEGINNING.match(content)
    if found:
        if int(found[1]) > FORMAT:
            why = f"a later localaws wrote it (format {int(found[1])}; this one knows up to {FORMAT})"
            raise Damaged(file, why, state)
        if hashlib.sha256(content[found.end() : -1]).hexdigest().encode() != found[2] or content[-1:] != b"}":
            raise Damaged(file, "it is cut off or changed (its digest differs)", state)
    try:
        document = json.loads(content, object_hook=hook)
    except ValueError as error:
        raise Damaged(file, f"it isn't whole JSON ({type(error).__name__})", state) from None
    if not isinstance(document, dict):
        raise Damaged(file, "it isn't a JSON object", state)
    if found is None and "localaws" in document:
        given = document["localaws"]
        number = given.get("format") if isinstance(given, dict) else None
        if isinstance(number, int) and number > FORMAT:
            why = f"a later localaws wrote it (format {number}; this one knows up to {FORMAT})"
            raise Damaged(file, why, state)
        raise Damaged(file, "its digest can't be found", state)
    return document, found is not None


def content_of(file: Path, state: Path) -> bytes:
    """Return a file's bytes. Raises Damaged."""
    with readable(file, state):
        return file.read_bytes()


@contextlib.contextmanager
def readable(file: Path, state: Path) -> Any:
    """Say in one sentence what keeps a file from being read. Raises Damaged."""
    try:
        if file.is_dir():
            raise Damaged(file, "it is a folder, not a file", state)
        yield
    except FileNotFoundError:
        raise Damaged(file, "it is missing", state) from None
    except OSError as error:
        raise Damaged(file, f"it can't be read ({error.strerror})", state) from None


class Contents:
    """The names of the files that a state folder must have."""

    def __init__(self, state: Path, files: set[str]) -> None:
        self._state, self.files = state, files

    @classmethod
    def read(cls, state: Path) -> Contents | None:
        """Return what a state folder must have; None where none says so, as in a new one. Raises Damaged."""
        file = state / CONTENTS
        if not os.path.lexists(file):
            return None
        document, sealed = read(file, state)
        files = document.get("payload", {}).get("files") if isinstance(document.get("payload"), dict) else None
        if not sealed or not isinstance(files, list) or not all(isinstance(name, str) for name in files):
            raise Damaged(file, "it isn't a list of files with a digest", state)
        return cls(state, set(files))

    def add(self, name: str) -> None:
        """Note that a file is there from now on. Raises OSError."""
        if name not in self.files:
            self._keep(self.files | {name})

    def remove(self, name: str) -> None:
        """Note that a file isn't there any more. Raises OSError."""
        if name in self.files:
            self._keep(self.files - {name})

    def begin(self) -> Contents:
        """Write it for a folder that has none. Raises OSError."""
        self._keep(self.files)
        return self

    def _keep(self, files: set[str]) -> None:
        write(self._state / CONTENTS, json.dumps({"files": sorted(files)}))
        self.files = files
