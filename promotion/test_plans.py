"""Plans: what one approval covers, and that the file which was planned is the file that is applied."""

import pytest

from promotion import plans
from promotion.errors import PlanStale, SmokeFailed
from promotion.plans import Plan
from promotion.smoke_test import FOLDER, area, check

PLAN = Plan("prod", "1.0", "sha256:1", "Terraform", ("one", "two"))


def test_an_approval_covers_what_is_left_of_its_plan_and_nothing_more():
    assert PLAN.covers(PLAN)
    assert PLAN.covers(Plan("prod", "1.0", "sha256:1", "Terraform", ("two",)))
    assert not PLAN.covers(Plan("prod", "1.0", "sha256:1", "Terraform", ("two", "three")))
    assert not PLAN.covers(Plan("prod", "1.1", "sha256:2", "Terraform", ("one",)))
    assert not PLAN.covers(Plan("dev", "1.0", "sha256:1", "Terraform", ("one",)))


def test_a_plan_is_stored_with_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "ROOT", tmp_path)
    (tmp_path / "made.tfplan").write_bytes(b"plan")
    made = Plan("prod", "1.0", "sha256:1", "Terraform", ("one",), "made.tfplan", plans.digest(b"plan"))
    written = made.write(tmp_path / "kept" / "prod.json")
    (tmp_path / "made.tfplan").unlink()
    assert Plan.of((tmp_path / "kept" / "prod.json").read_bytes(), "it") == written
    written.demand_file()
    assert written.file == "kept/prod.tfplan"

    (tmp_path / "kept" / "prod.tfplan").write_bytes(b"other")
    with pytest.raises(PlanStale, match=r"kept/prod.tfplan: gone, or not the file that was planned"):
        written.demand_file()
    (tmp_path / "kept" / "prod.tfplan").unlink()
    with pytest.raises(PlanStale, match=r"plan again"):
        written.demand_file()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"changes": []}'])
def test_what_is_no_plan_is_named(content):
    with pytest.raises(PlanStale, match=r"prod.json: not a plan"):
        Plan.of(content, "prod.json")


def test_people_see_every_change():
    assert PLAN.text().splitlines()[1:] == ["  one", "  two"]
    assert "nothing changes" in Plan("prod", "1.0", "sha256:1", "Terraform", ()).text()


ANSWERS = (FOLDER / "answers.csv").read_text()
RIGHT = "".join("0.9\n" if line == "1" else "0.1\n" for line in ANSWERS.split())


def test_the_smoke_test_batch_has_an_answer_for_each_row():
    batch = (FOLDER / "batch.csv").read_text().split()
    assert len(batch) == len(ANSWERS.split()) == 48
    assert check(RIGHT, ANSWERS) == 1.0


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        ("", "has 48 rows, 0 came back"),
        (RIGHT + "0.5\n", "has 48 rows, 49 came back"),
        ("nothing\n" * 48, "Row 1 of the smoke-test batch came back as something that isn't a number"),
        (RIGHT.replace("0.9", "1.9", 1), "isn't a probability"),
        (RIGHT.replace("0.9", "nan", 1), "isn't a probability"),
        ("0.5\n" * 48, "AUC of 0.500; 0.75 is the least"),
        ("".join(reversed(RIGHT.splitlines(True))), "AUC of"),
        (RIGHT.replace("0.9", "x").replace("0.1", "0.9").replace("x", "0.1"), "AUC of 0.000"),
    ],
)
def test_wrong_answers_are_named_without_their_values(predictions, said):
    with pytest.raises(SmokeFailed, match=said):
        check(predictions, ANSWERS)


def test_the_area_counts_ties_half():
    assert area([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]) == 0.75
    assert area([0.5, 0.5], [0, 1]) == 0.5
