"""Entry point of the evaluate image: a processing job's container."""

import json
import sys

from steps.common import failure, paths
from steps.common.atomic import write_all
from steps.evaluate import metrics, models, report


@failure.entry_point(failure.message_file)
def main() -> int:
    """Measure the model on the test rows, compare it with the champion, write the JSON and the page."""
    labels, features = models.read_test(paths.processing_input("test"))
    archive = models.find_archive(paths.processing_input("model"))
    probabilities = models.probabilities(models.load(archive), features, archive.name)
    difference = metrics.Difference(0.0, 0.0, 0.0)
    champion = models.find_archive(paths.processing_input("champion"))
    compared = champion.name != models.NO_CHAMPION
    if compared:
        rival = models.probabilities(models.load(champion), features, f"champion/{champion.name}")
        difference = metrics.compare(labels, probabilities, rival)
    evaluation = {
        "rows": len(labels),
        "binary_classification_metrics": metrics.measure(labels, probabilities),
        "champion_comparison": {"compared": compared, "auc_difference": vars(difference)},
    }
    output = paths.processing_output("evaluation")
    write_all(
        {output / "evaluation.json": json.dumps(evaluation, indent=1), output / "report.html": report.render(evaluation)}
    )
    print(report.sentence(evaluation))
    return 0


if __name__ == "__main__":
    sys.exit(main())
