"""Entry point of the evaluate image: a processing job's container."""

import os
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
    problem = metrics.choose(os.environ.get(metrics.SETTING, ""))
    rows = models.read_test(paths.processing_input("test"), problem)
    labels = rows.labels
    predictions = models.predictions(models.find_archive(paths.processing_input("model")), rows, problem)
    champion = models.find_archive(paths.processing_input("champion"))
    rival = None if champion.name == models.NO_CHAMPION else models.predictions(champion, rows, problem)
    evaluation = {
        "rows": len(labels),
        f"{problem.key}_metrics": problem.members(labels, predictions),
        "champion_comparison": _comparison(problem, labels, predictions, rival),
    }
    output = paths.processing_output("evaluation")
    write_all(
        {
            output / "evaluation.json": jsontext.dumps(evaluation) + "\n",
            output / "report.html": report.render(evaluation, problem, Schema.read().label_names),
        }
    )
    log.info(report.sentence(evaluation, problem))
    return 0


def _comparison(
    problem: metrics.ProblemType, labels: np.ndarray, predictions: np.ndarray, rival: np.ndarray | None
) -> dict[str, Any]:
    """Return how the champion does on the same rows; without one, the difference is none."""
    if rival is None:
        return {"compared": False, problem.compared: {"value": 0.0, "lower": 0.0, "upper": 0.0}}
    return {
        "compared": True,
        problem.compared: vars(problem.difference(labels, predictions, rival)),
        "champion": problem.members(labels, rival),
    }


if __name__ == "__main__":
    end(main())
