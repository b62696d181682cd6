"""Trains on the same rows with the train step and its peers: `python -m bench.train [--rows N] [--json FILE]`.

Each contender is a process that reads CSV, trains as many rounds of trees of the same depth and watches a
validation channel; imports count, because a job pays for them. Seconds depend on the machine, ratios hold.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ROUNDS, SETTINGS = 50, {"eta": 0.1, "max_depth": 6}
TEST_ROWS, SEED, REPEATS = 50_000, 20_071_101, 3
PYTHON = str(ROOT / ".venvs/train/bin/python")
PEERS = str(Path(__file__).with_name("peers.py"))
UV = str(ROOT / ".tools/bin/uv")
PACKAGES = {"pandas": ["pandas<4", "scikit-learn<2", "xgboost-cpu<3.3"], "lightgbm": ["lightgbm<5"]}


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds on the clock, seconds of the processors, megabytes at its height."""

    wall: float
    cpu: float
    memory: float


def write_rows(file: Path, rows: int, chance: random.Random) -> None:
    """Write label-first rows: five features of few decimals that tell something together, one cell in twenty empty."""
    with file.open("w") as stream:
        for _ in range(rows):
            x = [round(chance.gauss(0, 1), 2) for _ in range(5)]
            score = 1.2 * x[0] + x[1] * x[2] + math.sin(2 * x[3]) + chance.gauss(0, 1)
            cells = ",".join("" if chance.random() < 0.05 else str(cell) for cell in x)
            stream.write(f"{int(score > 0)},{cells}\n")


def lay_out(folder: Path, rows: int) -> None:
    """Write the files that the contenders read."""
    chance = random.Random(SEED)
    for name, count in (("train", rows), ("validation", max(rows // 5, 1000)), ("test", TEST_ROWS)):
        write_rows(folder / f"{name}.csv", count, chance)
    for channel in ("train", "validation"):
        place = folder / "ml/input/data" / channel
        place.mkdir(parents=True)
        (place / "part.csv").symlink_to(folder / f"{channel}.csv")
    (folder / "ml/input/config").mkdir()
    given = {"objective": "binary:logistic", "eval_metric": "logloss", "num_round": str(ROUNDS)}
    given |= {name: str(value) for name, value in SETTINGS.items()}
    (folder / "ml/input/config/hyperparameters.json").write_text(json.dumps(given))
    (folder / "settings.json").write_text(json.dumps({"rounds": ROUNDS, "settings": SETTINGS}))


def run(command: Sequence[str], folder: Path) -> Cost:
    """Run a process to its end.

    Raises:
        CalledProcessError: it failed.
    """
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    given["SAGEMAKER_BASE_DIR"] = str(folder / "ml")
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=given, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(time.monotonic() - began, used.ru_utime + used.ru_stime, kilobytes / 1024)


def environment(name: str, folder: Path) -> str:
    """Make a contender's environment; return its Python."""
    place = folder / f"{name}-environment"
    subprocess.run([UV, "venv", "--quiet", "--python", PYTHON, str(place)], check=True)
    python = str(place / "bin/python")
    subprocess.run([UV, "pip", "install", "--quiet", "--python", python, *PACKAGES[name]], check=True)
    return python


def auc(labels: Sequence[int], scores: Sequence[float]) -> float:
    """Return the area under the ROC curve: the share of pairs in the right order, equals counted half."""
    ranked = sorted(zip(scores, labels, strict=True))
    positives, wins, below, place = sum(labels), 0.0, 0, 0
    while place < len(ranked):
        end = place
        while end < len(ranked) and ranked[end][0] == ranked[place][0]:
            end += 1
        up = sum(label for _, label in ranked[place:end])
        wins += up * (below + (end - place - up) / 2)
        below += end - place - up
        place = end
    return wins / (positives * (len(ranked) - positives))


def main() -> int:
    """Measure every contender and print one line for each."""
    parser = argparse.ArgumentParser(prog="python -m bench.train", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as name:
        folder = Path(name)
        lay_out(folder, arguments.rows)
        labels = [int(line[0]) for line in (folder / "test.csv").read_text().splitlines()]
        contenders = {"steps/train": ("baton", PYTHON, [PYTHON, "-m", "steps.train", "train"])}
        for title, peer in (("pandas + XGBoost", "pandas"), ("LightGBM", "lightgbm")):
            python = environment(peer, folder)
            contenders[title] = (peer, python, [python, PEERS, "train", peer, name])
        found = {}
        for title, (contender, python, command) in contenders.items():
            # The first run compiles what is imported.
            best = min((run(command, folder) for _ in range(1 + REPEATS)), key=lambda cost: cost.wall)
            run([python, PEERS, "score", contender, name], folder)
            area = auc(labels, json.loads((folder / f"{contender}.json").read_text()))
            found[title] = {**vars(best), "auc": area}
            ratio = best.wall / found["steps/train"]["wall"]
            print(
                f"{title:18} {best.wall:6.2f} s ({ratio:4.2f}×)  {best.cpu:6.2f} s of processors  "
                f"{best.memory:5.0f} MB  AUC {area:.4f}",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": arguments.rows, "found": found}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
