"""Makes a new step that builds and passes its tests: `python -m steps.new NAME`."""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from string import Template

ROOT = Path(__file__).parent.parent
PATTERN = ("preprocess", "Processing: splits the labelled table.")
"""A step whose Dockerfile and entry in the image map a new one takes over, and what its first line says."""

FILES = {
    "__init__.py": '"""Counts rows and missing cells."""\n',
    "__main__.py": '''"""Entry point of the $name image: a processing job's container."""

import json
import sys

from steps.common import failure, log, paths, reader
from steps.common.atomic import write_all
from steps.common.failure import StepFailed
from steps.common.schema import Schema
from steps.$name.counts import count


@failure.entry_point(failure.message_file)
def main() -> int:
    """Count the rows of every label-first file below the input."""
    files = reader.listed(paths.processing_input("data"))
    if not files:
        raise StepFailed("input data: no row to read.")
    schema = Schema.read()
    layout = schema.layout([schema.label, *schema.names])
    counts = count(reader.read(files, layout), layout.names)
    write_all({paths.processing_output("counts") / "counts.json": json.dumps(counts, indent=1) + "\\n"})
    log.info(f"{counts['rows']} rows counted.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
''',
    "counts.py": '''"""Numbers in, counts out: no files."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def count(rows: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Return how many rows there are, and how many cells of each column are missing (NaN).

    Args:
        rows: of shape (rows, columns).
        names: the columns' names.
    """
    return {"rows": len(rows), "missing": dict(zip(names, np.isnan(rows).sum(axis=0).tolist(), strict=True))}
''',
    "test_$name.py": '''"""Rows and missing cells are counted; broken input is one sentence."""

import json

import numpy as np
import pytest

from steps.$name.__main__ import main
from steps.$name.counts import count


def test_missing_cells_are_counted_by_column():
    assert count(np.array([[1, np.nan], [0, 2]]), ["label", "age"]) == {"rows": 2, "missing": {"label": 0, "age": 1}}


def test_the_container_counts_every_file(job):
    job.write("processing/input/data/a.csv", "1,5,67,3,5,3\\n0,,43,1,,\\n")
    job.write("processing/input/data/b.csv", "0,4,43,1,1,\\n")
    code, output = job.run("$name")
    assert (code, output) == (0, "3 rows counted.\\n")
    counts = json.loads(job.read("processing/output/counts/counts.json"))
    assert counts["missing"] == {"severity": 0, "bi_rads": 1, "age": 0, "shape": 0, "margin": 1, "density": 2}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "input data: no row to read."),
        ("1,5,old,3,5,3\\n", "a.csv, row 1, column age: not a number."),
        ("1,5,67,3,5,3\\n1,5\\n", "a.csv, row 2: 2 columns where 6 belong."),
    ],
)
def test_broken_input_is_one_sentence_and_no_output(job, content, said):
    job.write("processing/input/data/a.csv", content)
    assert main() == 1
    assert job.read("output/message") == said
    assert job.files("processing/output") == []
''',
    "pyproject.toml": """[project]
name = "baton-$name"
version = "0.1.0"
description = "Counts rows and missing cells"
requires-python = ">=3.11,<3.14"
dependencies = ["numpy>=2.2", "duckdb>=1.4"]

[dependency-groups]
test = ["pytest>=8.4", "pytest-random-order>=1.2", "pytest-timeout>=2.4"]

[tool.uv]
package = false
""",
    "README.md": """# $name

Counts rows and missing cells. It takes label-first files below `/opt/ml/processing/input/data` and writes
`/opt/ml/processing/output/counts/counts.json`. What is wrong is one sentence in `/opt/ml/output/message`, with file,
row and column, exit code 1 and no output.

After `make .venvs/$name/.ready`, from the repository's root and after [preprocess](../preprocess/README.md), without
and with Docker (after `make build/$name`):

```sh
mkdir -p .baton/$name/processing/input
ln -sfn "$$PWD/.baton/preprocess/processing/output/train" .baton/$name/processing/input/data
SAGEMAKER_BASE_DIR=.baton/$name .venvs/$name/bin/python -m steps.$name
chmod -R a+rwX .baton/$name/processing/output
```

```sh
docker run --rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges --user 10001 --memory 256m \\
  --tmpfs /tmp --tmpfs /opt/ml/output:mode=1777 \\
  -v "$$PWD/.baton/preprocess/processing/output/train:/opt/ml/processing/input/data:ro" \\
  -v "$$PWD/.baton/$name/processing/output:/opt/ml/processing/output" mammography/$name
```
""",
}


class NoSuchStep(Exception):
    """The step can't be made; the message says why."""


def make(name: str, root: Path = ROOT) -> list[Path]:
    """Write the folder of a step and enter it where steps are listed; return the files that were changed.

    Raises:
        NoSuchStep: the name can't be a step's, or is taken.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]{1,30}", name):
        raise NoSuchStep(f"NAME={name}: a step's name is 2 to 31 lower-case letters and digits, a letter first.")
    goal = root / "steps" / name
    if goal.exists() or goal.with_suffix(".py").exists():
        raise NoSuchStep(f"steps/{name}: it is there already.")
    lists = _lists(name, root)
    with tempfile.TemporaryDirectory(dir=root / "steps", prefix=".new-") as folder:
        made = Path(folder) / name
        made.mkdir()
        for file, content in FILES.items():
            made.joinpath(Template(file).substitute(name=name)).write_text(Template(content).substitute(name=name))
        dockerfile = (root / "steps" / PATTERN[0] / "Dockerfile").read_text()
        dockerfile = dockerfile.replace(PATTERN[1], "Processing: counts rows and missing cells.")
        (made / "Dockerfile").write_text(dockerfile.replace(PATTERN[0], name))
        made.rename(goal)
    for file, content in lists.items():
        file.write_text(content)
    return [goal, *lists]


def _lists(name: str, root: Path) -> dict[Path, str]:
    """Return the files that list the steps, with the new one behind the last."""
    found = {}
    images = root / "steps" / "images.json"
    *head, last, bottom, end = images.read_text().splitlines(keepends=True)
    pattern = next(line for line in head if f"/{PATTERN[0]}@" in line)
    entry = pattern.replace(PATTERN[0], name).rstrip().rstrip(",") + "\n"
    found[images] = "".join([*head, last.rstrip("\n") + ",\n", entry, bottom, end])
    for file, listed, place in (
        ("pyproject.toml", r'"steps/\*"', r'(members = \[.*?"steps/\w+")(?!.*"steps/)'),
        ("tox.ini", r"\bsteps/\*", r"(env_list = .*?)(?=, localaws)"),
    ):
        text = (root / file).read_text()
        if not re.search(listed, text):
            entry = f', "steps/{name}"' if file == "pyproject.toml" else f", {name}"
            found[root / file], entered = re.subn(place, lambda match, entry=entry: match[1] + entry, text, count=1)
            if not entered:
                raise NoSuchStep(f"{file}: its list of steps isn't where it was; enter {name} by hand.")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Make the step and lock its dependencies."""
    parser = argparse.ArgumentParser(prog="python -m steps.new", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--uv", default=shutil.which("uv") or ".tools/bin/uv")
    given = parser.parse_args(arguments)
    try:
        changed = make(given.name)
    except (NoSuchStep, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    locked = subprocess.run([given.uv, "lock", "--quiet"], cwd=ROOT)
    for file in changed:
        print(f"{file.relative_to(ROOT)}{'/' * file.is_dir()}")
    print(
        f"Next: `make build/{given.name}`, `.venv/bin/python -m tox run -e {given.name}`, "
        "and its row in pipeline/train.py or pipeline/inference.py."
    )
    return locked.returncode


if __name__ == "__main__":
    sys.exit(main())
