"""The guard rails that need no account, and that they stop what they are for."""

import json
import re
import shutil

import pytest

from pipeline.names import STEPS
from pipeline.settings import ENVIRONMENTS
from terraform import iam, lint
from terraform.root import FOLDER, REPOSITORY


def test_format_validity_module_tests_scan_and_reasons(_terraform, tell):
    tell("")
    lint.check(tell)


def test_every_root_shares_settings_provider_and_lock():
    roots = [FOLDER / name for name in lint.ROOTS]

    assert {file.parent for file in FOLDER.rglob("account.tf") if file.parent.name != "shared"} == set(roots)
    for root in roots:
        for name, shared in (
            ("settings.tf", "settings.tf"),
            ("account.tf", "account.tf"),
            (".terraform.lock.hcl", "terraform.lock.hcl"),
        ):
            assert (root / name).is_symlink() and (root / name).resolve() == FOLDER / "shared" / shared


def test_roots_are_short_enough_to_read_as_a_list():
    for layer in ("foundation", "release"):
        for name in ENVIRONMENTS:
            root = FOLDER / layer / name / "main.tf"
            assert len(root.read_text().splitlines()) <= 100, root


def test_every_variable_and_output_is_described_and_typed():
    for file in FOLDER.rglob("*.tf"):
        for kind, name, body in re.findall(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', file.read_text(), re.M | re.S):
            assert re.search(r'^  description = ".{8,}"$', body, re.MULTILINE), f"{file}: {kind} {name}"
            assert kind == "output" or re.search(r"^  type +=", body, re.MULTILINE), f"{file}: {kind} {name}"


def test_the_settings_are_those_of_python():
    declared = re.findall(r'^variable "(\w+)"', (FOLDER / "shared" / "settings.tf").read_text(), re.MULTILINE)
    layers = [json.loads((REPOSITORY / "environments" / f"{n}.tfvars.json").read_text()) for n in ("shared", "prod")]

    assert sorted(declared) == sorted(layers[0] | layers[1])


def test_every_step_has_a_dockerfile_by_which_its_repository_is_found():
    assert sorted(file.parent.name for file in (REPOSITORY / "steps").glob("*/Dockerfile")) == sorted(STEPS)


def test_no_path_and_no_account_of_a_machine_is_in_terraform():
    for file in [*FOLDER.rglob("*.tf"), *FOLDER.rglob("*.json")]:
        assert not re.search(r"\b\d{12}\b|/(home|root|work|opt)/", file.read_text()), file


def test_exceptions_from_the_scan_have_reasons():
    for exception in json.loads((lint.SCAN / "exceptions.json").read_text()):
        assert len(exception["reason"]) > 40 and exception["checks"] and exception["resource"], exception


@pytest.fixture
def policies(tmp_path):
    return shutil.copytree(iam.POLICIES, tmp_path / "policies")


def _edit(file, change) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_a_statement_without_a_reason_is_refused(policies):
    _edit(policies / "role-train.json", lambda p: p["Statement"].append({"Sid": "More", "Effect": "Allow"}))

    with pytest.raises(iam.NoReason, match=r"policies/role-train\.json: statement More has no reason"):
        iam.page(policies)


def test_a_statement_without_a_name_is_refused(policies):
    _edit(policies / "bus.json", lambda p: p["Statement"].append({"Effect": "Allow"}))

    with pytest.raises(iam.NoReason, match=r"policies/bus\.json: statement without a Sid"):
        iam.page(policies)


def test_a_reason_without_a_statement_is_refused(policies):
    _edit(policies / "reasons.json", lambda r: r["bus"].update(Gone="It was there once"))

    with pytest.raises(iam.NoReason, match=r"reasons\.json: bus\.Gone is no statement"):
        iam.page(policies)


def test_the_scan_finds_what_it_is_for(tmp_path):
    (tmp_path / "main.tf").write_text('resource "aws_sns_topic" "open" {\n  name = "open"\n}\n')

    with pytest.raises(lint.Failed, match=r"CKV_AWS_26 of aws_sns_topic\.open"):
        lint.scan(["--directory", str(tmp_path), "--framework", "terraform"])
