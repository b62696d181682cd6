"""Paths, the schema, failures and files by rename."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from steps.common import failure, paths
from steps.common.atomic import write_all
from steps.common.schema import Schema

ROOT = Path(__file__).parent.parent.parent


def test_only_paths_below_opt_ml_move(monkeypatch, tmp_path):
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    assert paths.local("/opt/ml") == tmp_path
    assert paths.local("/opt/ml/input/data") == tmp_path / "input/data"
    assert paths.local("/opt/mlflow") == Path("/opt/mlflow")
    monkeypatch.setenv(paths.ROOT_VARIABLE, "")
    assert paths.local("/opt/ml/input") == Path("/opt/ml/input")


@pytest.mark.parametrize("folder", ["config", "input/config"])
def test_the_hosts_of_processing_and_training_jobs(job, folder):
    assert paths.hosts() == ("algo-1", ["algo-1"])
    job.write(f"{folder}/resourceconfig.json", '{"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}')
    assert paths.hosts() == ("algo-2", ["algo-1", "algo-2"])


def test_hidden_files_are_no_input(job):
    for name in ("b/2.csv", "a.csv", ".part", ".hidden/3.csv"):
        job.write(f"data/{name}", "1\n")
    assert [file.name for file in paths.files_below(job.root / "data")] == ["a.csv", "2.csv"]
    assert paths.files_below(job.root / "nowhere") == []


def test_files_appear_together_or_not_at_all(tmp_path):
    with pytest.raises(TypeError):
        write_all({tmp_path / "out" / "a": "written", tmp_path / "out" / "b": None})
    assert list((tmp_path / "out").iterdir()) == []
    write_all({tmp_path / "out" / "a": "text", tmp_path / "other" / "b": b"bytes"})
    assert (tmp_path / "out" / "a").read_text() == "text"
    assert (tmp_path / "other" / "b").stat().st_mode & 0o777 == 0o644


def test_a_file_that_cannot_appear_takes_the_others_back(tmp_path):
    (tmp_path / "b" / "full").mkdir(parents=True)
    with pytest.raises(OSError):
        write_all({tmp_path / "a": "written", tmp_path / "b": "a folder is there"})
    assert list(tmp_path.iterdir()) == [tmp_path / "b"]


def test_a_process_killed_while_it_writes_leaves_no_output(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from steps.common.atomic import write_all\n"
        "class Files(dict):\n"
        "    def items(self):\n"
        "        yield Path(sys.argv[1]) / 'a.csv', 'x' * 1000000\n"
        f"        os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
        "write_all(Files())\n"
    )
    process = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT)
    assert process.returncode == -signal.SIGKILL
    assert paths.files_below(tmp_path) == []


def test_a_failure_is_one_sentence_of_at_most_a_kilobyte(job, capsys):
    @failure.entry_point(failure.failure_file)
    def main() -> int:
        raise failure.StepFailed("ä" * 2000)

    assert main() == 1
    assert len((job.root / "output" / "failure").read_bytes()) == failure.LIMIT
    assert job.read("output/failure") == "ä" * 512
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unexpected_exception_keeps_its_values_to_itself(job):
    @failure.entry_point(failure.message_file)
    def main() -> int:
        return int("a row's value")

    assert main() == 1
    assert job.read("output/message").startswith("ValueError at test_common.py:")
    assert "row" not in job.read("output/message")


def test_what_the_system_says_is_told_with_the_file(job):
    @failure.entry_point(failure.message_file)
    def main() -> int:
        return len((job.root / "nowhere").read_text())

    assert main() == 1
    assert job.read("output/message") == f"{job.root / 'nowhere'}: No such file or directory."


def test_where_no_message_can_be_left_the_exit_code_still_tells(job, capsys):
    job.write("output", "a file where a folder belongs")

    @failure.entry_point(failure.message_file)
    def main() -> int:
        raise failure.StepFailed("This is why.")

    assert main() == 1
    assert capsys.readouterr().err.startswith("This is why.\n")


def test_the_schema_names_a_files_columns_by_its_width():
    schema = Schema.read()
    assert schema.label_first(6) == ["severity", "bi_rads", "age", "shape", "margin", "density"]
    assert schema.label_first(7, weighted=True)[:3] == ["severity", "weight", "bi_rads"]
    assert schema.label_first(3) == ["1", "2", "3"]


def test_a_domain_holds_its_values_and_what_is_missing():
    numpy = pytest.importorskip("numpy")
    columns = {column.name: column for column in Schema.read().columns}
    bi_rads = columns["bi_rads"].holds(numpy.array([0, 1, 5, 6, 55, 4.5, numpy.nan]))
    assert bi_rads.tolist() == [False, True, True, False, False, False, True]
    assert columns["age"].holds(numpy.array([17, 18, 110, 111])).tolist() == [False, True, True, False]


def test_a_step_obeys_sigterm(tmp_path):
    program = (
        "import time; from steps.common import failure\n"
        "@failure.entry_point(None)\n"
        "def main():\n    print('ready', flush=True)\n    time.sleep(600)\n"
        "raise SystemExit(main())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, env=os.environ)
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    process.stdout.close()


def test_the_end_of_a_process_loses_no_line_and_no_exit_code(tmp_path):
    code = "import sys; from steps.common.ending import end; print('one', end=''); sys.stderr.write('two'); end(3)"
    file = tmp_path / "output"
    with file.open("wb") as stream:
        ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=stream, stderr=subprocess.PIPE)
    assert (ended.returncode, file.read_text(), ended.stderr) == (3, "one", b"two")
