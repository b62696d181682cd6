"""How a job's process ends."""

import os
import sys
from typing import NoReturn


def end(code: int) -> NoReturn:
    """End the process with an exit code, at once.

    Everything is written by now. What the interpreter would tidy up dies with the process anyway, and takes it longer
    than a small table takes to be read: 30 to 40 ms with numpy and an engine loaded.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
