"""The evaluation as one self-contained HTML page."""

from html import escape

from steps.common.html import page, table
from steps.common.svg import Plot

SIZE = 260


def render(evaluation: dict) -> str:
    """Return the page for an evaluation.json."""
    found = evaluation["binary_classification_metrics"]
    comparison = evaluation["champion_comparison"]
    roc, curve = found["receiver_operating_characteristic_curve"], found["precision_recall_curve"]
    calibrated = found["calibration"]
    auc = found["auc"]
    figures = [
        ("AUC", f"{auc['value']:.4f} ± {auc['standard_deviation']:.4f}"),
        *(
            (name, f"{found[key]['value']:.4f}")
            for name, key in (
                ("Average precision", "average_precision"),
                ("Brier score", "brier"),
                ("Log loss", "log_loss"),
                ("Accuracy at 0.5", "accuracy"),
                ("Precision at 0.5", "precision"),
                ("Recall at 0.5", "recall"),
            )
        ),
    ]
    plots = [
        Plot("ROC", "false positive rate", "true positive rate")
        .diagonal()
        .line(roc["false_positive_rates"], roc["true_positive_rates"]),
        Plot("Precision and recall", "recall", "precision").line(curve["recalls"], curve["precisions"]),
        Plot("Calibration", "predicted probability", "observed share")
        .diagonal()
        .line(calibrated["predicted"], calibrated["observed"])
        .points(calibrated["predicted"], calibrated["observed"]),
    ]
    confusion = found["confusion_matrix"]
    body = [
        f"<p class=verdict>{escape(sentence(evaluation))}</p>",
        table(("Measure", "Value"), figures, "On the test rows, on probabilities"),
        "<div class=plots>",
        *(f"<figure>{plot.svg()}</figure>" for plot in plots),
        "</div>",
        table(
            ("Truth", "Predicted benign", "Predicted malignant"),
            [
                ("Benign", confusion["0"]["0"], confusion["0"]["1"]),
                ("Malignant", confusion["1"]["0"], confusion["1"]["1"]),
            ],
            "Confusion at 0.5",
        ),
        table(
            ("Mean prediction", "Observed share", "Rows"),
            [
                (f"{predicted:.3f}", f"{observed:.3f}", rows)
                for predicted, observed, rows in zip(
                    calibrated["predicted"], calibrated["observed"], calibrated["rows"], strict=True
                )
            ],
            "Calibration",
        ),
    ]
    if comparison["compared"]:
        difference = comparison["auc_difference"]
        body.insert(
            1,
            f"<p>AUC minus the champion's on the same rows: {difference['value']:+.4f} "
            f"(95 % interval {difference['lower']:+.4f} to {difference['upper']:+.4f}).</p>",
        )
    return page("Model evaluation", "\n".join(body))


def sentence(evaluation: dict) -> str:
    """Return the evaluation in one sentence."""
    auc = evaluation["binary_classification_metrics"]["auc"]["value"]
    text = f"AUC {auc:.4f} on {evaluation['rows']} test rows"
    if not evaluation["champion_comparison"]["compared"]:
        return text + "; there is no champion to compare with."
    upper = evaluation["champion_comparison"]["auc_difference"]["upper"]
    return text + ("; not worse than the champion." if upper >= 0 else "; worse than the champion.")
