"""The container: SageMaker's hosting contract over a real port."""

import http.client
import importlib.util
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from steps.common.test_job import ROOT, Job
from steps.infer.conftest import csv, lay_out, patients

JSON, HTML = {"Content_Type": "application/json"}, {"Accept": "text/html"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running container, and a client of it."""

    def __init__(self, root: Path) -> None:
        self.port = free_port()
        self.process = Job(root).start("infer", "serve", SAGEMAKER_BIND_TO_PORT=str(self.port))
        assert self.process.stdout.readline() == f"Serving on port {self.port}.\n"

    def ask(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> tuple[int, str, str]:
        """Return status, content type and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = answer.status, answer.headers.get("content-type", ""), answer.read().decode()
        connection.close()
        return found

    def score(self, body: bytes | str, accept: str = "text/csv") -> tuple[int, str, str]:
        return self.ask("POST", "/invocations", body, Content_Type="text/csv", Accept=accept)

    def end(self) -> str:
        """Stop it; return what it logged."""
        self.process.terminate()
        return self.process.communicate()[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory, trained) -> Iterator[Server]:
    running = Server(lay_out(tmp_path_factory.mktemp("ml"), trained).parent)
    yield running
    running.end()


def test_ping_and_execution_parameters(server):
    assert server.ask("GET", "/ping")[::2] == (200, "")
    status, _, body = server.ask("GET", "/execution-parameters")
    said = json.loads(body)
    assert status == 200
    assert set(said) == {"MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB"}
    assert (said["BatchStrategy"], said["MaxPayloadInMB"]) == ("MULTI_RECORD", 6)
    assert 1 <= said["MaxConcurrentTransforms"] <= 4


def test_answers_come_as_csv_or_as_json_lines(server):
    rows = patients(48, 3)
    status, kind, body = server.score(csv(rows))
    assert (status, kind.split(";")[0]) == (200, "text/csv")
    probabilities = body.splitlines()
    assert len(probabilities) == 48 and all(0 < float(probability) < 1 for probability in probabilities)
    status, kind, body = server.score(csv(rows), "application/jsonlines")
    assert (status, kind) == (200, "application/jsonlines")
    lines = [json.loads(line) for line in body.splitlines()]
    assert lines == [{"row": row, "probability": float(text)} for row, text in enumerate(probabilities, 1)]
    assert server.score(csv(rows), "*/*")[2].splitlines() == probabilities
    assert server.score(b"\xef\xbb\xbf" + csv(rows).encode())[2].splitlines() == probabilities


def test_rejected_rows_are_named_in_answer_and_log_without_their_values(archive):
    server = Server(archive.parent)
    status, _, body = server.score("5,67,3,5,3\nsecret,1,1,1,1\n" + "5\n" * 40, "application/jsonlines")
    lines = body.splitlines()
    assert (status, len(lines)) == (200, 42)
    assert lines[1] == '{"row": 2, "error": "column bi_rads: not a number"}'
    log = server.end().splitlines()
    assert log[0] == "row 2 of the payload rejected: column bi_rads: not a number."
    assert log[-1] == "41 rows of the payload rejected in all." and len(log) == 21
    assert "secret" not in "".join(log)


def test_requests_side_by_side_keep_apart(server):
    batches = [csv(patients(200 + number, number)) for number in range(12)]
    alone = [server.score(batch)[2] for batch in batches]
    assert len(set(alone)) == len(batches)
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda batch: server.score(batch)[2], batches * 3))
    assert together == alone * 3


def test_the_largest_payload_of_a_batch_transform(server):
    rows = patients(1000, 5)
    text = csv(rows)
    times = 6 * (1 << 20) // len(text)
    status, _, body = server.score(text * times)
    lines = body.splitlines()
    assert (status, len(lines)) == (200, 1000 * times)
    assert lines == server.score(text)[2].splitlines() * times


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "said"),
    [
        ("POST", "/invocations", "", {}, 400, "The payload has no row.\n"),
        ("POST", "/invocations", "\n \n", {}, 400, "The payload has no row.\n"),
        ("POST", "/invocations", b"5,67\xff", {}, 400, "The payload isn't UTF-8 text at byte 4.\n"),
        (
            "POST",
            "/invocations",
            "{}",
            JSON,
            415,
            "Content-Type: this model takes text/csv or application/jsonlines.\n",
        ),
        ("POST", "/invocations", "5", HTML, 406, "Accept: this model gives text/csv or application/jsonlines.\n"),
        ("GET", "/invocations", None, {}, 405, "Method Not Allowed"),
        ("GET", "/nowhere", None, {}, 404, "Not Found"),
    ],
)
def test_what_cannot_be_answered_is_refused(server, method, path, body, headers, status, said):
    assert server.ask(method, path, body, **headers)[::2] == (status, said)
    assert server.ask("GET", "/ping")[0] == 200


def test_a_payload_beyond_all_measure_is_not_kept(server):
    def endless() -> Iterator[bytes]:
        for _ in range(101):
            yield b"5,67,3,5,3\n" * 95326

    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    with suppress(OSError):  # The server hangs up while we still send.
        connection.request("POST", "/invocations", endless(), {"Content-Type": "text/csv"}, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (413, b"The payload is larger than 100 MB.\n")
    connection.close()


def test_sigterm_ends_it_after_the_answer(archive):
    server = Server(archive.parent)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        body = csv(patients(1000, 6)).encode()
        head = f"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Content-Type: text/csv\r\nExpect: 100-continue\r\n\r\n".encode())
        # Now the request is under way.
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        server.process.terminate()
        connection.sendall(body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.read().count(b"\n")) == (200, 1000)
    assert server.process.communicate()[0] == ""
    assert server.process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("name", ["xgboost-model", "schema.json"])
def test_a_truncated_archive_does_not_start(archive, name):
    file = archive / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    code, output = Job(archive.parent).run("infer", "serve", SAGEMAKER_BIND_TO_PORT=str(free_port()))
    assert code == 1
    assert output.startswith("model archive: ") and output.count("\n") == 1 and name in output


def test_settings_that_cannot_be(archive):
    job = Job(archive.parent)
    assert job.run("infer", "train") == (1, "argument train: this image only knows `serve` and `score`.\n")
    for port in ("eighty", "0", "65536"):
        code, output = job.run("infer", "serve", SAGEMAKER_BIND_TO_PORT=port)
        assert (code, output) == (1, "SAGEMAKER_BIND_TO_PORT: not a port number.\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, output = job.run("infer", "serve", SAGEMAKER_BIND_TO_PORT=port)
    assert (code, output) == (1, f"port {port}: Address already in use.\n")


def test_a_start_is_quick():
    # Beside them, importing XGBoost takes several times as long.
    assert [name for name in ("pandas", "sklearn") if importlib.util.find_spec(name)] == []
    program = "import sys, steps.infer.__main__; print({'numpy', 'xgboost', 'uvicorn'} & set(sys.modules))"
    cheap = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert cheap.stdout == "set()\n"
