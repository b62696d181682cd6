"""The evaluation as one self-contained HTML page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from steps.common import about
from steps.common.html import page, table
from steps.common.quality.members import is_known, number
from steps.common.svg import Plot, matrix
from steps.common.text import count
from steps.evaluate.metrics import BINARY, MULTICLASS, REGRESSION, ProblemType

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
COMPARED = {
    "auc_difference": "AUC minus the champion's on the same rows",
    "accuracy_difference": "Accuracy minus the champion's on the same rows",
    "mse_reduction": "The champion's mean squared error minus this model's on the same rows",
}
MAX_CLASSES = 20
"""Classes that the page shows."""


def sentence(evaluation: dict[str, Any], problem: ProblemType) -> str:
    """Return the evaluation in one sentence."""
    headline = evaluation[f"{problem.key}_metrics"][problem.headline]
    digits = f"{headline['value']:.4f}" if problem is not REGRESSION else f"{headline['value']:.4g}"
    within = f" (95 % interval {headline['lower']:.3f} to {headline['upper']:.3f})" if "lower" in headline else ""
    text = f"{_word(problem)} {digits}{within} on {count(evaluation['rows'], 'test row')}"
    if not evaluation["champion_comparison"]["compared"]:
        return text + "; there is no champion to compare with."
    difference = evaluation["champion_comparison"][problem.compared]
    verdict = "worse" if difference["upper"] < 0 else "better" if difference["lower"] > 0 else "not worse"
    return text + f"; {verdict} than the champion."


def _word(problem: ProblemType) -> str:
    return {"auc": "AUC", "accuracy": "Accuracy", "rmse": "RMSE"}[problem.headline]


def render(evaluation: dict[str, Any], problem: ProblemType, label_names: Sequence[str]) -> str:
    """Return the page for an evaluation.json.

    Args:
        evaluation: its content.
        problem: the problem type that was measured.
        label_names: what people call the labels 0 and 1 of a binary classification.
    """
    found, comparison = evaluation[f"{problem.key}_metrics"], evaluation["champion_comparison"]
    difference = comparison[problem.compared]
    worse = difference["upper"] < 0
    body = [f'<p class="verdict {"bad" if worse else "good"}">{escape(sentence(evaluation, problem))}</p>']
    if comparison["compared"]:
        body.append(
            f"<p>{COMPARED[problem.compared]}: {_signed(problem, difference['value'])} (95 % interval "
            f"{_signed(problem, difference['lower'])} to {_signed(problem, difference['upper'])}"
            f"{', DeLong' * (problem is BINARY)}). Only an interval below zero counts as worse.</p>"
        )
    body.append(about.section(made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"))
    if problem is BINARY:
        body += [
            '<div class="plots">',
            *(f"<figure>{plot.svg()}</figure>" for plot in _plots(found, comparison)),
            f"<figure>{_confusion(found['confusion_matrix'], label_names)}</figure>",
            "</div>",
            _measures(found, comparison),
            _calibration(found["calibration"], label_names[1]),
        ]
    else:
        body.append(_all_measures(found, comparison))
        body.append(_classes(found["confusion_matrix"]) if problem is MULTICLASS else _numbers(found["calibration"]))
    return page("Model evaluation", "\n".join(body))


def _signed(problem: ProblemType, value: float) -> str:
    return f"{value:+.4f}" if problem is not REGRESSION else f"{value:+.4g}"


def _all_measures(found: dict[str, Any], comparison: dict[str, Any]) -> str:
    models = {"This model": found} | ({"Champion": comparison["champion"]} if comparison["compared"] else {})
    rows = [
        (name, *(f"{number(measured[name]['value']):.4g}" for measured in models.values()))
        for name, member in found.items()
        if is_known(member)
    ]
    return table(("Measure", *models), rows, "Measured on the test rows")


def _classes(counts: dict[str, dict[str, int]]) -> str:
    """Return the confusion matrix; of many classes, those that have most rows."""
    most = sorted(counts, key=lambda name: -sum(counts[name].values()))[:MAX_CLASSES]
    names = [name for name in counts if name in most]
    rows = [(f"is {label}", *(counts[label][name] for name in names)) for label in names]
    left = len(counts) - len(names)
    more = f"<p>Not shown: {count(left, 'more class', 'more classes')} with fewer rows.</p>" if left else ""
    return table(("Label", *(f"predicted {name}" for name in names)), rows, "Labels and predicted labels") + more


def _numbers(bins: Sequence[dict[str, Any]]) -> str:
    rows = [(f"{each['predicted']:.4g}", f"{each['observed']['value']:.4g}", each["rows"]) for each in bins]
    return table(("Mean prediction", "Mean label", "Rows"), rows, "Predictions and labels, in bins of rows")


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
        ("Mean prediction", f"Share of {name}", "Rows"),
        rows,
        "Calibration in bins of a tenth; those of fewer than 5 rows are joined",
    )


def _with_interval(metric: dict[str, float], digits: int = 4) -> str:
    return f"{metric['value']:.{digits}f} ({metric['lower']:.3f} to {metric['upper']:.3f})"
