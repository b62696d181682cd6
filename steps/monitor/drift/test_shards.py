"""Files spread over hosts give the same answer as on one; an empty shard is no empty batch."""

import gzip
import json
from pathlib import Path

import pytest

from steps.common import paths
from steps.monitor.__main__ import main
from steps.monitor.conftest import NAMES, WIDE, Container, measurements, patients

SOURCE = "/opt/ml/processing/input/dataset"


def near(one, two, location: str = "") -> bool:
    """Compare JSON values; numbers may differ by rounding."""
    if isinstance(one, dict):
        assert one.keys() == two.keys(), location
        return all(near(one[key], two[key], f"{location}.{key}") for key in one)
    if isinstance(one, list):
        assert len(one) == len(two), location
        return all(near(a, b, f"{location}[{i}]") for i, (a, b) in enumerate(zip(one, two, strict=True)))
    if isinstance(one, float):
        assert one == pytest.approx(two, rel=1e-9, abs=1e-12), location
    elif not location.endswith(".analysed_at"):
        assert one == two, location
    return True


class Cluster:
    """Processing jobs of several hosts, each with a root of its own, which share the prefix of their outputs."""

    def __init__(self, folder: Path, monkeypatch) -> None:
        self.folder, self.patch = folder, monkeypatch

    def run(
        self, name: str, files: list[Path], root: Path, hosts: int, distribution="ShardedByS3Key", **settings
    ) -> Path:
        """Run a job over files below `root`, and return the folder where all hosts' outputs come together."""
        prefix = self.folder / f"{name}-output"
        prefix.mkdir()
        names = [f"algo-{i + 1}" for i in range(hosts)]
        for location, host in enumerate(names):
            base = self.folder / f"{name}-{host}"
            share = files[location::hosts] if distribution == "ShardedByS3Key" else files
            for file in share:
                goal = base / "processing/input/dataset" / file.relative_to(root)
                goal.parent.mkdir(parents=True, exist_ok=True)
                goal.write_bytes(file.read_bytes())
            (base / "processing/input/dataset").mkdir(parents=True, exist_ok=True)
            (base / "config").mkdir()
            (base / "config/resourceconfig.json").write_text(json.dumps({"current_host": host, "hosts": names}))
            source = {"LocalPath": SOURCE, "S3DataDistributionType": distribution}
            inputs = {"ProcessingInputs": [{"InputName": "dataset", "S3Input": source}]}
            (base / "config/processingjobconfig.json").write_text(json.dumps(inputs))
            container = Container(base, self.patch.setenv)
            self.patch.setenv(paths.ROOT_VARIABLE, str(base))
            self.patch.setenv("dataset_format", '{"csv": {"header": false}}')
            self.patch.setenv("output_path", str(prefix))
            for variable, value in settings.items():
                self.patch.setenv(variable, value)
            assert main() == 0, container.message
        return prefix

    def merge(self, name: str, parts: Path, **settings) -> Path:
        """Run the second job, on one host."""
        return self.run(name, sorted(parts.iterdir()), parts, 1, dataset_format='{"monitorPart": {}}', **settings)


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> Cluster:
    for name in ("baseline_constraints", "baseline_statistics", "dataset_source"):
        monkeypatch.delenv(name, raising=False)
    return Cluster(tmp_path, monkeypatch)


def split(rows: list[list[object]], folder: Path, count: int, header: str = "") -> list[Path]:
    """Write rows into files of different sizes, some of them compressed."""
    files, start = [], 0
    for location in range(count):
        end = (
            len(rows)
            if location == count - 1
            else start + (len(rows) - start) // (2 if location % 2 else count - location)
        )
        text = header + "".join(",".join(map(str, row)) + "\n" for row in rows[start:end])
        file = folder / f"day={location:02}" / ("part.csv.gz" if location % 3 == 2 else "part.csv")
        file.parent.mkdir(parents=True)
        file.write_bytes(gzip.compress(text.encode()) if location % 3 == 2 else text.encode())
        files.append(file)
        start = end
    return files


def read(folder: Path, name: str) -> dict:
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize("hosts", [2, 3, 5, 8])
def test_shards_give_the_same_answer_as_one_host(cluster, tmp_path, hosts):
    before = split(measurements(6_000, 1), tmp_path / "before", 6)
    rows = measurements(6_000, 2)
    for location in range(0, 6_000, 40):
        rows[location][0], rows[location][3], rows[location][4] = "?", "d", "n/a"
    batch = split(rows, tmp_path / "batch", 6)
    alone = cluster.run("alone", before, tmp_path / "before", 1)
    shared = cluster.merge("shared", cluster.run("parts", before, tmp_path / "before", hosts))
    for name in ("statistics.json", "constraints.json"):
        assert near(read(alone, name), read(shared, name))
    baseline = {"baseline_constraints": str(alone), "baseline_statistics": str(alone)}
    one = cluster.run("one", batch, tmp_path / "batch", 1, **baseline)
    many = cluster.merge("many", cluster.run("pieces", batch, tmp_path / "batch", hosts, **baseline), **baseline)
    violations = read(one, "constraint_violations.json")["violations"]
    assert {"_c0", "_c3", "_c4"} <= {each["feature_name"] for each in violations}
    assert any(len(each["rows"]) == 20 for each in violations)
    for name in ("statistics.json", "constraint_violations.json", "verdict.json", "metrics.json"):
        assert near(read(one, name), read(many, name))


def test_an_empty_shard_is_no_empty_batch(cluster, tmp_path):
    before = split(patients(600, 1), tmp_path / "before", 2)
    alone = cluster.run("alone", before, tmp_path / "before", 1)
    baseline = {"baseline_constraints": str(alone), "baseline_statistics": str(alone)}
    batch = split(patients(48, 2), tmp_path / "batch", 1)
    parts = cluster.run("parts", batch, tmp_path / "batch", 3, **baseline)
    assert [read(parts, f"part-algo-{i}.json")["rows"] for i in (1, 2, 3)] == [48, 0, 0]
    merged = cluster.merge("merged", parts, **baseline)
    verdict = read(merged, "verdict.json")
    assert (verdict["drift"], verdict["violation_count"], verdict["rows"]) == (False, 0, 48)
    assert verdict["sentence"] == "No drift: 48 rows are like the baseline."


def test_hosts_that_all_see_all_files_leave_one_answer(cluster, tmp_path):
    before = split(patients(600, 1), tmp_path / "before", 2)
    alone = cluster.run("alone", before, tmp_path / "before", 3, distribution="FullyReplicated")
    assert read(alone, "statistics.json")["dataset"]["item_count"] == 600
    assert not list(alone.glob("part-*"))


def failed(cluster, name, parts, **settings) -> str:
    with pytest.raises(AssertionError) as caught:
        cluster.merge(name, parts, **settings)
    assert not list((cluster.folder / f"{name}-output").iterdir())
    return str(caught.value).splitlines()[0]


@pytest.fixture
def pieces(cluster, tmp_path) -> Path:
    return cluster.run("pieces", split(patients(600, 1), tmp_path / "rows", 4), tmp_path / "rows", 2)


def test_a_missing_shard_is_named(cluster, pieces):
    (pieces / "part-algo-2.json").unlink()
    assert failed(cluster, "merged", pieces) == "dataset_source: the part of algo-2 is missing."


def test_shards_of_nothing_are_an_empty_batch(cluster, pieces):
    for file in pieces.iterdir():
        file.write_text(json.dumps(json.loads(file.read_text()) | {"rows": 0, "columns": [], "drawn": []}))
    assert failed(cluster, "merged", pieces) == "dataset_source: none of 2 parts has a row."


def test_no_shard_at_all(cluster, tmp_path):
    (tmp_path / "nothing").mkdir()
    assert failed(cluster, "merged", tmp_path / "nothing") == "dataset_source: no part in dataset."


@pytest.mark.parametrize("content", ["", "{}", '{"columns": [{"name": "a"}]}', "[]"])
def test_what_is_no_shard(cluster, pieces, content):
    (pieces / "part-algo-2.json").write_text(content)
    assert failed(cluster, "merged", pieces) == "part-algo-2.json: not a part that this container wrote."


def test_shards_of_two_jobs(cluster, pieces):
    file = pieces / "part-algo-2.json"
    file.write_text(file.read_text().replace('"algo-1"', '"algo-9"'))
    assert "aren't of one job" in failed(cluster, "merged", pieces)


def test_shards_made_with_another_baseline(cluster, pieces, tmp_path):
    baseline = cluster.merge("baseline", pieces)
    settings = {"baseline_constraints": str(baseline), "baseline_statistics": str(baseline)}
    message = failed(cluster, "merged", pieces, **settings)
    assert message == "dataset_source: the part of algo-1 was made with another baseline."


def test_shards_with_other_columns(cluster, tmp_path):
    files = split(patients(50, 1), tmp_path / "rows", 1)
    other = tmp_path / "rows" / "day=99" / "part.csv"
    other.parent.mkdir()
    other.write_text("1,2\n")
    parts = cluster.run("parts", [*files, other], tmp_path / "rows", 2)
    assert failed(cluster, "merged", parts) == "dataset_source: the columns of algo-2 aren't those of algo-1."


def test_a_column_that_is_text_on_one_host_only(cluster, tmp_path):
    files = []
    for name, cell in (("a.csv", "1"), ("b.csv", "x")):
        file = tmp_path / "rows" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{cell},2\n" * 20)
        files.append(file)
    message = failed(cluster, "merged", cluster.run("parts", files, tmp_path / "rows", 2))
    assert message.startswith("dataset_source: column _c0 holds numbers on one of")


def test_the_columns_of_shards_keep_their_names(cluster, tmp_path):
    header = ",".join(WIDE) + "\n"
    files = split(measurements(400, 1), tmp_path / "rows", 3, header)
    settings = {"dataset_format": '{"csv": {"header": true}}'}
    merged = cluster.merge("merged", cluster.run("parts", files, tmp_path / "rows", 2, **settings))
    assert [feature["name"] for feature in read(merged, "statistics.json")["features"]] == list(WIDE)
    assert NAMES
