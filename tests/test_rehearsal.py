"""How `make run` and `make up` begin and end, whatever happens in between."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from localaws import process
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

    monkeypatch.setattr(rehearsal.stages, "play", play)
    assert rehearsal.main(["run"]) == 1
    mine = state / "runs" / str(os.getpid())
    assert capsys.readouterr().err.splitlines() == [
        f"What localaws said is in {mine}/localaws.log, until the next run.",
        "An act went wrong.",
    ]
    assert mine.is_dir()
    monkeypatch.setattr(rehearsal.stages, "play", lambda folder, *_: folder.mkdir())
    assert rehearsal.main(["run"]) == 0
    assert list((state / "runs").iterdir()) == []


def test_another_run_that_goes_on_is_left_alone(state, monkeypatch):
    others = state / "runs" / str(os.getppid())
    others.mkdir(parents=True)
    monkeypatch.setattr(rehearsal.stages, "play", lambda *_: None)
    assert rehearsal.main(["run"]) == 0
    assert others.is_dir()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_reported_to_end_leaves_nothing(tmp_path, number, code):
    program = (
        "import pathlib, sys; from rehearsal import __main__ as rehearsal; "
        f"rehearsal.STATE = pathlib.Path({str(tmp_path)!r}); sys.exit(rehearsal.main(['run']))"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # What a shell runs in the background ignores SIGINT, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    said = [next(line for line in running.stdout if "localaws answers on" in line)]
    assert list((tmp_path / "runs").iterdir())
    running.send_signal(number)
    said += running.stdout
    assert running.wait() == code, "".join(said)
    assert list((tmp_path / "runs").iterdir()) == []


class TestUp:
    @pytest.fixture
    def port(self, state, monkeypatch):
        """A free port; what `up` changes in this process is undone, and what it left running is stopped."""
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            monkeypatch.setenv(name, "nobody-configured-it")
        monkeypatch.chdir(ROOT)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        yield port
        for folder in state.glob("up-*"):
            with contextlib.suppress(process.NotRunning):
                process.stop(folder)

    def test_the_lines_come_when_everything_is_there_and_then_the_next_command(self, port, monkeypatch, capsys):
        monkeypatch.setattr(rehearsal.Life, "begin", lambda _: print("nothing yet:", capsys.readouterr().out + "."))
        assert rehearsal.main(["up", "--port", str(port)]) == 0
        said = capsys.readouterr()
        assert said.out.splitlines()[:2] == ["nothing yet: .", f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}"]
        assert said.err == f"Next: {rehearsal.NEXT}\nThe end: make down PORT={port}\n"

        assert rehearsal.main(["up", "--port", str(port)]) == 1
        assert capsys.readouterr().err == (
            f"The accounts run already, on http://127.0.0.1:{port}; `make down PORT={port}` stops them.\n"
        )

    def test_accounts_that_can_not_be_filled_are_stopped(self, port, state, monkeypatch, capsys):
        def begin(_):
            raise WentWrong("An act went wrong.")

        monkeypatch.setattr(rehearsal.Life, "begin", begin)
        assert rehearsal.main(["up", "--port", str(port)]) == 1
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", "An act went wrong.\n")
        with pytest.raises(process.NotRunning):
            process.running(state / f"up-{port}")
