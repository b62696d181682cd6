"""Entry point of the train image: a training job's container, started with the argument `train`."""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steps.common import failure, log, model, paths, schema
from steps.common.atomic import write_all
from steps.common.ending import end
from steps.common.failure import StepFailed
from steps.train.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    from steps.train.boosting import Trained
    from steps.train.channels import Channel


@failure.entry_point(failure.failure_file)
def main() -> int:
    """Train on the channels, and leave the model with everything scoring needs."""
    if sys.argv[1:] not in ([], ["train"]):
        raise StepFailed(f"argument {sys.argv[1]}: this image only knows `train`.")
    stops: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stops.append(number))
    given = _config("hyperparameters.json")
    hyperparameters = Hyperparameters.parse(given)
    host, hosts = paths.hosts()

    # Threads that spin while they wait hold each other up where cores are shared, by a container's limit or by
    # several hosts on one machine (17 s instead of 2). OpenMP reads this when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # The heavy imports wait until the cheap checks are done and the signal is heard.
    from steps.train import boosting
    from steps.train.hosts import together

    read = _channels(hyperparameters, alone=len(hosts) == 1)
    with together(host, hosts) as writes:
        training, validation = boosting.agreed(*read)
        log.info(f"{host} of {len(hosts)}: {training.features.shape[0]} rows, {training.features.shape[1]} features.")
        trained = boosting.train(hyperparameters, training, validation, lambda: bool(stops))
    if writes:
        write_all(_model_files(paths.root() / "model", trained, given, training))
    metrics = ", ".join(f"{name} {value:.5f}" for name, value in trained.metrics.items())
    log.info(f"{trained.rounds} rounds: {metrics}; model {hashlib.sha256(trained.model).hexdigest()}")
    return 0


def _config(name: str, default: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    file = paths.root() / "input" / "config" / name
    if default is not None and not file.exists():
        return default
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepFailed(f"input/config/{name}: missing.") from None
    except ValueError:
        raise StepFailed(f"input/config/{name}: not JSON.") from None
    if not isinstance(content, dict):
        raise StepFailed(f"input/config/{name}: not a JSON object.")
    return content


def _channels(hyperparameters: Hyperparameters, alone: bool) -> "tuple[Channel, Channel | None]":
    from steps.train import channels

    config = _config("inputdataconfig.json", {})
    data = paths.root() / "input" / "data"

    def read(name: str, like: "Channel | None" = None) -> "Channel":
        content_type = config.get(name, {}).get("ContentType")
        return channels.read(
            data / name, content_type, hyperparameters.csv_weights, hyperparameters.label_check, not alone, like
        )

    training = read("train")
    validated = "validation" in config or (data / "validation").exists()
    return training, read("validation", training) if validated else None


def _model_files(
    folder: Path, trained: "Trained", given: Mapping[str, Any], training: "Channel"
) -> dict[Path, bytes | str]:
    import xgboost

    metadata = {
        "features": training.names,
        "hyperparameters": given,
        "metrics": trained.metrics,
        "rounds": trained.rounds,
        "training_rows": trained.rows,
        "xgboost": xgboost.__version__,
    }
    known = training.names == schema.Schema.read().names
    return model.files(folder, trained.model, metadata, schema.FILE.read_bytes() if known else None)


if __name__ == "__main__":
    end(main())
