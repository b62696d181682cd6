"""What carries names is read by them, and what a writer leaves beside its data is none of it."""

import gzip
import json
import random

import pytest

from steps.monitor.conftest import NAMES, page, patients

CAPTURE = {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}}
BOTH = {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}


def objects(rows, seed: int | None = None) -> list[dict]:
    """Return rows as objects; with a seed, each has its keys in an order of its own."""
    found = [dict(zip(NAMES, (None if cell == "?" else cell for cell in row), strict=True)) for row in rows]
    chance = random.Random(seed)
    if seed is None:
        return found
    return [dict(chance.sample(list(each.items()), len(each))) for each in found]


def captured(payloads, outputs=()) -> str:
    lines = []
    for number, payload in enumerate(payloads):
        data = {"endpointInput": {"data": json.dumps(payload), "encoding": "JSON"}}
        if outputs:
            data["endpointOutput"] = {"data": f"{outputs[number]}\n", "encoding": "CSV"}
        lines.append({"captureData": data, "eventMetadata": {"inferenceTime": "2026-01-01T10:00:00Z"}})
    return "".join(json.dumps(line) + "\n" for line in lines)


def leave(container, text: str, name: str = "records.jsonl") -> None:
    container.write([], name).write_text(text)


def columns(container) -> dict[str, tuple[int, int]]:
    """Return present and missing cells per column."""
    found = {}
    for feature in container.read("statistics.json")["features"]:
        common = next(value for key, value in feature.items() if key.endswith("_statistics"))["common"]
        found[feature["name"]] = (common["num_present"], common["num_missing"])
    return found


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_captured_objects_are_read_by_their_keys(checked, seed):
    leave(checked, captured(objects(patients(48, 7), seed)))
    assert checked.run(CAPTURE) == 0
    assert checked.read("verdict.json")["drift"] is False
    assert tuple(columns(checked)) == NAMES


def test_captured_objects_of_a_baseline_give_it_their_names(container):
    leave(container, captured(objects(patients(100, 7), 3)))
    assert container.run(CAPTURE) == 0
    assert set(columns(container)) == set(NAMES)
    container.use_as_baseline()
    leave(container, captured(objects(patients(48, 8), 4)))
    assert container.run(CAPTURE) == 0
    assert not container.read("verdict.json")["malformed"]


def test_a_key_that_an_object_lacks_is_a_missing_value(checked):
    rows = objects(patients(48, 7), 1)
    for row in rows[:5]:
        del row["bi_rads"]
    leave(checked, captured(rows))
    assert checked.run(CAPTURE) == 0
    assert columns(checked)["bi_rads"] == (43, 5)


def test_a_key_that_no_object_has_and_one_that_is_too_many(checked):
    rows = [
        {("site" if key == "age" else key): value for key, value in row.items()} for row in objects(patients(48, 7))
    ]
    leave(checked, captured(rows))
    assert checked.run(CAPTURE) == 0
    sentence = checked.read("verdict.json")["sentence"]
    assert "age (missing column)" in sentence and "site (extra column)" in sentence


def test_lists_among_objects_stand_as_the_baselines_columns(checked):
    rows = patients(48, 7)
    lists = [["" if cell == "?" else cell for cell in row] for row in rows[:20]]
    leave(checked, captured([*lists, *objects(rows[20:], 1)]))
    assert checked.run(CAPTURE) == 0
    assert checked.read("verdict.json")["rows"] == 48 and checked.read("verdict.json")["drift"] is False
    leave(checked, captured([*objects(rows), [1, 2, 3]]))
    assert checked.run(CAPTURE) == 1
    assert checked.message == "records.jsonl, line 49: 3 columns where 5 belong."


def test_lists_among_objects_of_a_baseline_are_refused(container):
    leave(container, captured([*objects(patients(10, 7)), [1, 2, 3, 4, 5]]))
    assert container.run(CAPTURE) == 1
    assert container.message == "records.jsonl, line 11: no names for its values, which other records have."


def test_an_output_without_names_stands_beside_an_input_with_them(container):
    for seed in (7, 8):
        rows = objects(patients(60, seed), seed)
        leave(container, captured(rows, [round(number / 60, 2) for number in range(60)]))
        assert container.run(BOTH) == 0
        assert set(columns(container)) == {*NAMES, "_c0"}
        if seed == 7:
            container.use_as_baseline()
    assert not container.read("verdict.json")["malformed"]


def test_a_baseline_without_names_takes_objects_in_one_order_only(container):
    container.write(patients(200, 1))
    assert container.run({"csv": {"header": False}}) == 0
    container.use_as_baseline()
    leave(container, captured(objects(patients(48, 7))))
    assert container.run(CAPTURE) == 0
    assert container.read("verdict.json")["drift"] is False
    leave(container, captured(objects(patients(48, 7), 1)))
    assert container.run(CAPTURE) == 1
    assert "the baseline's columns have no names" in container.message


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("lines", [False, True])
def test_json_may_begin_with_a_byte_order_mark(checked, lines, packed):
    rows = objects(patients(48, 7))
    text = "".join(json.dumps(row) + "\n" for row in rows) if lines else json.dumps(rows)
    content = b"\xef\xbb\xbf" + text.encode()
    checked.write([], "a.json").write_bytes(gzip.compress(content) if packed else content)
    others = objects(patients(48, 8))
    plain = "".join(json.dumps(row) + "\n" for row in others) if lines else json.dumps(others)
    checked.write([], "b/c.json").write_text(plain)
    assert checked.run({"json": {"line": lines}}) == 0
    verdict = checked.read("verdict.json")
    assert verdict["rows"] == 96 and verdict["drift"] is False


def test_what_is_wrong_behind_a_byte_order_mark_is_named(checked):
    checked.write([], "a.json").write_bytes(b"\xef\xbb\xbf" + b'{"age": 3}\n{"age": \n')
    assert checked.run({"json": {}}) == 1
    assert checked.message == "a.json, line 2: not readable as JSON."


@pytest.mark.parametrize(
    "name", ["_SUCCESS", "_committed_123", ".part.crc", "_delta_log/0.json", "empty.csv", "blank.csv"]
)
def test_what_a_writer_leaves_beside_its_data_is_passed_over(checked, name):
    checked.write(patients(48, 7))
    checked.write([], name).write_text({"empty.csv": "", "blank.csv": "\ufeff\n \n"}.get(name, "{}"))
    assert checked.run() == 0
    assert checked.read("verdict.json")["rows"] == 48


@pytest.mark.parametrize("name", ["_SUCCESS", ".hidden.csv", "empty.csv"])
def test_markers_beside_labels_are_passed_over(job, name):
    job.predictions([0.1, 0.9] * 30)
    job.arrive([0, 1] * 30)
    (job.labels / name).write_text("" if name == "empty.csv" else "not a label")
    assert job.run() == 0
    assert job.container.read("verdict.json")["rows"] == 60


def test_one_batch_has_one_number_of_violations(checked):
    rows = patients(48, 7)
    for row in rows[:9]:
        row[0] = 5.5
    for row in rows[9:16]:
        row[0] = "five"
    for row in rows[16:20]:
        row[0] = 55
    checked.write(rows)
    assert checked.run() == 0
    verdict, violations = (checked.read(f"{name}.json") for name in ("verdict", "constraint_violations"))
    count = verdict["violation_count"]
    sentence = verdict["sentence"]
    assert count == len(violations["violations"]) and f"{count} violations in 48 rows: " in sentence
    assert len(sentence.split(": ", 2)[2].split("; ")) == count
    assert {"bi_rads (type)", "bi_rads (fractions)", "bi_rads (numbers outside the range)"} <= {
        part.strip(".") for part in sentence.split(": ", 2)[2].split("; ")
    }
    html = page(checked)
    assert "<title>Batch and baseline: malformed</title>" in html and sentence.startswith("Malformed: ")
    assert html.count("<h3>bi_rads: ") == sum("bi_rads" in part for part in sentence.split("; "))
    (outside,) = [each for each in violations["violations"] if "number outside" in each["description"]]
    assert outside["description"].endswith(" in bi_rads, where the schema says 1 to 5.")
    assert "never" not in html and "not tested: a fixed limit" in html


def test_later_reports_count_the_same_violations(checked, tmp_path):
    rows = patients(48, 7)
    for row in rows[:16]:
        row[0] = "five" if row[1] == "?" or row[1] % 2 else 5.5
    checked.write(rows)
    assert checked.run() == 0
    verdict = checked.read("verdict.json")
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    (earlier / "verdict.json").write_text(json.dumps(verdict | {"analysed_at": "2026-01-01T00:00:00+00:00"}))
    assert checked.run(earlier_results=str(earlier)) == 0
    table = page(checked).split("Earlier batches</caption>")[1].split("</table>")[0]
    assert table.count(f">{verdict['violation_count']}</td>") == 2


def test_one_row_is_one_row(checked):
    checked.write(patients(1, 7))
    assert checked.run() == 0
    assert checked.read("verdict.json")["sentence"] == "No drift: 1 row is like the baseline."
    assert "1 row compared with 600 of the baseline; " in page(checked)
