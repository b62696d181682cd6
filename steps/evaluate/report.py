"""The evaluation as one self-contained HTML page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from steps.common import about
from steps.common.html import page, table
from steps.common.svg import Plot, matrix

MEASURES = (
    ("Average precision", "average_precision"),
    ("Brier score", "brier"),
    ("Log loss", "log_loss"),
    ("Accuracy at 0.5", "accuracy"),
    ("Precision at 0.5", "precision"),
    ("Recall at 0.5 (sensitivity)", "recall"),
    ("Specificity at 0.5", "true_negative_rate"),
    ("F1 at 0.5", "f1"),
)


def sentence(evaluation: dict[str, Any]) -> str:
    """Return the evaluation in one sentence."""
    auc = evaluation["binary_classification_metrics"]["auc"]
    text = (
        f"AUC {auc['value']:.4f} (95 % interval {auc['lower']:.3f} to {auc['upper']:.3f}) "
        f"on {evaluation['rows']} test rows"
    )
    if not evaluation["champion_comparison"]["compared"]:
        return text + "; there is no champion to compare with."
    difference = evaluation["champion_comparison"]["auc_difference"]
    verdict = "worse" if difference["upper"] < 0 else "better" if difference["lower"] > 0 else "not worse"
    return text + f"; {verdict} than the champion."


def render(evaluation: dict[str, Any], label_names: Sequence[str]) -> str:
    """Return the page for an evaluation.json.

    Args:
        evaluation: its content.
        label_names: what people call the labels 0 and 1.
    """
    found, comparison = evaluation["binary_classification_metrics"], evaluation["champion_comparison"]
    difference = comparison["auc_difference"]
    worse = difference["upper"] < 0
    body = [f'<p class="verdict {"bad" if worse else "good"}">{escape(sentence(evaluation))}</p>']
    if comparison["compared"]:
        body.append(
            f"<p>AUC minus the champion's on the same rows: {difference['value']:+.4f} (95 % interval "
            f"{difference['lower']:+.4f} to {difference['upper']:+.4f}, DeLong). Only an interval below zero "
            "counts as worse.</p>"
        )
    body += [
        about.section(made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        '<div class="plots">',
        *(f"<figure>{plot.svg()}</figure>" for plot in _plots(found, comparison)),
        f"<figure>{_confusion(found['confusion_matrix'], label_names)}</figure>",
        "</div>",
        _measures(found, comparison),
        _calibration(found["calibration"], label_names[1]),
    ]
    return page("Model evaluation", "\n".join(body))


def _plots(found: dict[str, Any], comparison: dict[str, Any]) -> list[Plot]:
    bins = found["calibration"]
    predicted, observed = [bin["predicted"] for bin in bins], [bin["observed"] for bin in bins]
    share = found["precision_best_constant_classifier"]["value"]
    within = sum(bin["observed"]["lower"] <= bin["predicted"] <= bin["observed"]["upper"] for bin in bins)
    roc = Plot(
        "ROC",
        "false positive rate",
        "true positive rate",
        f"The area under the curve is {found['auc']['value']:.3f}, where chance gives 0.5.",
    ).reference(0, 1)
    if comparison["compared"]:
        rival = comparison["champion"]["receiver_operating_characteristic_curve"]
        roc.line(rival["false_positive_rates"], rival["true_positive_rates"], "champion", other=True)
    curve = found["receiver_operating_characteristic_curve"]
    roc.line(curve["false_positive_rates"], curve["true_positive_rates"], "this model" * comparison["compared"])
    curve = found["precision_recall_curve"]
    return [
        roc,
        Plot(
            "Precision and recall",
            "recall",
            "precision",
            f"Average precision is {found['average_precision']['value']:.3f}, where chance gives {share:.2f}.",
        )
        .reference(share, share)
        .line(curve["recalls"], curve["precisions"]),
        Plot(
            "Calibration, with 95 % intervals",
            "mean predicted probability",
            "observed share",
            f"In {within} of {len(bins)} bins the predicted probability lies in the interval of the observed share.",
        )
        .reference(0, 1)
        .intervals(predicted, [share["lower"] for share in observed], [share["upper"] for share in observed])
        .line(predicted, [share["value"] for share in observed])
        .points(predicted, [share["value"] for share in observed]),
    ]


def _measures(found: dict[str, Any], comparison: dict[str, Any]) -> str:
    models = {"This model": found} | ({"Champion": comparison["champion"]} if comparison["compared"] else {})
    rows = [("AUC", *(_with_interval(measured["auc"]) for measured in models.values()))]
    rows += [(name, *(f"{measured[key]['value']:.4f}" for measured in models.values())) for name, key in MEASURES]
    return table(("Measure", *models), rows, "Measured on the test rows")


def _confusion(counts: dict[str, dict[str, int]], names: Sequence[str]) -> str:
    cells = [[counts[label]["0"], counts[label]["1"]] for label in "01"]
    return matrix("Confusion at 0.5", [f"is {name}" for name in names], [f"predicted {name}" for name in names], cells)


def _calibration(bins: Sequence[dict[str, Any]], name: str) -> str:
    rows = [(f"{bin['predicted']:.3f}", _with_interval(bin["observed"], 3), bin["rows"]) for bin in bins]
    return table(
        ("Mean prediction", f"Share of {name}", "Rows"), rows, "Calibration in bins of a tenth; empty ones left out"
    )


def _with_interval(metric: dict[str, float], digits: int = 4) -> str:
    return f"{metric['value']:.{digits}f} ({metric['lower']:.3f} to {metric['upper']:.3f})"
