"""The model file: its place in an archive, and the one way to a booster.

XGBoost trusts a model file. One that is whole but wrong leads it beyond its memory, which ends the process by a signal
or, worse, doesn't. So the arrays are checked first, and a child process loads the model and scores a few rows with it.
"""

import gzip
import hashlib
import json
import os
import posixpath
import resource
import signal
import sys
import tarfile
import threading
import warnings
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from steps.common import jsontext
from steps.common.failure import StepFailed
from steps.common.ubjson import Broken, decode

if TYPE_CHECKING:
    import numpy as np

MODEL, SCHEMA, METADATA = "xgboost-model", "schema.json", "metadata.json"
"""Files of the archive that the train step leaves."""

LARGEST_UNPACKED = 1 << 30
"""Bytes of an archive's files together; the archive of a bomb holds more."""

TRIAL_SECONDS = 120
"""A child that takes longer follows a circle, or waits for what never comes."""


def files(folder: Path, model: bytes, metadata: Mapping[str, Any], schema: bytes | None) -> dict[Path, bytes | str]:
    """Return the files that make up a model folder; the metadata say the model's digest."""
    noted = {**metadata, "model_sha256": hashlib.sha256(model).hexdigest()}
    found: dict[Path, bytes | str] = {
        folder / MODEL: model,
        folder / METADATA: jsontext.dumps(noted, sort_keys=True) + "\n",
    }
    return found if schema is None else {**found, folder / SCHEMA: schema}


def noted_digest(folder: Path) -> str | None:
    """Return what training noted of the model; archives of other makers have no note.

    Raises:
        StepFailed: the note is no JSON object.
    """
    try:
        return json.loads((folder / METADATA).read_text(encoding="utf-8")).get("model_sha256")
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, RecursionError):
        raise StepFailed(f"model archive: {METADATA} is truncated or no JSON object.") from None


def unpack(archive: Path, where: str) -> bytes:
    """Return the model in a model.tar.gz, of which nothing is written anywhere.

    Raises:
        StepFailed: as `unpacked` does, or it holds no model.
    """
    content = unpacked(archive, where, MODEL)
    if content is None:
        raise StepFailed(f"{where}: holds no {MODEL}.")
    return content


def unpacked(archive: Path, where: str, name: str) -> bytes | None:
    """Return a file in a model.tar.gz, or None where there is no such file.

    Raises:
        StepFailed: the archive is cut, no archive, holds the file twice, or what an archive of a model doesn't hold;
            the message begins with `where`.
    """
    content: bytes | None = None
    try:
        with gzip.open(archive) as packed:
            with tarfile.open(fileobj=_Bounded(packed, where), mode="r|") as tar:
                for member in tar:
                    _require_plain(member, where)
                    if posixpath.normpath(member.name) == name:
                        if content is not None:
                            raise StepFailed(f"{where}: holds {name} twice.")
                        content = tar.extractfile(member).read() if member.isfile() else None
            # To the end, where gzip keeps its checksum; tar stops before.
            rest = _Bounded(packed, where)
            while rest.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, RecursionError):
        raise StepFailed(f"{where}: truncated, or not a model archive.") from None
    return content


class _Bounded:
    """A stream that ends with a sentence where it is too large."""

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self._stream, self._where, self._left = stream, where, LARGEST_UNPACKED

    def read(self, size: int) -> bytes:
        found = self._stream.read(size)
        self._left -= len(found)
        if self._left < 0:
            raise StepFailed(f"{self._where}: unpacks to more than {LARGEST_UNPACKED >> 30} GiB.")
        return found


def _require_plain(member: tarfile.TarInfo, where: str) -> None:
    parts = Path(member.name).parts
    if member.name.startswith("/") or ".." in parts:
        raise StepFailed(f"{where}: holds a path that leads out of the archive.")
    if not (member.isfile() or member.isdir()) or member.issparse():
        raise StepFailed(f"{where}: holds a link, a device or a file with holes.")


class Model:
    """A model that was checked and tried, ready to score."""

    def __init__(self, content: bytes, where: str) -> None:
        """Check, try and load a model file.

        Args:
            content: UBJSON or JSON, as XGBoost saves it.
            where: how a sentence about it begins.

        Raises:
            StepFailed: it is truncated, damaged or no model.
        """
        from steps.common.trees import Inconsistent, check

        try:
            decoded = decode(content)
            self.features = check(decoded)
        except Broken:
            raise StepFailed(f"{where} is truncated, damaged or no model.") from None
        except Inconsistent as wrong:
            raise StepFailed(f"{where} is damaged: {wrong}.") from None
        types = decoded["learner"].get("feature_types") or None
        self.types = None if types is None else [str(kind) for kind in types]
        self._linear = decoded["learner"]["gradient_booster"]["name"] == "gblinear"
        if not _survives(lambda: self._load(content)):
            raise StepFailed(f"{where} is damaged: XGBoost can't load it and score with it.")
        self._load(content)

    def _load(self, content: bytes) -> "Model":
        import xgboost

        self._booster = xgboost.Booster()
        self._booster.load_model(bytearray(content))
        return self

    def set_threads(self, count: int) -> None:
        """Say how many threads one prediction takes."""
        self._booster.set_param({"nthread": count})

    def predict(self, features: "np.ndarray") -> "np.ndarray":
        """Return what the model makes of each row (rows × columns, NaN where missing)."""
        if self._linear:  # It has no prediction in place.
            import xgboost

            return self._booster.predict(xgboost.DMatrix(features), validate_features=False)
        return self._booster.inplace_predict(features, validate_features=False)


def _survives(load: Callable[[], Model]) -> bool:
    """Return whether a child process can load a model and score rows with it."""
    import numpy as np
    import xgboost  # noqa: F401 - the child needn't import it again

    def trial() -> None:
        try:
            model = load()
            rows = np.random.default_rng(1).normal(0, 100, (4, model.features)).astype(np.float32)
            rows[0], rows[1] = np.nan, 0
            found = model.predict(rows)
            os._exit(0 if len(found) == len(rows) and np.isfinite(found).all() else 1)
        except BaseException:
            os._exit(1)

    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Other threads are none of the child's business.
        child = os.fork()
    if not child:
        try:
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.alarm(TRIAL_SECONDS)
            # A thread of its own, because OpenMP's threads of the forking one stayed behind.
            thread = threading.Thread(target=trial)
            thread.start()
            thread.join()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return status == 0
