"""One contender in a process of its own: `peers.py train|score NAME FOLDER`.

`train` reads train.csv and validation.csv (label first, no header) and leaves a model; `score` asks it about
test.csv. Run with the packages that `bench.train` names for it.
"""

import json
import sys
from pathlib import Path
from typing import Any


def train_pandas(folder: Path, rounds: int, settings: dict[str, Any]) -> None:
    """Train as most notebooks do: pandas reads, XGBoost trains."""
    import pandas
    import xgboost

    tables = {name: pandas.read_csv(folder / f"{name}.csv", header=None) for name in ("train", "validation")}
    data = {name: xgboost.DMatrix(table.iloc[:, 1:], table.iloc[:, 0]) for name, table in tables.items()}
    parameters = {"objective": "binary:logistic", "eval_metric": "logloss", **settings}
    evals = [(data["train"], "train"), (data["validation"], "validation")]
    xgboost.train(parameters, data["train"], rounds, evals=evals).save_model(folder / "pandas.ubj")


def train_lightgbm(folder: Path, rounds: int, settings: dict[str, Any]) -> None:
    """Train with LightGBM and its own reader, with trees of the same depth."""
    import lightgbm

    parameters = {
        "header": False, "label_column": 0, "objective": "binary", "metric": "binary_logloss",
        "learning_rate": settings["eta"], "max_depth": settings["max_depth"], "num_leaves": 2 ** settings["max_depth"],
    }  # fmt: skip
    train = lightgbm.Dataset(str(folder / "train.csv"), params=parameters)
    validation = lightgbm.Dataset(str(folder / "validation.csv"), params=parameters, reference=train)
    booster = lightgbm.train(parameters, train, rounds, valid_sets=[train, validation])
    booster.save_model(folder / "lightgbm.txt")


def score(name: str, folder: Path) -> list[float]:
    """Return the probabilities of the test rows."""
    import numpy

    features = numpy.genfromtxt(folder / "test.csv", delimiter=",")[:, 1:]
    if name == "lightgbm":
        import lightgbm

        return lightgbm.Booster(model_file=folder / "lightgbm.txt").predict(features).tolist()
    import xgboost

    file = folder / ("pandas.ubj" if name == "pandas" else "ml/model/xgboost-model")
    return xgboost.Booster(model_file=bytearray(file.read_bytes())).inplace_predict(features).tolist()


if __name__ == "__main__":
    task, contender, place = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if task == "train":
        given = json.loads((place / "settings.json").read_text())
        {"pandas": train_pandas, "lightgbm": train_lightgbm}[contender](place, given["rounds"], given["settings"])
    else:
        (place / f"{contender}.json").write_text(json.dumps(score(contender, place)))
