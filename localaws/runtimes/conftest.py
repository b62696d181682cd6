"""Containers of the process runtime, started for real."""

import os
import sys

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
    from localaws.runtimes import private_root

    if not private_root.available():
        message = "this system lets nobody make a mount namespace (unshare -Urm), so there is no private /opt/ml"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
