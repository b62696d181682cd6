import json

import pytest

from tests.docker.steps import NOBODY, ROOT_USER, fill_training


@pytest.mark.parametrize("user", [NOBODY, ROOT_USER])
def test_trains_and_leaves_what_scoring_needs(step, model, user):
    train = step("train")
    fill_training(train)
    ended = train.run("train", user=user)
    assert ended.code == 0, ended.printed
    assert train.files("model") == ["metadata.json", "schema.json", "xgboost-model"]
    assert "[19]#011train-auc:" in ended.printed
    assert (train.root / "model/xgboost-model").read_bytes() == (model / "xgboost-model").read_bytes()
    assert train.files("output") == []


def test_leaves_a_failure_and_no_model(step):
    train = step("train")
    fill_training(train, max_dept="3")
    ended = train.run("train")
    assert ended.code == 1
    assert train.read("output/failure").strip() == "hyperparameter max_dept: unknown."
    assert "max_dept" in ended.printed
    assert train.files("model") == []


def test_sigterm_ends_training_with_the_best_model_so_far(step, docker):
    train = step("train")
    fill_training(train, num_round="100000000", eval_metric="logloss", early_stopping_rounds="1000000")
    with train.running("train") as name:
        while "[20]#011" not in train.said(name):
            assert docker.run("ps", "--quiet", f"--filter=name={name}"), train.said(name)
        docker.run("kill", "--signal=TERM", name)
        code = docker.run("wait", name).strip()
        printed = train.said(name)
    assert code == "0", printed
    rounds = [line for line in printed.splitlines() if line.startswith("[")]
    loss = [float(line.rsplit(":", 1)[1]) for line in rounds]
    metadata = json.loads(train.read("model/metadata.json"))
    assert metadata["rounds"] == loss.index(min(loss)) + 1
    assert train.files("model") == ["metadata.json", "schema.json", "xgboost-model"]
