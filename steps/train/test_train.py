"""The container: channels in, a model archive out; signals, several hosts, broken input."""

import hashlib
import importlib.util
import json
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
import xgboost

from steps.common.schema import FILE as SCHEMA
from steps.common.test_job import ROOT, Job
from steps.train.__main__ import main

HYPERPARAMETERS = {
    "objective": "binary:logistic", "num_round": "200", "early_stopping_rounds": "10", "eval_metric": "auc,logloss",
    "eta": "0.1", "max_depth": "3", "subsample": "0.8",
}  # fmt: skip
ONE_CLASS = "channel train, column 1: no row has the label 0; both classes are needed."
NO_NAMES = "part.csv, header line with none of the columns severity, bi_rads, age, shape, margin and density."
ENDLESS = {"num_round": "100000000", "early_stopping_rounds": "100000000"}


def label_first(lines: list[str]) -> str:
    return "".join(f"{line[-1]},{line[:-2]}\n" for line in lines).replace("?", "")


def prepared(job: Job, published: list[str], **hyperparameters: str) -> Job:
    job.write("input/config/hyperparameters.json", json.dumps(HYPERPARAMETERS | hyperparameters))
    job.write("input/config/inputdataconfig.json", '{"train": {"ContentType": "text/csv"}, "validation": {}}')
    job.write("input/data/train/part.csv", label_first(published[:700]))
    job.write("input/data/validation/part.csv", label_first(published[700:]))
    return job


def metadata(job: Job) -> dict:
    return json.loads(job.read("model/metadata.json"))


def test_the_archive_holds_what_scoring_needs(job, published):
    code, output = prepared(job, published).run("train", "train")
    assert code == 0, output
    assert job.files("model") == ["metadata.json", "schema.json", "xgboost-model"]
    model = (job.root / "model/xgboost-model").read_bytes()
    said = metadata(job)
    assert said["model_sha256"] == hashlib.sha256(model).hexdigest()
    assert said["hyperparameters"] == HYPERPARAMETERS
    assert (said["features"], said["training_rows"]) == (["bi_rads", "age", "shape", "margin", "density"], 700)
    assert job.read("model/schema.json") == SCHEMA.read_text()
    booster = xgboost.Booster(model_file=bytearray(model))
    assert booster.num_boosted_rounds() == said["rounds"] < 200
    rows = np.genfromtxt(job.root / "input/data/validation/part.csv", delimiter=",")
    scores = booster.inplace_predict(rows[:, 1:])
    logloss = -np.log(np.where(rows[:, 0] == 1, scores, 1 - scores)).mean()
    assert abs(logloss - said["metrics"]["validation:logloss"]) < 1e-4
    assert said["metrics"]["validation:auc"] > 0.85
    assert not any(line.replace("?", "")[:-2] in output for line in published)


def test_runs_give_the_same_files(job, published):
    prepared(job, published)
    runs = set()
    for threads in ("1", "2"):
        assert job.run("train", "train", OMP_NUM_THREADS=threads)[0] == 0
        runs.add(tuple((job.root / "model" / name).read_bytes() for name in job.files("model")))
    assert len(runs) == 1


def test_another_tables_archive_has_no_schema(job, published):
    prepared(job, published)
    job.write("input/data/train/part.csv", "1,2\n0,3\n" * 50)
    job.write("input/data/validation/part.csv", "1,2\n0,3\n")
    assert run_here(job) == 0
    assert job.files("model") == ["metadata.json", "xgboost-model"]


def run_here(job: Job) -> int:
    arguments, sys.argv = sys.argv, ["train", "train"]
    try:
        return main()
    finally:
        sys.argv = arguments


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config/hyperparameters.json", None, "input/config/hyperparameters.json: missing."),
        ("config/hyperparameters.json", "{", "input/config/hyperparameters.json: not JSON."),
        ("config/hyperparameters.json", "[]", "input/config/hyperparameters.json: not a JSON object."),
        ("config/hyperparameters.json", '{"num_rounds": "3"}', "hyperparameter num_round: missing."),
        ("config/inputdataconfig.json", "[]", "input/config/inputdataconfig.json: not a JSON object."),
        ("data/train/part.csv", None, "channel train: no file with content."),
        ("data/train/part.csv", "", "channel train: no file with content."),
        ("data/train/part.csv", "1,5,67,3,5,3\n1,4,43,1,1\n", "part.csv, row 2: 5 columns where 6 belong."),
        ("data/train/part.csv", "1,5,old,3,5,3\n", "part.csv, row 1, column age: not a number."),
        ("data/train/part.csv", "2,5,67,3,5,3\n", "part.csv, row 1, column severity: not 0 or 1."),
        ("data/train/part.csv", "1,5,67,3,5,3\n", ONE_CLASS),
        ("data/train/part.csv", "1,5\n0,4\n", "channel train: 1 feature where 5 belong."),
        ("data/validation/part.csv", "", "channel validation: no file with content."),
        ("data/validation/part.csv", "a,b,c,d,e,f\n", NO_NAMES),
    ],
)  # fmt: skip
def test_broken_input_is_one_sentence_and_no_model(job, published, file, content, said):
    prepared(job, published)
    (job.root / "input" / file).unlink()
    if content is not None:
        job.write(f"input/{file}", content)
    assert run_here(job) == 1
    assert job.read("output/failure") == said
    assert job.files("model") == []


def test_the_process_fails_as_its_message_says(job, published):
    code, output = prepared(job, published).run("train", "serve")
    assert (code, output) == (1, "argument serve: this image only knows `train`.\n")
    assert job.read("output/failure") == output.strip()


def after_rounds(process: "subprocess.Popen[str]", count: int) -> list[str]:
    """Read a training's log until so many rounds are done; return what was read."""
    lines = []
    while not lines or not lines[-1].startswith(f"[{count}]"):
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    return lines


def test_sigterm_ends_training_with_the_best_model_so_far(job, published):
    process = prepared(job, published, **ENDLESS).start("train", "train")
    lines = after_rounds(process, 100)
    process.terminate()
    lines += process.communicate()[0].splitlines()
    assert process.returncode == 0, lines
    losses = [float(line.rsplit("validation-logloss:", 1)[1]) for line in lines if line.startswith("[")]
    assert metadata(job)["rounds"] == losses.index(min(losses)) + 1
    assert round(metadata(job)["metrics"]["validation:logloss"], 5) == min(losses)


def test_sigkill_leaves_no_model(job, published):
    process = prepared(job, published, **ENDLESS).start("train", "train")
    after_rounds(process, 3)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert job.files("model") == []


class Hosts:
    """The hosts of one job, each a process with a root of its own."""

    def __init__(self, root: Path, published: list[str], shards: list[list[str]], **hyperparameters: str) -> None:
        self.jobs, name = [], f"test-{uuid.uuid4()}"
        names = [f"algo-{number}" for number in range(1, len(shards) + 1)]
        for host, shard in zip(names, shards, strict=True):
            job = prepared(Job(root / host), published, **hyperparameters)
            config = {"current_host": host, "hosts": names}
            job.write("input/config/resourceconfig.json", json.dumps(config))
            job.write("input/data/train/part.csv", label_first(shard))
            self.jobs.append(job)
        self.processes = [job.start("train", "train", TRAINING_JOB_NAME=name) for job in self.jobs]

    def end(self) -> list[str]:
        return [process.communicate()[0] for process in self.processes]


@pytest.mark.parametrize("shards", [(350, 350), (700, 0), (0, 300, 400)], ids=str)
def test_hosts_hold_the_same_model_and_the_first_writes_it(tmp_path, published, shards):
    ends = np.cumsum(shards).tolist()
    hosts = Hosts(tmp_path, published, [published[end - size : end] for size, end in zip(shards, ends, strict=True)])
    outputs = hosts.end()
    assert [process.returncode for process in hosts.processes] == [0] * len(shards), outputs
    assert len({output.rsplit("; model ", 1)[1] for output in outputs}) == 1
    first, *others = hosts.jobs
    assert first.files("model") == ["metadata.json", "schema.json", "xgboost-model"]
    assert outputs[0].strip().endswith(metadata(first)["model_sha256"])
    assert metadata(first)["training_rows"] == 700
    assert [job.files("model") for job in others] == [[]] * len(others)


def test_one_stopped_host_ends_all_with_the_best_model(tmp_path, published):
    hosts = Hosts(tmp_path, published, [published[:300], published[300:700]], **ENDLESS)
    after_rounds(hosts.processes[0], 20)
    hosts.processes[1].terminate()
    outputs = hosts.end()
    assert [process.returncode for process in hosts.processes] == [0, 0], outputs
    assert hosts.jobs[0].files("model") == ["metadata.json", "schema.json", "xgboost-model"]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_host_is_told_by_the_others(tmp_path, published, lost):
    hosts = Hosts(tmp_path, published, [published[:300], published[300:700]], **ENDLESS)
    after_rounds(hosts.processes[0], 20)
    hosts.processes[lost].kill()
    hosts.end()
    left = hosts.jobs[1 - lost]
    assert hosts.processes[1 - lost].returncode == 1
    assert (
        left.read("output/failure")
        == f"algo-{2 - lost}: lost the job's other hosts; one of them failed or was stopped."
    )
    assert left.files("model") == []


def test_a_start_is_quick():
    # Beside them, importing XGBoost takes several times as long.
    assert [name for name in ("pandas", "sklearn") if importlib.util.find_spec(name)] == []
    program = "import sys, steps.train.__main__; print({'numpy', 'xgboost', 'duckdb'} & set(sys.modules))"
    cheap = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert cheap.stdout == "set()\n"
