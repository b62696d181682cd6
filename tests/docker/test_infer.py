import shutil
import urllib.error
import urllib.request

import pytest

from data import make
from tests.docker.steps import NOBODY, ROOT_USER, Step

BATCH = make.derive(make.read_table())["batches/clean.csv"]
PORT = ("--publish=127.0.0.1::8080",)


@pytest.fixture
def infer(step, model) -> Step:
    infer = step("infer")
    shutil.copytree(model, infer.root / "model")
    return infer


def ask(address: str, path: str, body: str | None = None) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"http://{address}{path}", body and body.encode(), {"Content-Type": "text/csv"})
    try:
        with opener.open(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def ready(docker, infer: Step, name: str) -> str:
    """Where a container answers, once it does."""
    address = docker.run("port", name, "8080/tcp").split()[0]
    while True:
        assert docker.run("ps", "--quiet", f"--filter=name={name}"), infer.said(name)
        try:
            if ask(address, "/ping")[0] == 200:
                return address
        except OSError:
            continue


@pytest.mark.parametrize("user", [NOBODY, ROOT_USER])
def test_serves_probabilities_on_a_loopback_port(docker, infer, user):
    body = "".join(",".join(row) + "\n" for row in BATCH)
    with infer.running("serve", options=PORT, user=user) as name:
        address = ready(docker, infer, name)
        assert address.startswith("127.0.0.1:")
        status, answer = ask(address, "/invocations", body)
        assert status == 200
        assert '"MaxPayloadInMB"' in ask(address, "/execution-parameters")[1]
    assert [0 < float(line) < 1 for line in answer.splitlines()] == [True] * len(BATCH)


def test_ends_on_sigterm(docker, infer):
    with infer.running("serve", options=PORT) as name:
        ready(docker, infer, name)
        docker.run("kill", "--signal=TERM", name)
        assert docker.run("wait", name).strip() in ("0", "143")


def test_a_damaged_model_is_reported_and_never_served(infer):
    file = infer.root / "model/xgboost-model"
    file.write_bytes(file.read_bytes()[:100])
    ended = infer.run("serve")
    assert ended.code == 1
    assert "model archive: xgboost-model is truncated" in ended.printed
