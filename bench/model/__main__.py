"""Scores the same rows with infer and its peers: `python -m bench.model [--runs N] [--rows N] [--json FILE]`.

All servers run at once and are asked in turn, so that the machine's moods meet all of them. Two tables: the example's
rows, which repeat, and rows whose age has twelve decimals, of which no two are equal.
"""

import argparse
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PYTHON = str(ROOT / ".venvs/infer/bin/python")
UV = str(ROOT / ".tools/bin/uv")
PACKAGES = [
    "mlflow<4", "xgboost-cpu<3.3", "pandas<3", "polars<2", "pyarrow", "uvicorn", "gunicorn", "flask",
]  # fmt: skip
PAYLOAD, CLIENTS, SINGLE = 5_000_000, 2, 100
"""Bytes of a payload, connections that send at once, single rows a run."""

PLAIN, PANDAS, MLFLOW = "uvicorn + PyArrow", "gunicorn, 2 x pandas", "mlflow models serve"
KINDS = {"that repeat": 0, "that don't": 12}
"""Kinds of rows, and the decimals of their second column."""

NAMES = "bi_rads,age,shape,margin,density"
SEED = 20_071_101

TRAIN = """
import sys, numpy, xgboost
rows = numpy.genfromtxt(sys.argv[1], delimiter=",")
chance = numpy.random.default_rng(1)
labels = rows[:, 0] * 10 + rows[:, 1] + rows[:, 3] * 5 + chance.normal(0, 20, len(rows)) > 95
matrix = xgboost.DMatrix(rows, label=labels)
settings = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.1}
xgboost.train(settings, matrix, 158).save_model(sys.argv[2])
"""


def table(size: int, decimals: int, chance: random.Random) -> str:
    """Return rows of about so many bytes, one cell in fifty missing."""
    lines, length = [], 0
    while length < size:
        cells = [
            chance.randint(1, 5),
            f"{chance.uniform(18, 96):.{decimals}f}",
            *(chance.randint(1, 4) for _ in range(3)),
        ]
        lines.append(",".join("" if chance.random() < 0.02 else str(cell) for cell in cells))
        length += len(lines[-1]) + 1
    return "\n".join(lines) + "\n"


class Server:
    """A contender that answers over HTTP."""

    def __init__(self, command: Sequence[str], port: int, environment: Mapping[str, str], head: str = "") -> None:
        self.port, self.head = port, head
        given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**given, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while not self._up():
            if self.process.poll() is not None:
                raise RuntimeError(f"{command}: ended with {self.process.returncode}")
            time.sleep(0.02)
        self.start = time.monotonic() - began

    def _up(self) -> bool:
        try:
            return self._ask(http.client.HTTPConnection("127.0.0.1", self.port), "GET", "/ping") is not None
        except OSError:
            return False

    def _ask(self, connection: http.client.HTTPConnection, method: str, path: str, body: str = "") -> bytes:
        connection.request(method, path, (self.head + body).encode() if body else None, {"Content-Type": "text/csv"})
        answer = connection.getresponse()
        content = answer.read()
        if body and answer.status != 200:
            raise RuntimeError(f"{answer.status}: {content[:200]!r}")
        return content

    def rows_per_second(self, payload: str, times: int) -> float:
        """Return the rate of several clients that send a payload over and over."""

        def client(_: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            for _ in range(times):
                self._ask(connection, "POST", "/invocations", payload)
            connection.close()

        began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(client, range(CLIENTS)))
        return payload.count("\n") * CLIENTS * times / (time.monotonic() - began)

    def latency(self, rows: Sequence[str]) -> float:
        """Return the median of milliseconds that a single row takes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        found = []
        for row in rows:
            began = time.perf_counter()
            self._ask(connection, "POST", "/invocations", row + "\n")
            found.append(time.perf_counter() - began)
        connection.close()
        return statistics.median(found) * 1000

    def memory(self) -> float:
        """Return megabytes of the server's processes, what they share counted once."""
        found, waiting = 0.0, [self.process.pid]
        while waiting:
            process = waiting.pop()
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                found += int(line.split()[1]) / 1024 if line.startswith("Pss:") else 0
            for thread in Path(f"/proc/{process}/task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        return found

    def end(self) -> None:
        """End the server."""
        os.killpg(self.process.pid, signal.SIGTERM)  # MLflow starts another, and leaves it.
        self.process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lay_out(folder: Path) -> None:
    """Write the model, as the train step leaves it."""
    place = folder / "ml/model"
    place.mkdir(parents=True)
    (folder / "train.csv").write_text(table(100_000, 0, random.Random(SEED)))
    subprocess.run([PYTHON, "-c", TRAIN, folder / "train.csv", folder / "model.ubj"], check=True)
    content = (folder / "model.ubj").read_bytes()
    (place / "xgboost-model").write_bytes(content)
    (place / "schema.json").write_bytes((ROOT / "steps/common/schema.json").read_bytes())
    (place / "metadata.json").write_text(json.dumps({"model_sha256": hashlib.sha256(content).hexdigest()}))


def seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return how long a process takes."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.monotonic()
    subprocess.run(command, cwd=ROOT, env={**given, **environment}, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def interleaved(contenders: Mapping[str, Callable[[], float]], runs: int) -> dict[str, list[float]]:
    """Return each contender's figures of so many runs in turn, after one that doesn't count."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for run in range(runs + 1):
        for name, measure in contenders.items():
            figure = measure()
            if run:
                found[name].append(figure)
    return found


def told(title: str, unit: str, found: Mapping[str, list[float]], digits: int = 2) -> None:
    """Print medians, spread and the ratio to infer, the median of the runs' own."""
    print(f"{title}, {unit}: median (least to most), beside infer")
    for name, figures in found.items():
        of_runs = zip(found["infer"], figures, strict=True)
        ratio = statistics.median(mine / other for mine, other in of_runs)
        spread = f"{min(figures):.{digits}f} to {max(figures):.{digits}f}"
        print(f"  {name:24} {statistics.median(figures):8.{digits}f}  ({spread})  infer {ratio:.2f} x", flush=True)


def commands(name: str, peers: str, ports: Sequence[int]) -> dict[str, tuple[list[str], dict[str, str], str]]:
    """Return each server's command, its variables and the line that stands before its rows."""
    python, port = f"{peers}/bin/python", [str(port) for port in ports]
    mlflow = ["mlflow", "models", "serve", "--env-manager", "local", "-m", f"{name}/mlflow", "-p", port[3]]
    mine, others = environments(name, peers)
    return {
        "infer": ([PYTHON, "-m", "steps.infer", "serve"], {**mine, "SAGEMAKER_BIND_TO_PORT": port[0]}, ""),
        PLAIN: ([python, "-m", "uvicorn", "--log-level", "error", "--port", port[1], "peers:plain"], others, ""),
        PANDAS: (
            [python, "-m", "gunicorn", "-w", "2", "--timeout", "600", "-b", f"127.0.0.1:{port[2]}", "peers:pandas()"],
            others,
            "",
        ),
        MLFLOW: ([python, "-m", *mlflow], others, NAMES + "\n"),
    }


def environments(name: str, peers: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables of infer and of the others."""
    path = f"{peers}/bin:{os.environ['PATH']}"
    here = {"BENCH_FOLDER": name, "PYTHONPATH": str(Path(__file__).parent), "PATH": path}
    here["MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"] = "600"
    return {"SAGEMAKER_BASE_DIR": f"{name}/ml", "PYTHONPATH": str(ROOT)}, here


def over_http(name: str, peers: str, runs: int, payloads: int) -> dict[str, dict[str, list[float]]]:
    """Measure payloads and single rows."""
    chance, found = random.Random(SEED + 1), {}
    ports = [free_port() for _ in range(4)]
    with ExitStack() as stack:
        servers = {}
        for (title, of), port in zip(commands(name, peers, ports).items(), ports, strict=True):
            servers[title] = Server(of[0], port, of[1], of[2])
            stack.callback(servers[title].end)
        for title, decimals in KINDS.items():
            payload = table(PAYLOAD, decimals, chance)
            rates = {
                name: partial(server.rows_per_second, payload, 1 if name == MLFLOW else payloads)
                for name, server in servers.items()
            }
            found[title] = interleaved(rates, runs)
            told(f"5 MB payloads, rows {title}", "rows/s", found[title], 0)
        single = table(20 * SINGLE, 0, chance).splitlines()[:SINGLE]
        found["single"] = interleaved({name: partial(server.latency, single) for name, server in servers.items()}, runs)
        told("A single row", "ms at the median", found["single"])
        for title, server in servers.items():
            print(f"  {title:24} starts in {server.start:.1f} s, holds {server.memory():.0f} MB")
    return found


def file_to_file(name: str, peers: str, runs: int, rows: int) -> dict[str, dict[str, list[float]]]:
    """Measure a file of rows."""
    chance, found = random.Random(SEED + 2), {}
    mine, others = environments(name, peers)
    for title, decimals in KINDS.items():
        part = table(5_000_000, decimals, chance)
        with Path(f"{name}/rows.csv").open("w") as stream:
            for _ in range(max(rows // part.count("\n"), 1)):
                stream.write(part)
        infer = [PYTHON, "-m", "steps.infer", "score", f"{name}/rows.csv", f"{name}/infer.csv"]
        contenders = {
            "infer": partial(seconds, infer, mine),
            "Polars streaming": partial(seconds, [f"{peers}/bin/python", "-m", "peers", "polars"], others),
        }
        found[f"file, {title}"] = interleaved(contenders, runs)
        told(f"{rows / 1e6:g} million rows {title}, file to file", "s", found[f"file, {title}"])
    return found


def main() -> int:
    """Measure every contender and print a table for each question."""
    parser = argparse.ArgumentParser(prog="python -m bench.model", description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--payloads", type=int, default=3, help="that each of two clients sends in a run")
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the file")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    peers = os.environ.get("BENCH_ENVIRONMENT") or str(ROOT / ".baton/bench/model")
    if not Path(peers).exists():
        subprocess.run([UV, "venv", "--quiet", "--python", PYTHON, peers], check=True)
        subprocess.run([UV, "pip", "install", "--quiet", "--python", f"{peers}/bin/python", *PACKAGES], check=True)
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as name:
        lay_out(Path(name))
        seconds([f"{peers}/bin/python", "-m", "peers", "save"], environments(name, peers)[1])
        found = over_http(name, peers, arguments.runs, arguments.payloads) | file_to_file(
            name, peers, arguments.runs, arguments.rows
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
