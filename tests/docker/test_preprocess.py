import pytest

from data import make
from tests.docker.steps import NOBODY, ROOT_USER

OUTPUTS = ("train", "validation", "test")


def csv(key: str) -> str:
    return "".join(",".join(row) + "\n" for row in make.derive(make.read_table())[key])


@pytest.mark.parametrize("user", [NOBODY, ROOT_USER])
def test_splits_the_labelled_table(step, user):
    preprocess = step("preprocess")
    for number in (1, 2):
        preprocess.write(f"processing/input/data/part-{number}.csv", csv(f"labelled/part-{number}.csv"))
    ended = preprocess.run(user=user)
    assert ended.code == 0, ended.printed
    rows = [len(preprocess.read(f"processing/output/{name}/part-algo-1.csv").splitlines()) for name in OUTPUTS]
    assert sum(rows) == len(csv("labelled/part-1.csv").splitlines()) + len(csv("labelled/part-2.csv").splitlines())
    assert not (preprocess.root / "output/message").exists()


def test_names_file_row_and_column_and_leaves_nothing_else(step):
    preprocess = step("preprocess")
    lines = csv("labelled/part-1.csv").splitlines()
    lines[6] = lines[6].replace(",", ",!", 1)
    preprocess.write("processing/input/data/part-1.csv", "\n".join(lines) + "\n")
    ended = preprocess.run()
    assert ended.code == 1
    said = preprocess.read("output/message")
    assert "part-1.csv" in said and "row 7" in said and "age" in said
    assert said.strip() in ended.printed
    assert preprocess.files("processing/output") == []
    assert preprocess.files("output") == ["message"]
