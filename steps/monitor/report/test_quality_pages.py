"""A real browser looks at the pages of classes and numbers, as `test_browser` does at the others."""

import re

import numpy as np
import pytest

from steps.monitor.conftest import BINARY, DRAWS, KEYS, MULTICLASS, REGRESSION, WORSE, give, members, page, register
from steps.monitor.quality import problems
from steps.monitor.report import quality_charts
from steps.monitor.report.test_browser import look


@pytest.fixture
def worse(job, request) -> str:
    """The page of a model that became worse."""
    kind = request.param
    baseline = register(job, {f"{KEYS[kind]}_metrics": members(kind, *DRAWS[kind](400, 5))})
    dataset, settings = give(job, "joined", *DRAWS[kind](400, **WORSE[kind]), kind)
    assert job.run(dataset, problem_type=kind, baseline_statistics=baseline, **settings) == 0
    return page(job.container)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("worse", [MULTICLASS, REGRESSION], indirect=True)
def test_a_browser_and_axe_find_nothing_wrong(worse, tmp_path, dark):
    seen = look(worse, tmp_path, 390, dark)
    assert seen.problems == [] and seen.width <= seen.room


@pytest.mark.parametrize("worse", [MULTICLASS, REGRESSION], indirect=True)
def test_the_verdict_comes_first(worse):
    assert re.search(r"<h1>.*</h1>\s*<p class=\"verdict bad\">Drift: ", worse)


@pytest.mark.parametrize("worse", [REGRESSION], indirect=True)
def test_no_label_and_no_prediction_is_on_the_page(worse):
    labels, predictions = DRAWS[REGRESSION](400, **WORSE[REGRESSION])
    cells = set(re.findall(r">([-+\d.,]+)<", worse))
    assert not cells & {f"{value:.4f}".rstrip("0") for value in [*labels, *predictions] if value != round(value, 2)}


def test_many_classes_are_reported_apart_up_to_a_limit():
    counts = np.diag(np.arange(1, 41))
    counts[0, 39] = 7
    drawn = quality_charts.confusion([f"c{i}" for i in range(40)], counts)
    assert drawn.count('<th scope="row">') == quality_charts.MAX_CLASSES + 1
    assert (
        "all others" in drawn
        and f'<td class="number">{counts.sum()}</td>' in drawn
        and "c39" in drawn
        and ">c5<" not in drawn
    )


@pytest.mark.parametrize(
    ("value", "text"), [(123456, "123,500"), (0.0123456, "0.01235"), (-2, "-2"), (1e13, "1e+13"), (0.5, "0.5")]
)
def test_numbers_are_short(value, text):
    assert problems.short(value) == text


@pytest.mark.parametrize("values", [[0.0, 0.0], [5.0, 5.0], [-3.0, 4.0], [1e6, 1.1e6], [0.001, 0.0012], [-7e9, -1e9]])
def test_an_axis_holds_its_values(values):
    start, end = quality_charts._range(values)
    assert start <= min(values) <= max(values) <= end and start < end


@pytest.mark.parametrize("kind", [BINARY, REGRESSION])
def test_no_heading_is_stated_twice(job, kind):
    baseline = register(job, {f"{KEYS[kind]}_metrics": members(kind, *DRAWS[kind](400, 5))})
    dataset, settings = give(job, "joined", *DRAWS[kind](400), kind)
    assert job.run(dataset, problem_type=kind, baseline_statistics=baseline, **settings) == 0
    found = page(job.container)
    titles = re.findall(r'<text [^>]*font-weight="600">([^<]+)<', found)
    assert titles and not set(titles) & set(re.findall(r"<h2>([^<]+)<", found))
