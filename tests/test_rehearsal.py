"""How `make run` and `make up` begin and end, whatever happens in between."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal import __main__ as rehearsal
from rehearsal.life import WentWrong

ROOT = Path(__file__).parent.parent


@pytest.fixture
def state(monkeypatch, tmp_path):
    """The folder that stands where .baton would be."""
    monkeypatch.setattr(rehearsal, "STATE", tmp_path)
    return tmp_path


def ended() -> int:
    """The id of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_a_run_that_fails_names_its_log_and_the_next_removes_it(state, monkeypatch, capsys):
    left = state / "runs" / str(ended())
    left.mkdir(parents=True)

    def play(folder, *_):
        assert not left.exists()
        folder.mkdir(parents=True)
        raise WentWrong("An act went wrong.")

    monkeypatch.setattr(rehearsal.acts, "play", play)
    assert rehearsal.main(["run"]) == 1
    mine = state / "runs" / str(os.getpid())
    assert capsys.readouterr().err.splitlines() == [
        f"What localaws said is in {mine}/localaws.log, until the next run.",
        "An act went wrong.",
    ]
    assert mine.is_dir()
    monkeypatch.setattr(rehearsal.acts, "play", lambda folder, *_: folder.mkdir())
    assert rehearsal.main(["run"]) == 0
    assert list((state / "runs").iterdir()) == []


def test_another_run_that_goes_on_is_left_alone(state, monkeypatch):
    others = state / "runs" / str(os.getppid())
    others.mkdir(parents=True)
    monkeypatch.setattr(rehearsal.acts, "play", lambda *_: None)
    assert rehearsal.main(["run"]) == 0
    assert others.is_dir()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_told_to_end_leaves_nothing(tmp_path, number, code):
    program = (
        "import pathlib, sys; from rehearsal import __main__ as rehearsal; "
        f"rehearsal.STATE = pathlib.Path({str(tmp_path)!r}); sys.exit(rehearsal.main(['run']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = [next(line for line in process.stdout if "localaws answers on" in line)]
    assert list((tmp_path / "runs").iterdir())
    process.send_signal(number)
    said += process.stdout
    assert process.wait() == code, "".join(said)
    assert list((tmp_path / "runs").iterdir()) == []
