import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import docker as sdk
import pytest

from localaws import disk
from localaws.contract import Image, ImageMap
from localaws.jobs import outputs
from localaws.jobs.failure import JobFailed
from localaws.runtimes import CannotRun
from localaws.runtimes.docker import DockerRuntime
from localaws.runtimes.docker.instances import Size

MIB = 1024**2

SITUATION = """
import json, os, pathlib, socket
status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
def writes(path):
    try:
        pathlib.Path(path).write_text("x")
        return True
    except OSError:
        return False
print(json.dumps({
    "user": [os.getuid(), os.getgid(), os.getgroups()],
    "interfaces": [name for _, name in socket.if_nameindex()],
    "capabilities": int(status["CapBnd"], 16) | int(status["CapEff"], 16),
    "no_new_privileges": status["NoNewPrivs"],
    "writes": [path for path in ("/x", "/etc/x", "/usr/x", "/opt/x", "/tmp/x", "/opt/ml/x") if writes(path)],
    "host": socket.gethostname(),
    "address": socket.gethostbyname(socket.gethostname()),
}))
"""

OUTWARD = """
import json, os, socket
def reaches(address):
    try:
        socket.create_connection((address, 443), 2).close()
        return True
    except OSError:
        return False
def knows(name):
    try:
        return bool(socket.gethostbyname(name))
    except OSError:
        return False
print(json.dumps({"reaches": reaches(os.environ["OUTSIDE"]), "knows": knows("pypi.org")}))
"""

SERVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"pong")
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""


def left(client, state) -> list[str]:
    """Containers and networks that a runtime with this state folder has."""
    of = {"label": "localaws.owner"}
    found = [*client.containers.list(all=True, filters=of, ignore_removed=True), *client.networks.list(filters=of)]
    return [
        item.name
        for item in found
        if str(state) in (item.attrs.get("Labels") or item.attrs["Config"]["Labels"])["localaws.owner"]
    ]


@pytest.fixture
def client(docker):
    return sdk.from_env()


def test_a_container_has_no_network_no_rights_and_one_folder(jobs):
    assert jobs.run(SITUATION) == 0
    assert jobs.report() == {
        "user": [10001, 10001, [10001]],
        "interfaces": ["lo"],
        "capabilities": 0,
        "no_new_privileges": "1",
        "writes": ["/tmp/x", "/opt/ml/x"],
        "host": "algo-1",
        "address": "127.0.0.1",
    }


def test_files_go_in_and_come_back(jobs):
    source = jobs.root() / "input/data/train/part.csv"
    source.parent.mkdir(parents=True)
    source.write_text("1,2\n")
    source.chmod(0o600)
    program = """
import os, pathlib, tempfile
text = pathlib.Path("/opt/ml/input/data/train/part.csv").read_text()
folder = pathlib.Path(tempfile.mkdtemp(dir="/opt/ml"))  # which only its user may enter
handle, name = tempfile.mkstemp(dir=folder)
os.write(handle, text.encode() * 2)
"""
    assert jobs.run(program) == 0
    (written,) = (path for path in jobs.root().glob("tmp*/*"))
    assert written.read_text() == "1,2\n1,2\n"


def test_links_come_back_only_where_they_lead_to_the_containers_own_files(jobs, tmp_path):
    program = """
import os
os.makedirs("/opt/ml/model")
open("/opt/ml/own", "w").write("text")
os.symlink("../own", "/opt/ml/model/relative")
os.symlink("/opt/ml/own", "/opt/ml/model/absolute")
os.symlink("/etc/passwd", "/opt/ml/passwd")
os.symlink("..", "/opt/ml/up")
"""
    assert jobs.run(program) == 0
    assert [(jobs.root() / "model" / name).read_text() for name in ("relative", "absolute")] == ["text", "text"]
    for name in ("passwd", "up"):
        assert not (jobs.root() / name).exists()
        assert f"localaws: the link {name} leads out of /opt/ml." in jobs.log


ATTACKS = {
    "a pipe": "os.mkfifo(told)",
    "a link": "os.symlink('/etc/passwd', told)",
    "a link to a device": "os.symlink('/dev/zero', told)",
    "a link of its folder": "os.rmdir('/opt/ml/output'); os.symlink('/etc', '/opt/ml/output')",
    "a socket": "import socket; socket.socket(socket.AF_UNIX).bind(told)",
    "folders without end": "for _ in range(3000): os.mkdir('d'); os.chdir('d')",
    "names that lead astray": "for name in ('.a.tar', '.a.new'): os.symlink('/etc/passwd', name)\nos.chmod('a', 0)",
    "a process that holds its output": "if os.fork() == 0:\n    import time\n    os.setsid()\n    time.sleep(1000)",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_container_leaves_holds_up_nothing_and_tells_nothing(jobs, attack):
    outside = Path("/etc/passwd").read_bytes()
    program = f"""
import os
os.makedirs("/opt/ml/output")
os.makedirs("/opt/ml/model")
os.chdir("/opt/ml/model")
open("a", "w").write("a")
told = "/opt/ml/output/message"
{ATTACKS[attack]}
"""
    assert jobs.run(program) == 0, jobs.log
    root = jobs.root()
    assert outputs.message(root, "output/message", 1024) is None
    if attack in ("folders without end", "names that lead astray"):
        with pytest.raises(JobFailed, match=r"bytes, which no object's key|is a link to something outside of model"):
            outputs.files_below(root / "model", root.parent)
    else:
        assert set(outputs.files_below(root / "model", root.parent)) == {"a"}
    assert Path("/etc/passwd").read_bytes() == outside
    disk.remove(root)
    assert not root.exists()


@pytest.mark.parametrize(("end", "code"), [("sys.exit(3)", 3), ("pass", 0)])
def test_exit_codes(jobs, end, code):
    assert jobs.run(f"import os, sys\n{end}") == code


def test_lines_come_while_the_container_runs_and_all_of_them_before_its_end(jobs):
    handle = jobs.start(
        "import sys, time\nprint('first')\nsys.stderr.write('second\\n')\nopen('/opt/ml/said', 'w')\n"
        "while not __import__('os').path.exists('/opt/ml/heard'): time.sleep(0.01)\n"
        "print('x' * 300_000)\nprint('last', end='')"
    )
    while "first" not in jobs.log or "second" not in jobs.log:
        assert handle.wait(0.01) is None
    (jobs.root() / "heard").write_text("")
    assert handle.wait() == 0
    rest = [line for line in jobs.printed() if line not in ("first", "second")]
    assert [len(line) for line in rest] == [262_144, 300_000 - 262_144, 4]
    assert rest[-1] == "last"


def test_sigterm_lets_a_container_end_in_its_own_way(jobs):
    handle = jobs.start("import signal, sys\nsignal.signal(15, lambda *_: sys.exit(7))\nprint('ready')\nsignal.pause()")
    while "ready" not in jobs.log:
        assert handle.wait(0.01) is None
    handle.stop(60)
    assert handle.wait(0) == 7


def test_sigterm_is_heard_by_a_container_that_has_only_just_started(jobs):
    jobs.start("import signal, sys\nsignal.signal(15, lambda *_: sys.exit(7))\nsignal.pause()").stop(600)
    assert jobs.handles[-1].wait(0) == 7


def test_a_container_that_ignores_sigterm_is_killed_after_the_grace(jobs):
    handle = jobs.start("import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('ready')\nwhile True: signal.pause()")
    while "ready" not in jobs.log:
        assert handle.wait(0.01) is None
    handle.stop(0.2)
    assert handle.wait(0) == 137
    assert not handle.killed_for_memory


def test_too_much_memory_is_reported(docker, builder, tmp_path, jobs):
    images = ImageMap((Image("*", tmp_path, image=builder.base_image),))
    jobs.runtime = DockerRuntime(images, None, tmp_path / "small", Size(1, 64 * MIB))
    handle = jobs.start("held = bytearray(256 * 1024**2)\nfor at in range(0, len(held), 4096): held[at] = 1")
    assert handle.wait() == 137
    assert handle.killed_for_memory
    assert (
        "localaws: ml.t3.medium has 2 CPUs and 4 GiB of memory; "
        "this machine gives the container 1 CPU and 0.0625 GiB of memory." in jobs.log
    )


def test_limits_are_the_instance_types(jobs, client):
    handle = jobs.start("import time; time.sleep(600)", instance_type="ml.t3.medium")
    config = client.containers.get(handle._container.id).attrs["HostConfig"]
    assert config["Memory"] == config["MemorySwap"] <= 4 * 1024 * MIB
    assert config["NanoCpus"] <= 2_000_000_000
    assert config["PidsLimit"] == 1024


def test_too_many_processes_are_refused(jobs):
    program = """
import os, sys, time
for number in range(5000):
    try:
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
    except OSError:
        sys.exit(number < 1100 and 5)
"""
    assert jobs.run(program) == 5


@pytest.fixture(scope="session")
def outside(docker, builder):
    """The environment that tells a container of an address that it reaches if it has a network, if this machine does.

    Where the machine itself is in a closed network, nothing can be told from what a container reaches.
    """
    try:
        report = {"OUTSIDE": socket.gethostbyname("pypi.org")}
    except OSError:
        return {"OUTSIDE": "198.51.100.1"}
    reached = docker.run(
        "run", "--rm", f"--env=OUTSIDE={report['OUTSIDE']}", builder.base_image, "python3", "-c", OUTWARD
    )
    if os.environ.get("CI") == "true":
        assert json.loads(reached)["reaches"]
    return report


def answered(jobs, handle) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        assert handle.wait(0.05) is None, jobs.log
        try:
            return opener.open(f"http://{handle.address}/", timeout=5).read()
        except OSError:
            continue


@pytest.mark.parametrize("ours", [True, False], ids=["by its address", "by a published port"])
def test_a_serving_container_is_reached_from_here_and_reaches_nothing(jobs, runtime, outside, ours):
    # Where the engine's networks aren't this machine's, as with Docker Desktop, the port has to be published.
    runtime._networks.local = runtime._networks.local and ours
    handle = jobs.start(OUTWARD + SERVER, serving=True, environment=outside)
    assert answered(jobs, handle) == b"pong"
    assert handle.address.startswith("127.0.0.1:") != runtime._networks.local
    assert jobs.report() == {"reaches": False, "knows": False}


LISTENER = """
import socket
server = socket.create_server(("", 9000))
server.settimeout(60)
print(server.accept()[0].recv(9))
"""

CALLER = """
import time
for _ in range(600):
    try:
        socket.create_connection(("algo-1", 9000)).send(b"greeting")
        break
    except OSError:
        time.sleep(0.1)
"""


def test_hosts_of_a_job_find_each_other_and_nothing_else(jobs, client, outside, tmp_path):
    hosts = ("algo-1", "algo-2")
    handles = [
        jobs.start(LISTENER, "algo-1", hosts),
        jobs.start(OUTWARD + CALLER, "algo-2", hosts, environment=outside),
    ]
    assert [handle.wait() for handle in handles] == [0, 0]
    assert "b'greeting'" in jobs.log
    assert jobs.report() == {"reaches": False, "knows": False}
    for handle in handles:
        handle.remove()
    assert left(client, tmp_path) == []


def test_nothing_is_left_of_a_container_that_still_ran(jobs, client, tmp_path):
    handle = jobs.start("import time; time.sleep(600)", serving=True)
    assert len(left(client, tmp_path)) == 2
    handle.remove()
    assert left(client, tmp_path) == []
    assert handle.wait(0) == 137


def test_a_program_that_is_not_there_is_reported_and_leaves_nothing(jobs, client, tmp_path):
    with pytest.raises(CannotRun, match=r"can't be started: .*no-such-program"):
        jobs.start(entrypoint=("no-such-program",), serving=True)
    assert left(client, tmp_path) == []


STARTER = """
import pathlib, sys
from localaws import disk
from localaws.contract import Image, ImageMap
from localaws.jobs import outputs
from localaws.jobs.failure import JobFailed
from localaws.runtimes.base import Container
from localaws.runtimes.docker import DockerRuntime
image, folder = sys.argv[1], pathlib.Path(sys.argv[2])
runtime = DockerRuntime(ImageMap((Image("*", folder, image=image),)), None, folder / "state")
runtime.start(Container("1", "job", "algo-1", ("algo-1",), "x", folder / "root", "ml.t3.medium", print,
                        ("python3", "-c", "import time; time.sleep(600)"), serving=True))
print("watchdog", runtime._watchdog._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def starter(builder, tmp_path):
    """A process that started a serving container, and the process that watches it."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, builder.base_image, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    watchdog = next(int(line.split()[1]) for line in process.stdout if line.startswith("watchdog"))
    yield process, watchdog
    process.kill()
    process.wait()


def test_the_watchdog_removes_what_a_killed_localaws_left(starter, client, tmp_path):
    process, _ = starter
    assert len(left(client, tmp_path)) == 2
    process.kill()
    while left(client, tmp_path):
        time.sleep(0.05)


def test_the_next_start_removes_what_is_left_where_the_watchdog_died_too(starter, builder, client, tmp_path):
    process, watchdog = starter
    os.kill(watchdog, signal.SIGKILL)
    process.kill()
    process.wait()
    assert len(left(client, tmp_path)) == 2
    images = ImageMap((Image("*", tmp_path, image=builder.base_image),))
    DockerRuntime(images, None, tmp_path / "other")
    assert len(left(client, tmp_path)) == 2
    DockerRuntime(images, None, tmp_path / "state")
    assert left(client, tmp_path) == []


IN_A_CONTAINER = """
import os, pathlib, shutil, sys, urllib.request
from localaws import disk
from localaws.contract import Image, ImageMap
from localaws.jobs import outputs
from localaws.jobs.failure import JobFailed
from localaws.runtimes.base import Container
from localaws.runtimes.docker import DockerRuntime
image, folder = sys.argv[1], pathlib.Path("/state")
root = folder / "job" / "algo-1"
(root / "output").mkdir(parents=True)
(root / "input").write_text("in")
(root / "input").chmod(0o600)
runtime = DockerRuntime(ImageMap((Image("*", folder, image=image),)), None, folder / "own")
program = '''
import os, pathlib, tempfile
assert os.getuid() == 10001
inner = pathlib.Path(tempfile.mkdtemp(dir="/opt/ml/output"), "a", "b")
inner.mkdir(parents=True, mode=0o700)
handle, _ = tempfile.mkstemp(dir=inner)
os.write(handle, pathlib.Path("/opt/ml/input").read_bytes() * 3)
''' + sys.argv[2]
handle = runtime.start(Container("1", "job", "algo-1", ("algo-1",), "x", root, "ml.t3.medium", print,
                                 ("python3", "-c", program), serving=True))
while handle.wait(0.05) is None:
    try:
        print(urllib.request.urlopen(f"http://{handle.address}/").read())
        break
    except OSError:
        continue
handle.stop(0)
handle.remove()
(written,) = (path for path in root.glob("output/*/a/b/*"))
assert written.read_text() == "ininin", written.read_text()
shutil.rmtree(folder / "job")
print("done as", os.getuid())
"""


@pytest.mark.parametrize("user", [0, 12345])
def test_localaws_may_itself_run_in_a_container_and_as_anybody(docker, builder, user, tmp_path_factory):
    socket_file = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
    packages = Path(sdk.__file__).parent.parent
    state = f"localaws-test-{os.getpid()}-{user}"
    volumes = [f"{socket_file}:/docker.sock", f"{packages}:/packages:ro", f"{Path.cwd()}:/code:ro", f"{state}:/state"]
    try:
        prepare = f"import os; os.chown('/state', {user}, {user})"
        docker.run("run", "--rm", f"--volume={state}:/state", builder.base_image, "python3", "-c", prepare)
        printed = docker.run(
            *("run", "--rm", f"--user={user}:{user}", f"--group-add={socket_file.stat().st_gid}"),
            *(f"--volume={volume}" for volume in volumes),
            *("--env=DOCKER_HOST=unix:///docker.sock", "--env=PYTHONPATH=/code:/packages"),
            *(builder.base_image, "python3", "-c", IN_A_CONTAINER, builder.base_image, SERVER),
        )
        assert "b'pong'" in printed
        assert f"done as {user}" in printed
    finally:
        docker.run("volume", "rm", "--force", state)
