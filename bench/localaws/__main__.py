"""Measures and prints: `make bench/localaws`. Seconds belong to this machine; the ratios are what counts."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import boto3

from bench.localaws import ACCOUNT, BUCKET, IMAGES
from images.build import Builder
from images.compose import BROUGHT, ENVIRONMENT
from images.engine import Engine, NotBuilt, require

ROOT = Path(__file__).parent.parent.parent
PROGRAM = Path(__file__).with_name("program.py")
RESULT = ROOT / ".baton/bench/localaws.json"
PEER = "SDK v2, local mode"
CONTENDERS = {
    PEER: ("local", "process"),
    "localaws, docker runtime": ("localaws", "docker"),
    "localaws, process runtime": ("localaws", "process"),
}
"""What is compared: who runs the pipeline, and the runtime of the localaws that serves it, or only its S3."""


def main() -> int:
    """Measure everything; return 1 after one sentence if something can't be."""
    parser = argparse.ArgumentParser(prog="python -m bench.localaws", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="measured runs of each pipeline (7)")
    parser.add_argument("--fan", type=int, default=10, help="steps of the fan-out (10)")
    options = parser.parse_args()
    try:
        engine = require()
        build(engine)
        with tempfile.TemporaryDirectory(prefix="bench-localaws-") as folder, serving(Path(folder)) as addresses:
            environments = {
                name: client_environment(Path(folder), engine, addresses[runtime])
                for name, (_, runtime) in CONTENDERS.items()
            }
            measured = {
                "alone": floors(engine, options.runs),
                "chain": pipeline("chain", len(IMAGES), options.runs, environments),
                "fan": pipeline("fan", options.fan, options.runs, environments),
            }
    except NotBuilt as error:
        print(error, file=sys.stderr)
        return 1
    tidy(engine)
    report(measured, options.fan)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(measured, indent=1) + "\n")
    return 0


def build(engine: Engine) -> None:
    """Build the trivial images: a Python and the program."""
    lines = (
        f"FROM {Builder.of_settings(engine).base_image}",
        "COPY program.py /",
        "WORKDIR /",
        'ENTRYPOINT ["python3", "program.py"]',
    )
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, content in (("Dockerfile", "\n".join(lines).encode()), ("program.py", PROGRAM.read_bytes())):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    for name in IMAGES:
        engine.run("build", "--quiet", f"--tag={name}", "-", stdin=context.getvalue())


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[dict[str, str]]:
    """Run a localaws with each runtime; give their addresses."""
    entry = {"directory": str(PROGRAM.parent), "command": [sys.executable, PROGRAM.name]}
    images = [{"pattern": name, "image": name, **entry} for name in IMAGES]
    (folder / "images.json").write_text(json.dumps({"images": images}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    with contextlib.ExitStack() as stack:
        addresses = {}
        for runtime in ("process", "docker"):
            options = [f"--runtime={runtime}", f"--state={folder / runtime}", f"--images={folder / 'images.json'}"]
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "localaws", "serve", "--port=0", "--until-closed", *options],
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stack.enter_context((folder / f"{runtime}.log").open("wb")),
                )
            )
            stack.callback(process.stdin.close)
            line = process.stdout.readline().decode()
            if not line:
                raise NotBuilt(f"localaws did not start: {(folder / f'{runtime}.log').read_text().strip()}")
            addresses[runtime] = line.split()[-1]
            fill(addresses[runtime])
        yield addresses


def fill(address: str) -> None:
    """Make the bucket with the file that the first steps read, and the role that jobs run under."""
    clients = boto3.Session(ACCOUNT, "local", region_name="us-east-1")
    storage = clients.client("s3", endpoint_url=address)
    storage.create_bucket(Bucket=BUCKET)
    storage.put_object(Bucket=BUCKET, Key="lines/lines.txt", Body=b"start\n")
    roles = clients.client("iam", endpoint_url=address)
    trusted = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": ["s3:*", "sagemaker:*", "iam:PassRole"], "Resource": "*"}
    roles.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps({"Statement": [trusted]}))
    roles.put_role_policy(RoleName="bench", PolicyName="own", PolicyDocument=json.dumps({"Statement": [allowed]}))


def client_environment(folder: Path, engine: Engine, address: str) -> dict[str, str]:
    """Variables of a client: the address, an account, and `docker` and `docker-compose` as the SDK looks for them."""
    compose = next(iter(ENVIRONMENT.glob(BROUGHT)), None)
    if compose is None:
        raise NotBuilt("The SDK's local mode needs Docker Compose; `make setup/images` installs it")
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, target in (("docker", engine.command), ("docker-compose", compose)):
        if not (programs / name).exists():
            (programs / name).symlink_to(target)
    kept = {name: value for name, value in engine.environment.items() if not name.startswith(("AWS_", "PYTHON"))}
    return kept | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def pipeline(shape: str, steps: int, runs: int, environments: dict[str, dict[str, str]]) -> dict[str, list[float]]:
    """Run the pipeline with all contenders in turn, so that what else the machine does meets all of them.

    Returns the seconds of each run; a first one, which fills caches, isn't counted.
    """
    taken: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    with contextlib.ExitStack() as stack:
        clients, said = {}, {name: stack.enter_context(tempfile.TemporaryFile("w+")) for name in CONTENDERS}
        for name, (mode, _) in CONTENDERS.items():
            command = [ROOT / ".venvs/sdk/bin/python", "-m", "bench.localaws.client", mode, shape, str(steps)]
            clients[name] = stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=environments[name],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said[name],
                    text=True,
                )
            )
        for _ in range(runs + 1):
            for name, client in clients.items():
                client.stdin.write("run\n")
                client.stdin.flush()
                line = next((line for line in client.stdout if line.startswith("seconds=")), None)
                if line is None:
                    said[name].seek(0)
                    raise NotBuilt(f"{name}: the pipeline did not succeed. {said[name].read()[-2000:].strip()}")
                taken[name].append(float(line.removeprefix("seconds=")))
    return {name: seconds[1:] for name, seconds in taken.items()}


def floors(engine: Engine, runs: int) -> dict[str, list[float]]:
    """Seconds of the same program by `docker run` and as a process: the least that a step can take there."""
    docker = [engine.command, "run", "--rm", "--network=none"]
    taken: dict[str, list[float]] = {"docker": [], "process": []}
    with tempfile.TemporaryDirectory(prefix="bench-localaws-") as folder:
        given = Path(folder) / "processing/input/lines.txt"
        given.parent.mkdir(parents=True)
        given.write_text("start\n")
        commands = {
            "docker": [*docker, f"--volume={folder}:/opt/ml", IMAGES[0], "step"],
            "process": [sys.executable, str(PROGRAM), "step"],
        }
        for _ in range(runs + 1):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, env=engine.environment | {"SAGEMAKER_BASE_DIR": folder}, check=True)
                taken[name].append(time.perf_counter() - began)
    return {name: seconds[1:] for name, seconds in taken.items()}


def tidy(engine: Engine) -> None:
    """Remove the stopped containers and the network that the SDK's local mode leaves."""
    for name in IMAGES:
        if left := engine.run("ps", "--all", "--quiet", f"--filter=ancestor={name}").split():
            engine.run("rm", "--force", *left)
    with contextlib.suppress(NotBuilt):
        engine.run("network", "rm", "sagemaker-local")


def report(measured: dict, fan: int) -> None:
    """Print the medians; a step's overhead is what it takes beyond its program alone, by `docker run` or a process."""
    floor = {name: median(seconds) for name, seconds in measured["alone"].items()}
    print(f"The program alone: {floor['docker']:.2f} s by `docker run`, {floor['process']:.2f} s as a process.")
    steps, runs = len(IMAGES), len(measured["chain"][PEER])
    print(f"\nSteps after each other ({steps}), seconds, median of {runs} runs:")
    print(f"{'':28}{'pipeline':>9}{'to peer':>9}{'overhead of a step':>20}{'to peer':>9}")
    walls = {name: median(seconds) for name, seconds in measured["chain"].items()}
    overheads = {
        name: wall / steps - floor["process" if "process" in name else "docker"] for name, wall in walls.items()
    }
    for name, wall in walls.items():
        print(f"  {name:26}{wall:9.2f}{wall / walls[PEER]:7.2f} ×", end="")
        print(f"{overheads[name]:20.2f}{overheads[name] / overheads[PEER]:7.2f} ×")
    print(f"\nSteps that need not wait for each other ({fan}), seconds, median of {runs} runs:")
    print(f"{'':28}{'pipeline':>9}{'to peer':>9}")
    walls = {name: median(seconds) for name, seconds in measured["fan"].items()}
    for name, wall in walls.items():
        print(f"  {name:26}{wall:9.2f}{wall / walls[PEER]:7.2f} ×")


if __name__ == "__main__":
    sys.exit(main())
