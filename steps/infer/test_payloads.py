"""Payloads of every kind, size and ill behaviour over a real port."""

import gzip
import http.client
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xgboost

from steps.common.schema import Schema
from steps.infer.answers import BLOCK
from steps.infer.conftest import csv, lay_out, patients
from steps.infer.test_server import Server

LINES = "application/jsonlines"
ROW = b"5,67,3,5,3\n"
NAMES = Schema.read().names


@pytest.fixture(scope="module")
def server(tmp_path_factory, trained) -> Iterator[Server]:
    running = Server(lay_out(tmp_path_factory.mktemp("ml"), trained).parent)
    yield running
    said = running.end()  # Nothing that a client does is told as a failure of the step.
    assert not any(word in said for word in ("Traceback", "Error", "defect")), said


def raw(server: Server, request: bytes) -> bytes:
    """Send bytes as they are; return what comes back until the end."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while part := connection.recv(1 << 16):
            found += part
        return found


def head(length: object, *more: str) -> bytes:
    lines = [
        "POST /invocations HTTP/1.1",
        "Host: localhost",
        "Content-Type: text/csv",
        f"Content-Length: {length}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def objects(rows: list[list[float]]) -> str:
    """The rows as JSON lines; what is missing is null, or no member."""
    found = []
    for place, row in enumerate(rows):
        line = {name: None if cell != cell else cell for name, cell in zip(NAMES, row, strict=True)}
        found.append(json.dumps({name: cell for name, cell in line.items() if cell is not None or place % 2}))
    return "\n".join(found) + "\n"


def test_json_lines_are_the_same_rows(server):
    rows = patients(3000, 8)
    status, kind, body = server.ask("POST", "/invocations", objects(rows), Content_Type=LINES, Accept="text/csv;q=1")
    assert (status, kind) == (200, "text/csv")
    assert body == server.score(csv(rows))[2]


def test_many_blocks_of_rows_that_do_not_repeat(tmp_path, trained):
    chance = np.random.default_rng(3)
    rows = np.column_stack(
        [chance.integers(1, 6, 150_000), chance.uniform(18, 96, 150_000), *chance.integers(1, 5, (3, 150_000))]
    )
    text = "".join(f"{a:.0f},{b:.12f},{c:.0f},{d:.0f},{e:.0f}\n" for a, b, c, d, e in rows.tolist())
    assert len(text) > 2 * BLOCK
    server = Server(lay_out(tmp_path, trained).parent)
    status, _, body = server.score(text)
    expected = xgboost.Booster(model_file=bytearray(trained)).inplace_predict(rows.astype(np.float32))
    assert status == 200
    assert np.allclose(np.array(body.split(), float), expected, rtol=1e-6)
    assert server.end() == ""


def test_rejected_rows_of_many_blocks_are_named_in_order(tmp_path, trained):
    server = Server(lay_out(tmp_path, trained).parent)
    count, wrong = 3 * BLOCK // len(ROW), [5, 100_000, 200_000, 250_000]
    lines = [ROW.decode()] * count
    for row in wrong:
        lines[row - 1] = f"5,x{row},3,5,3\n"
    status, _, body = server.score("".join(lines), LINES)
    answers = [json.loads(line) for line in body.splitlines()]
    assert (status, len(answers)) == (200, count)
    assert [answer["row"] for answer in answers] == list(range(1, count + 1))
    assert [answer["row"] for answer in answers if "error" in answer] == wrong
    assert server.end().splitlines() == [
        f"row {row} of the payload rejected: column age: not a number." for row in wrong
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("5,67,3,5,3", "not readable as JSON"),
        ("[5,67,3,5,3]", 'an array, where one object a line is expected, such as {"bi_rads": …, "age": …}'),
        ('{"bi_rads": "five"}', "column bi_rads: not a number"),
        ('{"bi_rads": [5], "age": 5}', "column bi_rads: holds nested values"),
        ('{"age": NaN}', "NaN isn't JSON; write null where a value is missing"),
        ('{"age": 5, "age": 6}', "key age occurs twice"),
        ('{"age": 1e999}', "column age: not a number"),
        ('{"age": 1' + "0" * 400 + "}", "column age: not a number"),
        ('{"agee": 5}', "1 member that no column has"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "holds nested values"),
    ],
)
def test_objects_that_cannot_be_scored_are_named(tmp_path, trained, line, said):
    from steps.infer.scoring import Model

    scores = Model(lay_out(tmp_path, trained)).score_objects(["{}", line])
    assert [(reject.row, reject.reason) for reject in scores.rejected] == [(2, said)]


def test_a_client_that_hangs_up_is_no_failure(server):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head(10_000_000) + ROW * 1000)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        body = ROW * (6_000_000 // len(ROW))
        connection.sendall(head(len(body)) + body)
        connection.recv(1)
    assert server.ask("GET", "/ping")[0] == 200
    assert server.score(ROW)[0] == 200


def test_lengths_that_are_wrong(server):
    assert raw(server, head(len(ROW) * 2) + ROW) == b""
    assert raw(server, head(len(ROW)) + ROW * 2).startswith(b"HTTP/1.1 200 OK")
    for length in ("-1", "many", "1, 2"):
        assert raw(server, head(length) + ROW).startswith(b"HTTP/1.1 400 ")
    assert b" 413 " in raw(server, head((100 << 20) + 1) + ROW).splitlines()[0]
    assert server.score(ROW)[0] == 200


def test_packed_payloads_are_refused(server):
    status, _, said = server.ask("POST", "/invocations", gzip.compress(ROW), Content_Encoding="gzip")
    assert (status, said) == (415, "Content-Encoding: this model takes payloads as they are.\n")


def test_slow_payloads_keep_nobody_waiting(server):
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    for connection in slow:
        connection.sendall(head(1000) + b"5")
    assert server.score(ROW)[0] == 200
    for connection in slow:
        connection.close()


def test_a_line_without_end_is_a_row_that_cannot_be(tmp_path, trained):
    server = Server(lay_out(tmp_path, trained).parent)
    status, _, body = server.score(ROW + b"5,67,3,5,3" + b" " * (3 * BLOCK) + b"\n" + ROW)
    first, second, third = body.splitlines()
    assert (status, second, first) == (200, "nan", third)
    assert server.end().startswith("row 2 of the payload rejected: ")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_the_largest_payload_fits_into_a_small_container(tmp_path, trained):
    server = Server(lay_out(tmp_path, trained).parent)
    body = ROW * ((100 << 20) // len(ROW))
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/invocations", body, {"Content-Type": "text/csv"})
    answer, rows, highest = connection.getresponse(), 0, 0
    while part := answer.read(8 << 20):
        rows += part.count(b"\n")
        highest = max(highest, memory(server.process.pid))
    assert rows == body.count(b"\n")
    assert 100 << 20 < highest < 512 << 20
    server.end()


def test_rows_of_nothing_are_many_rows(server):
    status, _, body = server.score(ROW + b"\n" * (BLOCK + 10))
    assert (status, body.count("\n"), body.count("nan\n")) == (200, BLOCK + 11, BLOCK + 10)


def memory(process: int) -> int:
    """Return the bytes that a process and its children hold, what they share counted once."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    lines = [line for of in (process, *children) for line in Path(f"/proc/{of}/smaps_rollup").read_text().splitlines()]
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
