"""How the project's commands end: with 0, with one sentence and 1, or interrupted."""

from __future__ import annotations

import argparse
import signal
import sys


class NotPossible(Exception):
    """What was asked for can't be done; the message says why."""


class Renamed(argparse.Action):
    """An option that has an older spelling, its last: that is accepted for one release, with a sentence."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        """Take the value, whatever the option was called."""
        if option_string == self.option_strings[-1]:
            print(f"{option_string} is {self.option_strings[0]} now, and goes with the next release.", file=sys.stderr)
        setattr(namespace, self.dest, values)


def run_command(options: argparse.Namespace, known: tuple[type[Exception], ...], tidy: bool = False) -> int:
    """Run the command that was parsed (`options.run`); return its exit code.

    Args:
        options: what the command gets.
        known: errors whose message is a sentence for people: it goes to standard error, and 1 is returned.
        tidy: whether the command gives back what it holds when it is told to end (SIGTERM).
    """
    if tidy:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return options.run(options) or 0
    except known as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1
