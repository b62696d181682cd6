"""What a batch is compared with, through the container's own files."""

import pytest

from steps.monitor.conftest import NAMES, patients


def violations(container) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for violation in container.read("constraint_violations.json")["violations"]:
        found.setdefault(violation["feature_name"], set()).add(violation["constraint_check_type"])
    return found


def test_a_batch_like_the_baseline_passes(checked):
    checked.write(patients(48, 2))
    assert checked.run() == 0
    verdict = checked.read("verdict.json")
    assert {name: verdict[name] for name in ("drift", "violation_count", "sentence", "rows")} == {
        "drift": False,
        "violation_count": 0,
        "sentence": "No drift: 48 rows are like the baseline.",
        "rows": 48,
    }
    assert checked.message.startswith("Completed: ")


def test_older_patients_are_drift_of_age(checked):
    rows = patients(48, 3)
    checked.write([[b, a if a == "?" else a + 15, *rest] for b, a, *rest in rows])
    assert checked.run() == 0
    assert violations(checked)["age"] == {"baseline_drift_check"}
    assert checked.read("verdict.json")["drift"] is True
    assert checked.read("verdict.json")["malformed"] is False
    assert checked.message.startswith("CompletedWithViolations: Drift: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: [*row[:1], "old", *row[2:]], "age (type)"),
        (lambda row: row[:4], "density (missing column)"),
        (lambda row: [*row, 1], "(extra column)"),
    ],
)
def test_other_columns_or_types_are_no_drift_but_a_malformed_batch(checked, change, message):
    checked.write([change(row) for row in patients(48, 3)])
    assert checked.run() == 0
    verdict = checked.read("verdict.json")
    assert verdict["malformed"] is True
    assert verdict["sentence"].startswith("Malformed: ") and message in verdict["sentence"]


def test_permuted_categories_are_drift_of_their_column(checked):
    rows = patients(48, 4)
    checked.write([[b, a, s, m if m == "?" else 6 - m, d] for b, a, s, m, d in rows])
    checked.run()
    assert violations(checked).keys() <= {"margin", "*"}
    assert "baseline_drift_check" in violations(checked)["margin"]


def test_missing_cells_are_named_with_their_rows(checked):
    rows = patients(48, 5)
    for row in rows[::3]:
        row[2] = "?"
    checked.write(rows)
    checked.run()
    (found,) = checked.read("constraint_violations.json")["violations"]
    assert (found["feature_name"], found["constraint_check_type"]) == ("shape", "completeness_check")
    assert {"file": "batch.csv", "row": 1} in found["rows"]


@pytest.mark.parametrize(("column", "value"), [(0, 55), (2, 33), (3, 44), (4, 22)])
def test_a_value_typed_twice_is_found_in_its_row(checked, column, value):
    rows = patients(48, 6)
    rows[30][column] = value
    checked.write(rows)
    checked.run()
    found = [v for v in checked.read("constraint_violations.json")["violations"] if v["rows"]]
    assert [(v["feature_name"], v["rows"]) for v in found] == [(NAMES[column], [{"file": "batch.csv", "row": 31}])]


def test_rare_neighbours_of_the_known_values_pass(checked):
    rows = patients(48, 7)
    rows[0][0], rows[1][0] = 6, 0
    checked.write(rows)
    checked.run()
    assert checked.read("verdict.json")["drift"] is False


def test_text_in_a_number_is_a_violation_with_its_row(checked):
    rows = patients(48, 8)
    rows[9][1] = "forty"
    checked.write(rows)
    checked.run()
    (found,) = checked.read("constraint_violations.json")["violations"]
    assert (found["feature_name"], found["constraint_check_type"]) == ("age", "data_type_check")
    assert found["rows"] == [{"file": "batch.csv", "row": 10}]
    assert "forty" not in str(found)


@pytest.mark.parametrize("word", ["nan", "inf", "-Infinity"])
def test_what_is_not_finite_is_a_violation(checked, word):
    rows = patients(48, 9)
    rows[2][1] = word
    checked.write(rows)
    checked.run()
    assert violations(checked) == {"age": {"data_type_check"}}


def test_a_column_all_missing_is_a_violation(checked):
    checked.write([[b, a, s, m, "?"] for b, a, s, m, _ in patients(48, 10)])
    checked.run()
    assert violations(checked) == {"density": {"completeness_check"}, "*": {"baseline_drift_check"}}


def test_columns_swapped_are_a_violation(checked):
    checked.write([[a, b, s, m, d] for b, a, s, m, d in patients(48, 11)])
    checked.run()
    assert {"bi_rads", "age"} <= violations(checked).keys()


def test_columns_with_names_may_come_in_any_order(checked):
    checked.write([row[::-1] for row in patients(48, 12)], header=NAMES[::-1])
    checked.run({"csv": {"header": True}})
    assert checked.read("verdict.json")["drift"] is False


def test_a_missing_and_an_extra_column_are_named(checked):
    checked.write([[*row[:4], 1] for row in patients(48, 13)], header=(*NAMES[:4], "weight"))
    checked.run({"csv": {"header": True}})
    assert violations(checked) == {"density": {"missing_column_check"}, "weight": {"extra_column_check"}}


def test_a_difference_too_small_to_matter_is_no_drift(container):
    container.write(patients(60_000, 14), header=NAMES)
    container.run({"csv": {"header": True}})
    container.use_as_baseline()
    rows = patients(60_000, 15)
    container.write([[b, a if a == "?" or i % 4 else a + 1, *rest] for i, (b, a, *rest) in enumerate(rows)])
    container.run()
    assert container.read("verdict.json")["drift"] is False


def test_no_value_of_a_row_reaches_the_message_or_the_log(checked, capsys):
    rows = patients(48, 16)
    rows[5][1], rows[6][1] = 98765, "secret"
    checked.write(rows)
    checked.run()
    text = checked.message + "".join(capsys.readouterr())
    assert "98765" not in text and "secret" not in text
