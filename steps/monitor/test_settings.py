"""Settings that the container used to swallow, each refused by name."""

import pytest

from steps.monitor.conftest import MULTICLASS, REGRESSION, Container


def failure_of(container: Container, dataset: dict | None = None, **settings: str) -> str:
    container.write([[1, 2]] * 30)
    assert container.run(dataset, **settings) == 1 and not container.output.exists()
    return container.message


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"csv": {"headr": False}}, "there is no option headr."),
        ({"csv": 5}, "csv is not followed by an object of options."),
        (
            {"sagemakerCaptureJson": {"output_columns_position": "MIDDLE"}},
            "output_columns_position is neither START nor END.",
        ),
        (
            {"sagemakerCaptureJson": {"captureIndexNames": [["a"]]}},
            "captureIndexNames may hold endpointInput and endpointOutput.",
        ),
    ],
)
def test_options_of_a_format_that_are_none(container, dataset, message):
    assert failure_of(container, dataset) == f"dataset_format: {message}"


@pytest.mark.parametrize("variable", ["problem_type", "ground_truth_source"])
def test_settings_of_a_models_quality_without_its_analysis(container, variable):
    message = failure_of(container, **{variable: "nonsense"})
    assert message == f"{variable} is set, and analysis_type is not MODEL_QUALITY."


@pytest.mark.parametrize("value", ["nan", "7", "-0.1", "inf", "half"])
def test_a_threshold_that_is_no_probability(job, value):
    job.predictions([0.5] * 48)
    job.arrive([1] * 48)
    assert job.failed(probability_threshold_attribute=value) == (
        "probability_threshold_attribute is not a number between 0 and 1."
    )


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        (REGRESSION, "probability_attribute"),
        (REGRESSION, "probability_threshold_attribute"),
        (MULTICLASS, "probability_threshold_attribute"),
    ],
)
def test_variables_that_a_problem_type_does_not_know(job, kind, variable):
    job.predictions([0.5] * 48)
    job.arrive([1] * 48)
    assert job.failed(problem_type=kind, **{variable: "0.5"}) == f"{variable} is set: {kind} has no use for it."
