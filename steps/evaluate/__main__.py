"""Entry point of the evaluate image: a processing job's container."""

from typing import Any

import numpy as np

from steps.common import failure, jsontext, log, paths
from steps.common.atomic import write_all
from steps.common.ending import end
from steps.common.schema import Schema
from steps.evaluate import metrics, models, report


@failure.entry_point(failure.message_file)
def main() -> int:
    """Measure the model on the test rows, compare it with the champion, write the JSON and the page."""
    labels, features = models.read_test(paths.processing_input("test"))
    scores = models.probabilities(models.find_archive(paths.processing_input("model")), features)
    champion = models.find_archive(paths.processing_input("champion"))
    rival = None if champion.name == models.NO_CHAMPION else models.probabilities(champion, features)
    evaluation = {
        "rows": len(labels),
        "binary_classification_metrics": metrics.measure(labels, scores),
        "champion_comparison": _comparison(labels, scores, rival),
    }
    output = paths.processing_output("evaluation")
    write_all(
        {
            output / "evaluation.json": jsontext.dumps(evaluation) + "\n",
            output / "report.html": report.render(evaluation, Schema.read().label_names),
        }
    )
    log.info(report.sentence(evaluation))
    return 0


def _comparison(labels: np.ndarray, scores: np.ndarray, rival: np.ndarray | None) -> dict[str, Any]:
    """Return how the champion does on the same rows; without one, the difference is none."""
    if rival is None:
        return {"compared": False, "auc_difference": {"value": 0.0, "lower": 0.0, "upper": 0.0}}
    return {
        "compared": True,
        "auc_difference": vars(metrics.auc_difference(labels, scores, rival)),
        "champion": metrics.measure(labels, rival),
    }


if __name__ == "__main__":
    end(main())
