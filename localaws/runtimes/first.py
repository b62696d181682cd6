"""The first process of a container: it starts the container's program and hears its end, which ends everything.

Run on its own, with a pipe as standard input, it knows nothing but Python's own library, and of that only what takes
no time to import: each job waits for it. The pipe first says what to start (see `packed`); a line `stop` hands SIGTERM
to the program, and to it alone; the pipe's end, which comes when localaws is killed too, kills all. In a process
namespace the kernel ends with this process whatever it held. Elsewhere this process looks for its descendants: on
Linux all of them stay its own, on other systems those that it has seen.
"""

# `signal` itself, which only gives these names, takes longer than Python's own start.
import _signal as signal
import os
import select
import sys
import time

KILLED = 128 + signal.SIGKILL
NEVER_BEGAN = 125
CANT_BE_RUN = 126
LOOK = 0.5
"""Seconds between two looks at the descendants where they can get lost."""

PATIENCE = 5.0
"""Seconds for which killed processes are waited for."""

ENDS_WITH_PARENT, SUBREAPER = 1, 36
"""Options of Linux's prctl."""

LINUX = sys.platform.startswith("linux")


def main():
    """Run what standard input says; the exit code, 128 + n after signal n."""
    size = b""
    while not size.endswith(b"\n"):
        # Byte by byte, so that nothing that follows is read as well.
        if not (byte := os.read(0, 1)):
            return NEVER_BEGAN
        size += byte
    given = b""
    while len(given) < int(size):
        if not (piece := os.read(0, int(size) - len(given))):
            return NEVER_BEGAN
        given += piece
    alone = os.getpid() == 1
    if LINUX and not alone:
        _prctl(SUBREAPER, 1)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    program = _start(given.split(b"\0"), alone)
    seen = {}
    code = _until_end(program, woken, lambda: None if LINUX else seen.update(_descendants()))
    if not alone:
        _end_descendants(program, seen)
    return code


def packed(folder, arguments, environment):
    """What to start, as the pipe says it: its size, and parts with zero bytes between. Raises ValueError."""
    parts = [folder, str(len(arguments)), *arguments, *(f"{name}={value}" for name, value in environment.items())]
    if any("\0" in part for part in parts):
        raise ValueError("zero byte")
    content = b"\0".join(os.fsencode(part) for part in parts)
    return b"%d\n%s" % (len(content), content)


def _prctl(option, value):
    import ctypes

    return ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _start(given, alone):
    """Start the program in a session of its own; its process id."""
    if program := os.fork():
        return program
    folder, count, *parts = given
    arguments, environment = parts[: int(count)], dict(part.split(b"=", 1) for part in parts[int(count) :])
    try:
        os.setsid()
        if LINUX and not alone:
            _prctl(ENDS_WITH_PARENT, signal.SIGKILL)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        os.execvpe(arguments[0], arguments, environment)
    except OSError as error:
        print(f"localaws: {os.fsdecode(arguments[0])} can't be started: {error.strerror}.", file=sys.stderr, flush=True)
    finally:
        os._exit(CANT_BE_RUN)


def _until_end(program, woken, look):
    """Wait for the program, or for the pipe's end; the exit code."""
    while True:
        ready = select.select([0, woken], [], [], None if LINUX else LOOK)[0]
        look()
        if woken in ready:
            os.read(woken, 4096)
            for ended, status in _reaped():
                if ended == program:
                    code = os.waitstatus_to_exitcode(status)
                    return 128 - code if code < 0 else code
        if 0 in ready:
            if not (asked := os.read(0, 4096)):
                _kill(os.kill, program, signal.SIGKILL)
                return KILLED
            if b"stop" in asked:
                _kill(os.kill, program, signal.SIGTERM)


def _reaped():
    """Processes that have ended, with their status."""
    try:
        while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            yield found
    except ChildProcessError:
        return


def _kill(how, whom, number):
    try:
        how(whom, number)
    except OSError:
        return


def _end_descendants(program, seen):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        running = processes()
        left = _descendants(running) | {
            pid: began for pid, began in seen.items() if running.get(pid, (0, 0))[1] == began
        }
        for pid in left:
            _kill(os.kill, pid, signal.SIGKILL)
        _kill(os.killpg, program, signal.SIGKILL)
        for _ in _reaped():
            pass
        if not left:
            return
        time.sleep(0.01)


def _descendants(running=None):
    """When each process below this one began, by its id."""
    running = running or processes()
    found, size = {os.getpid(): 0}, 0
    while size < len(found):
        size = len(found)
        found |= {pid: began for pid, (parent, began) in running.items() if parent in found and pid not in found}
    del found[os.getpid()]
    return found


def processes():
    """Parent and time of beginning of each process, by its id."""
    if not LINUX:
        return by_ps()
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"{entry.path}/stat", "rb") as file:  # noqa: PTH123 - see above
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            found[int(entry.name)] = int(fields[1]), fields[19]
    return found


def by_ps():
    """The same from the command that every system has."""
    import subprocess

    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,lstart="], capture_output=True, text=True, check=False)
    lines = (line.split(None, 2) for line in listed.stdout.splitlines())
    return {int(pid): (int(parent), began) for pid, parent, began in lines}


if __name__ == "__main__":
    sys.exit(main())
