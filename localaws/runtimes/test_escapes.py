"""Programs that try to outlive their container, or to look out of it."""

import os
import subprocess
import sys
import textwrap
import time

import pytest

from localaws.runtimes import first, namespaces
from localaws.runtimes.conftest import alive, until

pytestmark = pytest.mark.usefixtures("processes")

BEGINNING = """
import os, subprocess, sys, time
from subprocess import DEVNULL
name, sleeps = {mark!r}[::-1], "import time; time.sleep(10000)"
child = [sys.executable, "-c", sleeps + "  # " + name]
"""
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(child[0], child)
    os._exit(0)
"""
DEAF = """
child[2] = "import signal; [signal.signal(number, signal.SIG_IGN) for number in (1, 2, 3, 15)]; " + child[2]
subprocess.Popen(["sh", "-c", 'setsid "$@" & setsid "$@" &', "sh", *child])
"""
RESTLESS = """
child[2] = "import os, time  # " + name + "\\nwhile True:\\n time.sleep(0.001)\\n if os.fork(): os._exit(0)"
subprocess.Popen(child, start_new_session=True)
"""
ESCAPES = {
    "a child": "subprocess.Popen(child)",
    "a child without output": "subprocess.Popen(child, stdout=DEVNULL, stderr=DEVNULL)",
    "a child of another session": "subprocess.Popen(child, start_new_session=True)",
    "a child of another group": "subprocess.Popen(child, preexec_fn=os.setpgrp)",
    "a daemon": DAEMON,
    "daemons that ignore every signal": DEAF,
    "a daemon with an empty environment": "subprocess.Popen(child, start_new_session=True, env={}, cwd='/')",
    "a child that stands still": "os.kill(subprocess.Popen(child, start_new_session=True).pid, 19)",
    "a process that goes on in another one": RESTLESS,
}


def program(mark, escape, then):
    return BEGINNING.format(mark=mark) + ESCAPES[escape] + "\n" + textwrap.dedent(then)


WAITS = "print('ready', flush=True)\ntime.sleep(10000)"
ENDS = """
while not os.path.exists(os.environ["SAGEMAKER_BASE_DIR"] + "/go"):
    time.sleep(0.02)
print("ends", flush=True)
sys.exit(3)
"""


@pytest.mark.parametrize("escape", ESCAPES)
def test_nothing_outlives_a_program_that_ends(run, mark, escape):
    handle = run.start(program(mark, escape, ENDS))
    until(lambda: alive(mark[::-1]))
    (run.root / "go").touch()
    assert handle.wait(60) == 3
    assert run.lines == ["ends"]
    assert not alive(mark[::-1])


@pytest.mark.parametrize("escape", ["a daemon", "a child of another session"])
def test_nothing_outlives_a_program_that_is_stopped(run, mark, escape):
    handle = run.start(program(mark, escape, WAITS))
    until(lambda: run.lines and alive(mark[::-1]))
    handle.stop(grace=0.1)
    assert handle.wait(60) is not None
    assert not alive(mark[::-1])


def test_nothing_outlives_a_container_that_is_removed(run, mark):
    handle = run.start(program(mark, "a daemon", WAITS))
    until(lambda: run.lines and alive(mark[::-1]))
    handle.remove()
    assert handle.wait() == 137
    assert not alive(mark[::-1])


PARENT = """
import sys, time
from pathlib import Path
from localaws.contract import Image, ImageMap
from localaws.runtimes import Container, ProcessRuntime, namespaces

if sys.argv[2] == "the machine's processes":
    namespaces.own_processes = lambda: False
folder = Path(sys.argv[1])
root = folder / "algo-1"
root.mkdir()
images = ImageMap((Image("image", folder, (sys.executable, "-u", "-c", sys.argv[3])),))
log = lambda line: print(line, flush=True)
ProcessRuntime(images).start(Container("1", "job", "algo-1", ("algo-1",), "image", root, "ml.m5.large", log))
time.sleep(10000)
"""


def test_when_we_are_killed_no_container_stays(tmp_path, mark, processes):
    inner = program(mark, "a daemon", WAITS)
    command = [sys.executable, "-c", PARENT, str(tmp_path), processes, inner]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "ready\n"
        until(lambda: alive(mark[::-1]))
        parent.kill()
    until(lambda: not alive(mark[::-1]))


def test_a_container_that_we_didnt_let_go_never_begins():
    """Killed between starting a process and saying what it is, localaws closes the pipe at which it waits."""
    for said in (b"", b"1", b"5\n1234"):
        done = subprocess.run(namespaces.FIRST, input=said, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (first.NEVER_BEGAN, b"")


def test_signals_to_its_own_group_reach_nobody_else(run):
    handle = run.start("import os, signal; print('ends', flush=True); os.kill(0, signal.SIGKILL)")
    assert handle.wait(60) == 137
    assert run.lines == ["ends"]


def test_killing_all_that_it_may_ends_nobody_else(run, processes):
    if processes != "own processes":
        pytest.skip("without a namespace these are all processes of the user's")
    handle = run.start("""
import os
assert b"first.py" in open("/proc/1/cmdline", "rb").read()
for victim in (-1, 1):
    try:
        os.kill(victim, 9)
    except OSError:
        pass
print("ends")
""")
    assert handle.wait(60) == 0
    assert run.lines == ["ends"]


SEARCH = """
import os
seen = 0
for name in filter(str.isdigit, os.listdir("/proc")):
    try:
        seen += b"A_KEY_OF_OURS" in open(f"/proc/{name}/environ", "rb").read()
    except OSError:
        pass
print(seen)
"""


@pytest.fixture
def secret(monkeypatch):
    """A process of ours with a secret in its environment."""
    with subprocess.Popen(["sleep", "10000"], env={**os.environ, "A_KEY_OF_OURS": "secret"}) as process:
        yield process
        process.kill()


REVEAL = {
    "reads": "",
    "uncovers the machine's": "import subprocess; subprocess.run(['umount', '-l', '/proc'])\n",
    "mounts it anew": (
        "import subprocess, sys, tempfile\n"
        "subprocess.run(['unshare', '-Urm', 'sh', '-c', 'umount -l /proc; ls /proc'], capture_output=True)\n"
    ),
    "enters another's": "import subprocess; subprocess.run(['nsenter', '-t', '1', '-p', '-m', 'true'])\n",
}


@pytest.mark.parametrize("way", REVEAL)
def test_a_program_cant_read_environments_of_others(run, secret, processes, way):
    alone = processes == "own processes"
    if not alone and way != "reads":
        pytest.skip("without a process namespace nothing is hidden from the user's own processes")
    assert run.start(REVEAL[way] + SEARCH).wait() == 0
    assert (run.lines[-1] == "0") is alone


def test_a_namespace_gives_no_powers(run, processes):
    if processes != "own processes":
        pytest.skip("there is none")
    run.start("print([line for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapBnd', 'NoNew'))])")
    assert run.handles[-1].wait() == 0
    assert run.lines == [str(["CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n", "NoNewPrivs:\t1\n"])]


def test_a_pipe_that_leaked_out_of_a_container_holds_up_nothing(run, monkeypatch, tmp_path):
    """A process that isn't the container's may have its output open: handed over by a socket, or by a name."""
    from localaws.runtimes import process

    monkeypatch.setattr(process, "DRAINS", 1.0)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    handle = run.start(f"import os; os.open({str(fifo)!r}, os.O_RDONLY); print('ends', flush=True)")
    # The very pipe, opened by its name below the machine's /proc while the first process holds it.
    held = os.open(f"/proc/{handle._process.pid}/fd/1", os.O_WRONLY)
    os.close(os.open(fifo, os.O_WRONLY))
    began = time.monotonic()
    assert handle.wait(60) == 0
    assert run.lines == ["ends"] and time.monotonic() - began < 30
    os.close(held)


def test_both_lists_of_processes_agree():
    listed, by_ps = first.processes(), first.by_ps()
    parents = {pid: parent for pid, (parent, _) in listed.items() if pid in by_ps}
    assert parents and parents == {pid: by_ps[pid][0] for pid in parents}
