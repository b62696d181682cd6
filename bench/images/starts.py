"""How long a container needs to begin, and how much the docker runtime adds to a bare `docker run`."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from images.build import Builder
from images.engine import Engine, NotBuilt
from localaws.contract import Image, ImageMap
from localaws.runtimes.base import Container
from localaws.runtimes.docker import DockerRuntime
from tests.docker.steps import Step, archive, fill_training, label_first, labelled_csv

JOBS = ("preprocess", "train", "evaluate", "monitor")
"""Steps whose containers end by themselves."""

ARGUMENTS = {"train": ("train",), "infer": ("serve",)}
ENVIRONMENT = {"monitor": {"dataset_format": '{"csv": {"header": false}}'}}


def first_lines(builder: Builder, images: dict[str, str], folder: Path, repeats: int) -> dict[str, float]:
    """Return median seconds from `docker run` to the first line of each step's container, and to the end of `true`."""
    steps = _prepared(builder.engine, images, folder / "starts")
    tasks = {step: _to_first_line(steps[step]) for step in images}
    tasks["true"] = _timed(builder.engine, "run", "--rm", "--network=none", "--read-only", builder.build_image, "true")
    return _medians(tasks, repeats)


def runtime(builder: Builder, images: dict[str, str], folder: Path, repeats: int) -> dict[str, tuple[float, float]]:
    """Return median seconds of a whole job of each step: with a bare `docker run`, and with the docker runtime."""
    steps = _prepared(builder.engine, images, folder / "runtime")
    entries = tuple(Image(step, folder, image=image) for step, image in images.items())
    ours = DockerRuntime(ImageMap(entries), None, folder / "state")
    found = {}
    for step in JOBS:
        tasks = {"bare": _bare(steps[step]), "ours": _ours(ours, steps[step], step)}
        measured = _medians(tasks, repeats)
        found[step] = measured["bare"], measured["ours"]
    return found


def _medians(tasks: dict[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Measure all tasks in turn, so that what else the machine does meets all of them."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats + 1):
        for name, task in tasks.items():
            taken[name].append(task())
    return {name: median(seconds[1:]) for name, seconds in taken.items()}


def _to_first_line(step: Step) -> Callable[[], float]:
    name = step.root.name

    def task() -> float:
        command = [step.docker.command, *step.command(*ARGUMENTS.get(name, ()), environment=ENVIRONMENT.get(name))]
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            line = process.stdout.readline()
            taken = time.perf_counter() - began
            process.terminate()
        if not line:
            raise NotBuilt(f"The container of {name} said nothing")
        return taken

    return task


def _timed(engine: Engine, *arguments: str) -> Callable[[], float]:
    def task() -> float:
        began = time.perf_counter()
        engine.run(*arguments)
        return time.perf_counter() - began

    return task


def _bare(step: Step) -> Callable[[], float]:
    name = step.root.name

    def task() -> float:
        began = time.perf_counter()
        ended = step.run(*ARGUMENTS.get(name, ()), environment=ENVIRONMENT.get(name))
        if ended.code:
            raise NotBuilt(f"The container of {name} failed: {ended.printed.strip()}")
        return time.perf_counter() - began

    return task


def _ours(runtime: DockerRuntime, step: Step, name: str) -> Callable[[], float]:
    def task() -> float:
        printed: list[str] = []
        began = time.perf_counter()
        handle = runtime.start(
            Container(
                account="111111111111",
                job="bench",
                host="algo-1",
                hosts=("algo-1",),
                image=name,
                root=step.root,
                instance_type="ml.t3.medium",
                log=printed.append,
                arguments=ARGUMENTS.get(name, ()),
                environment=ENVIRONMENT.get(name, {}),
            )
        )
        code = handle.wait()
        handle.remove()
        if code:
            raise NotBuilt(f"The container of {name} failed: {' '.join(printed)}")
        return time.perf_counter() - began

    return task


def _prepared(engine: Engine, images: dict[str, str], folder: Path) -> dict[str, Step]:
    """Every step with the inputs of the example, made by the steps before it."""
    steps = {name: Step(engine, image, folder / name) for name, image in images.items()}
    steps["preprocess"].write("processing/input/data/part-1.csv", labelled_csv())
    fill_training(steps["train"])
    ended = steps["train"].run("train")
    if ended.code:
        raise NotBuilt(f"The container of train failed: {ended.printed.strip()}")
    model = steps["train"].root / "model"
    shutil.copytree(model, steps["infer"].root / "model")
    evaluate = steps["evaluate"]
    evaluate.write("processing/input/test/part.csv", "\n".join(label_first()["test"]) + "\n")
    evaluate.write("processing/input/champion/none", "none\n")
    evaluate.write("processing/input/model/model.tar.gz", "")
    archive(model, evaluate.root / "processing/input/model/model.tar.gz")
    steps["monitor"].write("processing/input/dataset/baseline.csv", labelled_csv(features_only=True))
    return steps
