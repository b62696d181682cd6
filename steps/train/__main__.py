"""Entry point of the train image: a training job's container, started with the argument `train`."""

import json
import signal
import sys
from pathlib import Path

import xgboost

from steps.common import failure, paths
from steps.common.atomic import folder_of_outputs
from steps.common.failure import StepFailed
from steps.common.schema import FILE as SCHEMA
from steps.common.schema import Schema
from steps.train import boosting, channels
from steps.train.hosts import together
from steps.train.hyperparameters import Hyperparameters


@failure.entry_point(failure.failure_file)
def main() -> int:
    """Train on the channels, and leave the model with everything scoring needs."""
    if sys.argv[1:] not in ([], ["train"]):
        raise StepFailed(f"argument {sys.argv[1]}: this image only knows `train`.")
    stop = _asked_to_stop()
    hyperparameters = Hyperparameters.parse(_config("hyperparameters.json"))
    data = paths.root() / "input" / "data"
    training = channels.read(data / "train", "train", hyperparameters.csv_weights)
    validation = None
    if (data / "validation").is_dir() and paths.files_below(data / "validation"):
        validation = channels.read(data / "validation", "validation", hyperparameters.csv_weights)
        if validation.features.shape[1] != training.features.shape[1]:
            raise StepFailed(
                f"channel validation: {validation.features.shape[1]} features where train has "
                f"{training.features.shape[1]}."
            )
    host, hosts = paths.hosts()
    if len(hosts) == 1:
        channels.require_both_classes(training, str(hyperparameters.booster.get("objective", "")))
    with together(host, hosts) as writes:
        trained = boosting.train(hyperparameters, training, validation, stop)
    if writes:
        _write(paths.root() / "model", trained, hyperparameters, training.features.shape)
    print(f"{trained.rounds} rounds: " + ", ".join(f"{k}={v:.5f}" for k, v in trained.metrics.items()))
    return 0


def _asked_to_stop():
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    return lambda: bool(asked)


def _config(name: str) -> dict[str, str]:
    file = paths.root() / "input" / "config" / name
    if not file.exists():
        raise StepFailed(f"{file}: missing.")
    try:
        return json.loads(file.read_text())
    except ValueError as error:
        raise StepFailed(f"{file.name}: not JSON ({error}).") from None


def _write(folder: Path, trained: boosting.Trained, hyperparameters, shape: tuple[int, int]) -> None:
    names = Schema.read().names
    metadata = {
        "hyperparameters": hyperparameters.booster,
        "rounds": trained.rounds,
        "metrics": trained.metrics,
        "training_rows": shape[0],
        "features": names if len(names) == shape[1] else [f"f{n}" for n in range(shape[1])],
        "xgboost": xgboost.__version__,
    }
    with folder_of_outputs(folder) as output:
        (output / "xgboost-model").write_bytes(trained.model)
        (output / "metadata.json").write_text(json.dumps(metadata, indent=1, sort_keys=True))
        if len(names) == shape[1]:
            (output / "schema.json").write_bytes(SCHEMA.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
