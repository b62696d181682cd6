"""The page that people look at: its words, its privacy, and what a browser and axe-core see."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from steps.monitor.conftest import NAMES, page, patients
from steps.monitor.data.histograms import Numbers
from steps.monitor.report import drift_page, shares


def words(text: str) -> str:
    """Return a page's text."""
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_data = found.append  # type: ignore[method-assign]
    parser.feed(re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL))
    return " ".join(" ".join(found).split())


def test_the_verdict_stands_first_in_one_sentence(drifted):
    message = words(page(drifted))
    verdict = drifted.read("verdict.json")["sentence"]
    assert verdict in message and message.index(verdict) < 150
    assert verdict.count(".") == 1


def test_every_violation_is_reported_with_its_amount_and_its_rows(drifted):
    message = words(page(drifted))
    for violation in drifted.read("constraint_violations.json")["violations"]:
        assert violation["description"] in message
    assert "batch.csv: 6" in message and "batch.csv: 10" in message
    assert "+" in message and "points" in message and "1 in a billion" in message


def test_every_column_has_a_picture_with_words_for_those_who_do_not_see_it(drifted):
    text = page(drifted)
    for name in NAMES:
        assert re.search(rf'<h3>{name}</h3>.*?<svg [^>]*role="img" aria-label="{name}: ', text, re.DOTALL)
        assert f"Shares of rows of {name}" in text


def test_no_value_of_the_batch_is_shown_unless_a_setting_allows_it(drifted):
    for file in drifted.output.iterdir():
        if file.name != "statistics.json":
            assert "987" not in words(file.read_text()), file.name
    baseline = drifted.root / "processing/input/baseline/constraints.json"
    content = json.loads(baseline.read_text())
    content["monitoring_config"]["report_values"] = "Enabled"
    baseline.write_text(json.dumps(content))
    assert drifted.run() == 0
    assert "10 = 987" in words(page(drifted))
    rows = [row for v in drifted.read("constraint_violations.json")["violations"] for row in v["rows"]]
    assert {"file": "batch.csv", "row": 10, "value": "987"} in rows


def test_the_page_needs_nothing_from_outside(drifted):
    text = page(drifted)
    assert "http" not in text and "<script" not in text and "src=" not in text and "url(" not in text


def test_names_of_columns_and_files_are_no_markup(container):
    evil = "<b onload=x>"
    container.write(patients(600, 1), header=(evil, *NAMES[1:]))
    assert container.run({"csv": {"header": True}}) == 0
    assert evil not in page(container) and "&lt;b onload=x&gt;" in page(container)
    container.use_as_baseline()
    container.write([["x", *row[1:]] for row in patients(48, 2)], "<i>.csv")
    assert container.run() == 0
    assert evil not in page(container) and "<i>" not in page(container)


def test_a_clean_batch_states_so(checked):
    checked.write(patients(48, 2))
    checked.run()
    message = words(page(checked))
    assert "No drift: 48 rows are like the baseline." in message and "What was violated" not in message


def test_a_batch_is_compared_with_earlier_ones(drifted, tmp_path):
    earlier = tmp_path / "earlier"
    for position, day in enumerate(("2026-01-03", "2026-01-01", "2026-01-02")):
        content = drifted.read("metrics.json") | {"analysed_at": f"{day}T00:00:00+00:00"}
        (earlier / str(position)).mkdir(parents=True)
        (earlier / str(position) / "metrics.json").write_text(json.dumps(content))
    assert drifted.run(earlier_results=str(earlier)) == 0
    message = words(page(drifted))
    assert (
        message.index("2026-01-01")
        < message.index("2026-01-02")
        < message.index("2026-01-03")
        < message.index("(this)")
    )
    assert 'aria-label="age, distribution: ' in page(drifted)


def test_a_ledger_retains_enough_of_earlier_batches(drifted, tmp_path):
    verdict = drifted.read("verdict.json") | {"analysed_at": "2026-01-01T00:00:00+00:00"}
    for name, content in {"one": {"verdict": verdict}, "claimed": {"verdict": None}, "old": {"verdict": {}}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"state": "scored", "batch": {"id": name}} | content))
    (tmp_path / "verdict.json").write_text(json.dumps(verdict))
    assert drifted.run(earlier_results=str(tmp_path)) == 0
    message = words(page(drifted))
    assert message.count("2026-01-01") == 1 and message.count("(this)") == 1
    assert 'aria-label="age, distribution: ' in page(drifted)


def test_earlier_results_that_are_none(drifted, tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    assert drifted.run(earlier_results=str(tmp_path)) == 1
    assert drifted.message == "earlier_results: metrics.json isn't a result of this container."


def test_no_earlier_results_are_none(drifted, tmp_path):
    assert drifted.run(earlier_results=str(tmp_path / "nothing")) == 0
    assert "earlier batches" not in words(page(drifted))


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (None, "not tested: a fixed limit"),
        (0.34, "34 in 100"),
        (0.004, "1 in 250"),
        (1e-5, "1 in 100,000"),
        (1e-12, "less than 1 in a billion"),
    ],
)
def test_chances_in_words(p, message):
    assert drift_page.chance(p) == message


def test_bins_have_round_edges_and_hold_everything():
    values = np.arange(18.0, 97.0)
    before = Numbers.of(values, np.full(len(values), 8), missing=3)
    found = shares.of(before, Numbers.of(np.array([5.0, 50.0, 300.0]), np.array([1, 2, 1]), mistyped=1))
    assert found.ordered
    assert found.labels[:2] == ["below 10", "10 to 20"]
    assert found.labels[-3:] == ["100 and above", "missing", "no number"]
    assert sum(found.baseline) == pytest.approx(1) and sum(found.batch or []) == pytest.approx(1)
