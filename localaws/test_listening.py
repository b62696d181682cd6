from pathlib import Path

import pytest

from localaws import settings
from localaws.settings import Settings, WrongSetting


def test_outside_of_a_container_only_loopback_will_do(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "IN_A_CONTAINER", (str(tmp_path / "mark"),))
    assert Settings.read({}).host == "127.0.0.1"
    with pytest.raises(WrongSetting, match=r"host 0.0.0.0: outside of a container localaws listens on loopback only"):
        Settings.read({}, {"LOCALAWS_HOST": "0.0.0.0"})
    Path(tmp_path, "mark").touch()
    assert Settings.read({}, {"LOCALAWS_HOST": "0.0.0.0"}).host == "0.0.0.0"


def test_a_host_is_an_address():
    with pytest.raises(WrongSetting, match="host localhost: not an IP address"):
        Settings.read({}, {"LOCALAWS_HOST": "localhost"})
