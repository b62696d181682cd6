import json

import pytest

from tests.docker.steps import NOBODY, ROOT_USER, archive, label_first


@pytest.fixture
def evaluate(step, model):
    evaluate = step("evaluate")
    evaluate.write("processing/input/test/part.csv", "\n".join(label_first()["test"]) + "\n")
    evaluate.write("processing/input/model/model.tar.gz", b"")
    archive(model, evaluate.root / "processing/input/model/model.tar.gz")
    evaluate.write("processing/input/champion/none", b"none\n")
    return evaluate


@pytest.mark.parametrize("user", [NOBODY, ROOT_USER])
def test_measures_a_model(evaluate, user):
    ended = evaluate.run(user=user)
    assert ended.code == 0, ended.printed
    found = json.loads(evaluate.read("processing/output/evaluation/evaluation.json"))
    assert 0.8 < found["binary_classification_metrics"]["auc"]["value"] < 1
    assert found["champion_comparison"]["compared"] is False


def test_compares_with_a_champion_on_the_same_rows(evaluate):
    (evaluate.root / "processing/input/champion/none").unlink()
    source = evaluate.root / "processing/input/model/model.tar.gz"
    evaluate.write("processing/input/champion/champion.tar.gz", source.read_bytes())
    assert evaluate.run().code == 0
    found = json.loads(evaluate.read("processing/output/evaluation/evaluation.json"))["champion_comparison"]
    assert found["compared"] is True
    assert found["auc_difference"]["value"] == 0


def test_a_damaged_archive_is_named_and_leaves_nothing_else(evaluate):
    source = evaluate.root / "processing/input/model/model.tar.gz"
    source.write_bytes(source.read_bytes()[:-100])
    ended = evaluate.run()
    assert ended.code == 1
    assert "model.tar.gz: truncated, or not a model archive" in evaluate.read("output/message")
    assert evaluate.files("processing/output") == []
