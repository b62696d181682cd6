import re
from pathlib import Path

from localaws import api, wire
from localaws.access import sagemaker

HERE = Path(__file__).parent


def test_every_row_has_its_test_and_every_test_its_row():
    rows = re.findall(r"^\|.*\| `(\w+)` \|$", (HERE / "README.md").read_text(), re.MULTILINE)
    texts = [file.read_text() for file in HERE.glob("test_enforced_*.py")]
    tests = [name for text in texts for name in re.findall(r"^def test_(\w+)\(", text, re.MULTILINE)]
    assert sorted(rows) == sorted(tests)
    assert len(rows) > 20


def test_every_operation_that_is_answered_has_a_row_or_names_no_resource():
    answered = {name for name in api.answered() if not name.startswith("List")}
    assert answered <= set(sagemaker.ROWS), sorted(answered - set(sagemaker.ROWS))
    assert set(sagemaker.ROWS) <= set(wire.service().operation_names)


def test_rows_name_members_that_their_operations_have():
    for operation, row in sagemaker.ROWS.items():
        members = wire.operation(operation).input_shape.members
        if row.startswith("@"):
            assert row[1:] in members, operation
        elif row in sagemaker.NAMED:
            assert sagemaker.NAMED[row][1] in members, operation
