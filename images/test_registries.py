import http.server
import json
import os
import shutil
import signal
import threading
import time

import pytest

from images import registries
from images.engine import NotBuilt
from images.fixtures import unavailable
from images.registries import Registry


@pytest.fixture
def registry(tmp_path):
    if not os.environ.get("REGISTRY_SERVER") and not shutil.which("docker-registry"):
        unavailable("No registry program is installed; .ci/docker up installs Debian's docker-registry")
    found = Registry(tmp_path / "111111111111")
    yield found
    found.stop()


def test_starts_once_and_is_found_again(registry):
    address = registry.start()
    assert address.startswith("127.0.0.1:")
    assert registry.start() == address
    assert Registry(registry.folder).address() == address


def test_stops(registry):
    registry.start()
    registry.stop()
    assert registry.address() is None
    registry.stop()


def test_starts_again_after_it_was_killed(registry):
    registry.start()
    os.kill(json.loads((registry.folder / "running.json").read_text())["pid"], signal.SIGKILL)
    while registry.address():
        time.sleep(0.01)
    assert registry.start()


def test_does_not_take_another_server_on_its_port_for_its_own(registry):
    registry.start()
    registry.stop()
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        state = {"address": f"127.0.0.1:{stranger.server_port}", "word": "ours", "pid": os.getpid()}
        (registry.folder / "running.json").write_text(json.dumps(state))
        assert registry.address() is None
        registry.stop()  # And this process, which has the number that was written down, lives on.
        stranger.shutdown()


def test_says_which_setting_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setenv("REGISTRY_SERVER", "/nowhere/registry")
    with pytest.raises(NotBuilt, match=r"/nowhere/registry can't be started .*; set REGISTRY_SERVER"):
        Registry(tmp_path).start()


def test_a_map_that_is_not_json_is_named(tmp_path, monkeypatch):
    file = tmp_path / "registries.json"
    monkeypatch.setenv("BATON_REGISTRIES", str(file))
    assert registries.endpoints() == {}
    file.write_text("{")
    with pytest.raises(NotBuilt, match=r"registries.json is not JSON"):
        registries.endpoints()
