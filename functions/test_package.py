"""The archive is what AWS Lambda gets: reproducible, small, and whole with nothing but boto3 beside it."""

import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from functions import package
from functions.common.context import client
from functions.common.failures import recall
from functions.conftest import VARIABLES

TEMPLATE = json.loads((package.FOLDER / "functions.json").read_text())
SENTENCE = "Action nothing: there are only champion, batch, quality."
EXECUTION = "arn:aws:sagemaker:us-east-1:333333333333:pipeline/mammography-inference/execution/abc123"
BOTO3 = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")


def archived() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(package.build()))


def test_the_same_sources_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        command = [sys.executable, "-m", "functions.package", "--out", str(tmp_path / name / "functions.zip")]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": str(len(name))})
    assert (tmp_path / "a/functions.zip").read_bytes() == (tmp_path / "b/functions.zip").read_bytes() == package.build()


def test_neither_times_nor_permissions_of_the_checkout_count(tmp_path, monkeypatch):
    before = package.build()
    copy = shutil.copytree(package.FOLDER, tmp_path / "functions")
    for path in copy.rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (0, 0))
    monkeypatch.setattr(package, "FOLDER", copy)
    monkeypatch.setattr(package, "__file__", str(copy / "package.py"))
    assert package.build() == before


def test_the_archive_holds_the_handlers_and_no_tests():
    names = archived().namelist()
    handlers = [f["handler"].rsplit(".", 1)[0].replace(".", "/") + ".py" for f in TEMPLATE["functions"].values()]
    assert set(handlers) <= set(names)
    assert not [name for name in names if "test" in name or "conftest" in name or name.endswith("package.py")]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "functions.zip"
    done = subprocess.run(
        [sys.executable, "-m", "functions.package", "--out", str(out)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, f"--out {out}: can't be written (File exists).\n")


def test_functions_get_exactly_the_variables_that_they_read():
    read = set()
    for name in archived().namelist():
        source = archived().read(name).decode()
        read |= {part.split('"]')[0] for part in source.split('os.environ["')[1:]}
    # AWS Lambda itself sets AWS_REGION.
    assert read - {"AWS_REGION"} == set(TEMPLATE["environment"]) == set(VARIABLES)


@pytest.fixture
def alone(tmp_path):
    """Environment of a Python that sees the archive and boto3, and nothing else that is installed here."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in BOTO3:
        found = importlib.util.find_spec(name).origin
        origin = Path(found).parent if found.endswith("__init__.py") else Path(found)
        (packages / origin.name).symlink_to(origin)
    (tmp_path / "functions.zip").write_bytes(package.build())
    return os.environ | {"PYTHONPATH": f"{tmp_path / 'functions.zip'}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"}


def python(environment, code):
    interpreter = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if interpreter is None:
        missing = "python3.11, which AWS Lambda runs the functions with, isn't installed"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    # -S leaves out everything that is installed and -P the current folder: what counts is PYTHONPATH.
    return subprocess.run([interpreter, "-S", "-P", "-c", code], env=environment, capture_output=True, text=True)


def test_the_archive_runs_under_python_3_11_with_nothing_but_boto3(context, alone):
    code = f"""
import importlib, sys
assert sys.version_info[:2] == (3, 11), sys.version
for handler in {[f["handler"] for f in TEMPLATE["functions"].values()]}:
    module, name = handler.rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))
    assert ".zip" in importlib.import_module(module).__file__
from functions.resolve.handler import handle
handle({{"action": "nothing", "execution_arn": "{EXECUTION}"}}, None)
"""
    done = python(alone, code)
    assert done.stderr.endswith(f"functions.common.failures.FunctionError: {SENTENCE}\n")
    assert recall(context, EXECUTION) == {"name": "FunctionError", "sentence": SENTENCE}


def test_a_handler_runs_as_a_lambda_function(context):
    aws = client("lambda")
    role = client("iam").create_role(RoleName="mammography-resolve", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    made = aws.create_function(
        FunctionName="mammography-resolve",
        Runtime=TEMPLATE["runtime"],
        Role=role,
        Handler=TEMPLATE["functions"]["resolve"]["handler"],
        Code={"ZipFile": package.build()},
        Environment={"Variables": VARIABLES},
        Publish=True,
    )
    payload = json.dumps({"action": "nothing", "execution_arn": EXECUTION}).encode()
    answer = aws.invoke(FunctionName="mammography-resolve", Qualifier=made["Version"], Payload=payload)
    error = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert error["errorMessage"].endswith(SENTENCE)
    assert recall(context, EXECUTION)["name"] == "FunctionError"
