"""Containers of the process runtime, started for real."""

import os
import subprocess
import sys
import time

import pytest

from localaws.contract import Image, ImageMap
from localaws.runtimes import Container, ProcessRuntime


class Run:
    """Starts containers of image `image`; `lines` are what they printed."""

    def __init__(self, folder):
        self.folder, self.lines, self.handles = folder, [], []
        self.root = folder / "algo-1"

    def start(self, program="", *, settings=(), **more):
        """Start a Python program, or what `settings` of the image map's entry say."""
        self.root.mkdir(parents=True, exist_ok=True)
        settings = {"command": (sys.executable, "-u", "-c", program), **dict(settings)}
        images = ImageMap((Image("image", self.folder, **settings),))
        container = {
            "account": "111111111111",
            "job": "job",
            "host": "algo-1",
            "hosts": ("algo-1",),
            "image": "image",
            "root": self.root,
            "instance_type": "ml.m5.large",
            "log": self.lines.append,
            **more,
        }
        handle = ProcessRuntime(images).start(Container(**container))
        self.handles.append(handle)
        return handle


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path)
    yield run
    for handle in run.handles:
        handle.remove()


@pytest.fixture
def only_where_ml_can_be_private():
    """Skip where this system has no mount namespaces; in CI that's a failure."""
    from localaws.runtimes import namespaces

    if not namespaces.own_root():
        message = "this system lets nobody make a mount namespace (unshare -Urm), so there is no private /opt/ml"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)


@pytest.fixture(params=["own processes", "the machine's processes"])
def processes(request, monkeypatch):
    """Each test where the system has process namespaces, and as where it hasn't."""
    from localaws.runtimes import namespaces

    if request.param == "the machine's processes":
        monkeypatch.setattr(namespaces, "own_processes", lambda: False)
    elif not namespaces.own_processes():
        message = "this system lets nobody make a process namespace (unshare -p --mount-proc)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    return request.param


@pytest.fixture
def mark(tmp_path):
    """What a test's processes have in their command, and no others."""
    return f"mark-{os.getpid()}-{tmp_path.name}"


def alive(mark):
    """The processes that have the mark in their command; the numbers that a container knows mean nothing out here."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True)
    lines = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [int(pid) for pid, stat, *args in lines if stat[0] != "Z" and mark in "".join(args)]


def until(condition):
    """Wait for something to be so."""
    while not condition():
        time.sleep(0.02)
