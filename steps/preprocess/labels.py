"""Labels that contradict each other, and files that are there twice: counted, and refused from a number on."""

import hashlib
import os
from collections.abc import Sequence

import numpy as np

from steps.common.failure import StepFailed
from steps.common.files import File

CONTRADICTIONS, SAME_FILES = "FAIL_FROM_CONTRADICTIONS", "FAIL_FROM_SAME_FILES"
"""Environment variables: from how many on the step fails; without them it only counts."""


class Labels:
    """What each distinct row was labelled with so far, in the order of the files."""

    def __init__(self) -> None:
        self._known = np.empty(0, np.uint64)
        self._labels = np.empty(0, np.int64)
        self._current: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._of_file = 0
        self.against_earlier = 0

    def add(self, hashes: np.ndarray, labels: np.ndarray, times: np.ndarray) -> None:
        """Take distinct rows of the current file: a hash of the features, the label's place, and how many there are."""
        self._current.append((hashes, np.int64(1) << labels.astype(np.int64), times))

    def end_of_file(self) -> None:
        """Count the rows of this file whose label is another than each that earlier files gave to an equal row."""
        if not self._current:
            return
        hashes, labels, times = (np.concatenate(parts) for parts in zip(*self._current, strict=True))
        self._current = []
        if len(self._known):
            places = np.minimum(np.searchsorted(self._known, hashes), len(self._known) - 1)
            seen = self._known[places] == hashes
            self.against_earlier += int(times[seen & (self._labels[places] & labels == 0)].sum())
        every = np.concatenate([self._known, hashes])
        self._known, first = np.unique(every, return_inverse=True)
        merged = np.zeros(len(self._known), np.int64)
        np.bitwise_or.at(merged, first, np.concatenate([self._labels, labels]))
        self._labels = merged

    @property
    def contradicting(self) -> int:
        """How many kinds of equal rows carry more than one label."""
        return int(((self._labels & (self._labels - 1)) != 0).sum())


def same_files(files: Sequence[File]) -> list[list[str]]:
    """Return the names of files that hold the same bytes, group by group."""
    found: dict[tuple[int, str], list[str]] = {}
    sizes = [file.path.stat().st_size for file in files]
    for file, size in zip(files, sizes, strict=True):
        if sizes.count(size) > 1:
            with file.path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            found.setdefault((size, digest), []).append(file.name)
    return [names for names in found.values() if len(names) > 1]


def require_few(contradictions: int, against_earlier: int, same: Sequence[Sequence[str]]) -> None:
    """Check the counts against the settings.

    Raises:
        StepFailed: there are as many as a setting doesn't allow, or a setting isn't a number.
    """
    allowed, files = _setting(CONTRADICTIONS), _setting(SAME_FILES)
    worst = max(contradictions, against_earlier)
    if allowed is not None and worst >= allowed:
        raise StepFailed(
            f"input data: {contradictions} kinds of equal rows carry contradicting labels, and {against_earlier} rows "
            f"contradict an earlier file; {CONTRADICTIONS} is {allowed}."
        )
    twice = sum(len(names) - 1 for names in same)
    if files is not None and twice >= files:
        raise StepFailed(f"input data: {same[0][1]} holds the same as {same[0][0]}; {SAME_FILES} is {files}.")


def _setting(name: str) -> int | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not int(text):
        raise StepFailed(f"setting {name}: not a whole number from 1 on.")
    return int(text)
