"""The job's log: lines on standard output and error, which SageMaker collects."""

import sys


def info(text: str) -> None:
    """Write a line at once; a container's output is a pipe, which Python would hold back."""
    print(text, flush=True)


def error(text: str) -> None:
    """Write a line to standard error at once."""
    print(text, file=sys.stderr, flush=True)
