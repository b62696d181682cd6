"""The process runtime: real processes, with what a container has."""

import json
import os
import signal
import sys
import textwrap
import threading
import urllib.request
from pathlib import Path

import pytest

from localaws.contract import ImageMap
from localaws.runtimes import CannotRun, Container, ProcessRuntime
from localaws.runtimes.conftest import alive, until

pytestmark = pytest.mark.usefixtures("processes")


def test_output_is_logged_by_line_before_the_end_is_known(run):
    handle = run.start("import sys; print('one'); print('two', file=sys.stderr); sys.stdout.write('three'); exit(7)")
    assert handle.wait() == 7
    assert run.lines == ["one", "two", "three"]


def test_output_that_isnt_text_or_has_no_end_is_logged_too(run):
    handle = run.start("import os; os.write(1, b'\\xff\\n' + b'x' * 300_000)")
    assert handle.wait() == 0
    assert run.lines[0] == "\ufffd"
    assert [len(line) for line in run.lines[1:]] == [262_144, 300_000 - 262_144]


def test_waiting_may_end_before_the_container_does(run):
    handle = run.start("import time; time.sleep(10000)")
    assert handle.wait(0.01) is None


def test_a_signal_gives_the_code_that_a_container_has(run):
    assert run.start("import os; os.kill(os.getpid(), 9)").wait() == 137


def test_sigterm_reaches_the_first_process_alone_as_in_a_container(run):
    handle = run.start("""
import signal, subprocess, sys, time
def stop(*_):
    child.communicate(b"goodbye")
    print("parent ends")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
child = subprocess.Popen([sys.executable, "-u", "-c", '''
import signal, sys, time
signal.signal(signal.SIGTERM, lambda number, _: print("child hears it"))
for line in sys.stdin:
    print("child is told", line.strip())
'''], stdin=subprocess.PIPE)
print("ready")
while True:
    time.sleep(0.05)
""")
    until(lambda: "ready" in run.lines)
    handle.stop(grace=60)
    assert handle.wait() == 0
    assert run.lines == ["ready", "child is told goodbye", "parent ends"]


def test_a_container_that_ignores_sigterm_is_killed_after_the_grace(run):
    handle = run.start("import signal, time; signal.signal(15, signal.SIG_IGN); print('ready'); time.sleep(10000)")
    until(lambda: run.lines)
    handle.stop(grace=0.1)
    assert handle.wait() == 137


def test_removing_ends_a_container_and_may_be_repeated(run):
    handle = run.start("import time; time.sleep(10000)")
    handle.remove()
    assert handle.wait() == 137
    handle.remove()
    handle.stop(grace=1)


def test_a_container_sees_nothing_of_our_environment(run, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret of ours")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("LC_CTYPE", "C.UTF-8")
    run.start(
        "import json, os; print(json.dumps(dict(os.environ)))",
        settings={"environment": {"MAP": "map", "BOTH": "map"}},
        environment={"BOTH": "job", "JOB": "job"},
    ).wait()
    environment = json.loads(run.lines[0])
    assert (environment.pop("MAP"), environment.pop("BOTH"), environment.pop("JOB")) == ("map", "job", "job")
    scratch = run.folder / "algo-1.process"
    assert environment.pop("HOME") == str(scratch / "home")
    assert environment.pop("TMPDIR") == str(scratch / "tmp")
    assert environment.pop("SAGEMAKER_BASE_DIR") == str(run.root)
    assert environment.pop("PYTHONPATH") == str(run.folder)
    allowed = {"PATH", "LANG", "LANGUAGE", "TZ", "PWD", "SHLVL", "_", "OLDPWD", "AWS_EC2_METADATA_DISABLED"}
    allowed |= {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"}
    assert {name for name in environment if not name.startswith("LC_")} <= allowed
    assert environment["LC_CTYPE"] == "C.UTF-8"


def test_a_container_has_no_input_and_a_session_of_its_own(run):
    run.start("import os, sys; print(repr(sys.stdin.read()), os.getsid(0) == os.getpid())").wait()
    assert run.lines == ["'' True"]


def test_a_container_runs_in_folders_of_its_own(run, tmp_path):
    """Two at once that write what they find nothing of there, and neither writes into the image's directory."""
    program = """
import os, pathlib, time
for folder in (os.getcwd(), os.environ["HOME"], os.environ["TMPDIR"]):
    assert os.listdir(folder) == [], folder
    pathlib.Path(folder, "written").touch()
print(os.getcwd())
"""
    before = sorted(run.folder.iterdir())
    for host in ("algo-1", "algo-2"):
        (tmp_path / "roots" / host).mkdir(parents=True)
    handles = [run.start(program, root=tmp_path / "roots" / host) for host in ("algo-1", "algo-2")]
    assert [handle.wait() for handle in handles] == [0, 0], run.lines
    assert len(set(run.lines)) == 2
    assert set(run.folder.iterdir()) - set(before) == {run.root, tmp_path / "roots"}


def test_a_directory_is_where_modules_and_files_of_the_command_are_found(run):
    (run.folder / "module.py").write_text("def main(): print('module')\nif __name__ == '__main__': main()")
    (run.folder / "program.py").write_text("import module; module.main()")
    (run.folder / "run.sh").write_text("echo shell")
    for command in (("python3", "-m", "module"), ("python3", "-u", "program.py"), ("sh", "run.sh")):
        assert run.start(settings={"command": command}).wait() == 0
    program = "import module; module.main()"
    assert run.start(program, environment={"PYTHONPATH": "/nowhere"}).wait() == 0
    assert run.lines == ["module", "module", "shell", "module"]


def test_words_that_look_like_files_may_be_none(run):
    (run.folder / "x").touch()
    run.start(settings={"command": ("echo", "-m", "x", "y", "z" * 10_000)}, arguments=("x",)).wait()
    assert run.lines == [f"-m x y {'z' * 10_000} x"]


def test_variables_that_lead_programs_astray_lead_only_the_program_astray(run):
    handle = run.start(environment={"PATH": "/nowhere", "PYTHONHOME": "/nowhere", "LD_PRELOAD": "/nowhere/x.so"})
    assert handle.wait() == 1
    assert "No module named 'encodings'" in run.lines[-1] or "encodings" in "".join(run.lines)


def test_what_no_process_can_be_given_is_refused_by_name(run):
    for more in ({"environment": {"A": "\0"}}, {"arguments": ("\0",)}):
        with pytest.raises(CannotRun, match="a variable or argument holds a zero byte"):
            run.start(**more)


def test_python3_of_an_entry_point_is_the_images_own(run):
    bin = Path(sys.executable).parent
    run.start(settings={"command": (sys.executable,)}, entrypoint=("python3", "-c", "import sys; print(sys.prefix)"))
    run.handles[-1].wait()
    assert run.lines == [str(bin.parent)]


def test_serving_containers_get_ports_of_their_own(run):
    program = textwrap.dedent("""
        import http.server, os
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200); self.end_headers(); self.wfile.write(b"pong")
        print("listening")
        http.server.HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
    """)
    first, second = run.start(program, serving=True), run.start(program, serving=True)
    assert first.address != second.address
    for handle in (first, second):

        def answered(handle=handle):
            try:
                return urllib.request.urlopen(f"http://{handle.address}/ping").read() == b"pong"
            except OSError:
                return False

        until(answered)


def test_an_image_that_isnt_mapped_is_named(run):
    with pytest.raises(CannotRun, match="The image other/name:1 isn't mapped to anything on this machine"):
        run.start("", image="other/name:1")


def test_an_image_without_a_command_is_named(run):
    with pytest.raises(CannotRun, match="The image map's entry for image has no command for the process runtime"):
        run.start(settings={"command": ()})


def test_a_command_that_is_missing_is_named(run):
    with pytest.raises(CannotRun, match=r"The image image can't run: its command .*/none/python isn't there"):
        run.start(settings={"command": ("none/python",)})


def test_a_folder_that_is_missing_is_named(run, tmp_path):
    missing = tmp_path / "missing"
    runtime = ProcessRuntime(ImageMap.load(_map(tmp_path, missing)))
    run.root.mkdir(parents=True)
    with pytest.raises(CannotRun, match=f"The image image can't run in {missing}: No such file or directory"):
        runtime.start(Container("1", "job", "algo-1", ("algo-1",), "image", run.root, "ml.m5.large", run.lines.append))


def _map(folder, missing):
    file = folder / "images.json"
    file.write_text(json.dumps({"images": [{"pattern": "*", "directory": str(missing), "command": [sys.executable]}]}))
    return file


def test_many_containers_at_once_keep_their_output_apart(run):
    outputs = {}

    def one(number):
        lines = outputs[number] = []
        run.start(f"for _ in range(100): print({number})", log=lines.append).wait()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == {number: [str(number)] * 100 for number in range(10)}


def test_sigkill_of_a_container_leaves_its_handle_usable(run, mark):
    handle = run.start(f"import time  # {mark}\ntime.sleep(10000)")
    until(lambda: alive(mark))
    os.kill(alive(mark)[0], signal.SIGKILL)
    assert handle.wait() == 137
    assert not handle.killed_for_memory
