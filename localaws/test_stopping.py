"""localaws ends when it is told to, whatever its clients and its own parts do."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from localaws import process
from localaws.conftest import Server, signed

KEY = "111111111111"
HANGS = 240
"""Seconds after which a stop counts as none."""


@contextlib.contextmanager
def connected(address, lines, body=b""):
    """A connection on which a request has been sent, and nothing is read."""
    host, port = urlsplit(address).netloc.split(":")
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((host, int(port)))
        head = "".join(f"{name}: {value}\r\n" for name, value in signed("s3", KEY).items())
        line.sendall(f"{lines}\r\nHost: localhost\r\n{head}\r\n".encode() + body)
        yield line


@pytest.mark.parametrize("told", ["SIGTERM", "SIGINT", "end of input"])
def test_clients_that_do_not_read_or_write_on_do_not_keep_it(tmp_path, told):
    server = Server(tmp_path)
    account = server.account(KEY)
    account.bucket("large")
    account.client("s3").put_object(Bucket="large", Key="a", Body=bytes(32 << 20))
    with contextlib.ExitStack() as stack:
        for lines, body in (
            ("GET /large/a HTTP/1.1", b""),
            ("GET /large/a HTTP/1.1", b""),
            ("PUT /large/b HTTP/1.1\r\nContent-Length: 1000", b"not all of it"),
            ("POST / HTTP/1.1\r\nX-Amz-Target: SageMaker.ListModels\r\nContent-Length: 1000", b"{"),
            ("POST /large?delete HTTP/1.1\r\nTransfer-Encoding: chunked", b"5\r\nabc"),
        ):
            stack.enter_context(connected(server.address, lines, body))
        time.sleep(0.5)
        began = time.monotonic()
        if told == "end of input":
            server.process.stdin.close()
        else:
            os.kill(server.process.pid, getattr(signal, told))
        server.process.wait(HANGS)
        assert time.monotonic() - began < HANGS
    server.start()
    assert server.account(KEY).client("s3").head_object(Bucket="large", Key="a")["ContentLength"] == 32 << 20
    server.close()


WEDGED = """
import time
from localaws import __main__, application, process
process.LAST_RESORT_SECONDS = 1
application.Application.close = lambda self: time.sleep(3600)
__main__.main()
"""


def test_a_part_that_never_ends_does_not_keep_it(tmp_path):
    command = [sys.executable, "-c", WEDGED, "serve", "--state", str(tmp_path), "--port", "0"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert b"localaws answers on" in running.stdout.readline()
    running.terminate()
    _, said = running.communicate(timeout=HANGS)
    assert running.returncode == 1
    assert b"localaws did not stop within 1 s, and ends now." in said
    assert not (tmp_path / process.RUNNING).exists()


def test_the_last_resort_comes_before_down_gives_up():
    assert process.LAST_RESORT_SECONDS < process.STOP_SECONDS
