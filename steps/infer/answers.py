"""Lines of a payload in, lines of an answer out.

Tables of few different values repeat their rows: a payload of 450,000 rows of the example has 32,000 different ones.
A line that was seen is neither parsed nor scored again while it is remembered.
"""

import codecs
import json
import mmap
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from steps.infer.scoring import Model

CSV, JSON_LINES = "text/csv", "application/jsonlines"
GIVEN, TAKEN = (CSV, JSON_LINES), (CSV, JSON_LINES)
"""Types of answers, the preferred first, and of payloads."""

BLOCK = 1 << 20
"""Bytes of a payload that are scored at once: what a payload of any size needs beside itself."""

REMEMBERED = 32 << 20
"""Bytes of lines and answers that a process keeps."""

ENOUGH, LOOKED_AT = 50_000, 1000
"""Remembered lines that are enough to tell, by so many lines of a block, whether lines repeat at all."""

NAMED = 20
"""Rejected rows of a payload that the log names one by one."""


class Answers:
    """A model's answers, and the memory of them; for one thread."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._forget()

    def _forget(self) -> None:
        self._held = 0
        self._known: dict[str, dict[bytes, bytes]] = {taken: {} for taken in TAKEN}
        self._why: dict[str, dict[bytes, str]] = {taken: {} for taken in TAKEN}

    def of(self, block: bytes, first: int, taken: str = CSV, given: str = CSV) -> tuple[bytes, int, list[str]]:
        """Return a block's answer, how many rows it rejects, and sentences about the first of them.

        Args:
            block: whole lines, UTF-8.
            first: the number of its first row in the payload, counted from 1.
            taken: type of the block.
            given: type of the answer.
        """
        if b"\r\n" in block:
            block = block.replace(b"\r\n", b"\n")
        lines = block.removesuffix(b"\n").split(b"\n")
        texts, why = self._texts(lines, taken)
        rejected, sentences = 0, []
        if why:
            reasons = [(row, why[line]) for row, line in enumerate(lines, first) if line in why]
            rejected = len(reasons)
            sentences = [f"row {row} of the payload rejected: {reason}." for row, reason in reasons[:NAMED]]
        if given == CSV:
            return b"\n".join(texts) + b"\n", rejected, sentences
        objects = [b'{"row": %d, "probability": %b}\n' % found for found in enumerate(texts, first)]
        if why:
            for row, reason in reasons:
                objects[row - first] = json.dumps({"row": row, "error": reason}).encode() + b"\n"
        return b"".join(objects), rejected, sentences

    def _texts(self, lines: list[bytes], taken: str) -> tuple[list[bytes], dict[bytes, str]]:
        """Return each line's probability as text, `nan` where it is rejected, and why by the line."""
        known = self._known[taken]
        with suppress(KeyError):
            return list(map(known.__getitem__, lines)), self._why[taken]
        sample = lines[:: len(lines) // LOOKED_AT + 1]
        if len(known) > ENOUGH and sum(line in known for line in sample) * 4 < len(sample):
            texts, wrong = self._score(lines, taken)
            return texts, {lines[place]: reason for place, reason in wrong.items()}
        distinct = dict.fromkeys(lines)
        fresh = [line for line in distinct if line not in known]
        size = sum(map(len, fresh)) + 200 * len(fresh)
        if self._held + size > REMEMBERED:
            self._forget()
            fresh = list(distinct)
        known, why = self._known[taken], self._why[taken]
        if fresh:
            self._held += size
            texts, wrong = self._score(fresh, taken)
            known.update(zip(fresh, texts, strict=True))
            why.update((fresh[place], reason) for place, reason in wrong.items())
        return list(map(known.__getitem__, lines)), why

    def _score(self, lines: list[bytes], taken: str) -> tuple[list[bytes], dict[int, str]]:
        """Return each line's probability as text, and what is wrong by the line's place."""
        score = self._model.score_objects if taken == JSON_LINES else self._model.score
        scores = score(b"\n".join(lines).decode(errors="surrogateescape").split("\n"))
        return decimals(scores.probabilities), {reject.row - 1: reject.reason for reject in scores.rejected}


def decimals(probabilities: np.ndarray) -> list[bytes]:
    """Return decimals of nine digits, which stand for a float32 exactly."""
    return (b"%.9g\n" * len(probabilities) % tuple(probabilities.tolist())).split()


def blocks(body: bytearray | mmap.mmap, begin: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines of a payload, about BLOCK bytes at once, with the number of their first row."""
    row = 1
    while begin < len(body):
        end = begin + BLOCK
        if end < len(body):
            end = body.rfind(b"\n", begin, end) + 1 or (body.find(b"\n", end) + 1 or len(body))
        block = bytes(body[begin : min(end, begin + BLOCK)])
        if end > begin + BLOCK and end <= len(body):  # No row is that long; what it ends with is no number either.
            block += b"\0\n"
        yield row, block
        row += block.count(b"\n")
        begin = end


def not_utf8_at(body: bytearray) -> int | None:
    """Return None, or the place of the byte at which a payload is no UTF-8 text."""
    if body.isascii():
        return None
    decoder, begin = codecs.getincrementaldecoder("utf-8")(), 0
    while begin < len(body):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(bytes(memoryview(body)[begin : begin + BLOCK]), begin + BLOCK >= len(body))
        except UnicodeDecodeError as error:
            return begin - held + error.start
        begin += BLOCK
    return None
