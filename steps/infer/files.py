"""A file of rows in, a file of answers out, without a server."""

import mmap
from collections import deque
from concurrent.futures import Executor, Future
from pathlib import Path

from steps.common import log
from steps.common.atomic import replacing
from steps.common.failure import StepFailed
from steps.infer import pool
from steps.infer.answers import CSV, JSON_LINES, NAMED, blocks

TYPES = {".csv": CSV, ".jsonl": JSON_LINES}


def kind(file: Path) -> str:
    """Return the type that a file's name tells.

    Raises:
        StepFailed: it tells none.
    """
    if file.suffix.lower() not in TYPES:
        raise StepFailed(f"{file.name}: the name ends with neither of {', '.join(TYPES)}.")
    return TYPES[file.suffix.lower()]


def score(source: Path, goal: Path, executor: Executor, workers: int) -> int:
    """Score a file's rows in their order; return how many were rejected, and log the first of them.

    Raises:
        StepFailed: the file holds no row, or a name ends in an unknown way.
        OSError: a file can't be read or written.
    """
    taken, given = kind(source), kind(goal)
    if not source.stat().st_size:
        raise StepFailed(f"{source.name}: the file is empty.")
    waiting: deque[Future[tuple[bytes, int, list[str]]]] = deque()
    rejected, named = 0, 0
    with (
        source.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        replacing(goal) as output,
    ):
        begin = 3 if content[:3] == b"\xef\xbb\xbf" else 0
        left = blocks(content, begin)
        while True:
            while len(waiting) <= workers and (found := next(left, None)):
                waiting.append(executor.submit(pool.answer, found[1], found[0], taken, given))
            if not waiting:
                return rejected
            part, wrong, sentences = waiting.popleft().result()
            output.write(part)
            for sentence in sentences[: NAMED - named]:
                log.info(sentence.replace("of the payload", f"of {source.name}"))
            rejected, named = rejected + wrong, min(named + len(sentences), NAMED)
