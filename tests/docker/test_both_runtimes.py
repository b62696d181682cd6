"""The same container in both runtimes: the same bytes, from one host and from two."""

import json

import pytest

from images.fixtures import unavailable
from images.layers import ROOT
from localaws.contract import Image, ImageMap
from localaws.runtimes import ProcessRuntime
from tests.docker.conftest import Jobs
from tests.docker.steps import HYPERPARAMETERS, label_first


@pytest.fixture
def images(builder, project) -> ImageMap:
    python = ROOT / ".venvs/train/bin/python"
    if not python.exists():
        unavailable("The train step's environment is missing; `make setup` makes it")
    image = builder.step("train", f"{project}/train")
    return ImageMap((Image("*", ROOT, command=(str(python), "-m", "steps.train"), image=image),))


@pytest.mark.parametrize("hosts", [("algo-1",), ("algo-1", "algo-2")], ids=["one host", "two hosts"])
def test_models_are_the_same_bytes(images, docker, tmp_path, hosts):
    from localaws.runtimes.docker import DockerRuntime

    runtimes = {
        "process": ProcessRuntime(images),
        "docker": DockerRuntime(images, None, tmp_path / "state"),
    }
    models = {name: model(Jobs(runtime, tmp_path / name), hosts) for name, runtime in runtimes.items()}
    assert models["process"] == models["docker"]


def model(jobs: Jobs, hosts: tuple[str, ...]) -> bytes:
    rows = label_first()["train"]
    for number, host in enumerate(hosts):
        root = jobs.root(host)
        for name, content in {
            "hyperparameters": HYPERPARAMETERS,
            "inputdataconfig": {"train": {"ContentType": "text/csv"}},
            "resourceconfig": {"current_host": host, "hosts": list(hosts)},
        }.items():
            file = root / f"input/config/{name}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))
        shard = root / "input/data/train/part.csv"
        shard.parent.mkdir(parents=True)
        shard.write_text("\n".join(rows[number :: len(hosts)]) + "\n")
    handles = [
        jobs.start(None, host, hosts, arguments=("train",), environment={"TRAINING_JOB_NAME": "job"}) for host in hosts
    ]
    try:
        assert [handle.wait() for handle in handles] == [0] * len(hosts), jobs.log
    finally:
        for handle in handles:
            handle.remove()
    return (jobs.root() / "model/xgboost-model").read_bytes()
