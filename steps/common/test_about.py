import json

import pytest

from steps.common import about


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The folder in which SageMaker tells a container of its job."""
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


def test_a_page_says_which_job_made_it_of_what(config):
    inputs = [
        {"InputName": "dataset", "S3Input": {"S3Uri": "s3://bucket/<batch>.csv"}},
        {"InputName": "table", "DatasetDefinition": {}},
    ]
    told = {"ProcessingJobName": "pipelines-abc-Monitor-xyz", "ProcessingInputs": inputs}
    (config / "processingjobconfig.json").write_text(json.dumps(told))
    assert about.facts() == {"job": "pipelines-abc-Monitor-xyz", "dataset": "s3://bucket/<batch>.csv"}
    page = about.section(made="today")
    assert "<dt>dataset</dt><dd>s3://bucket/&lt;batch&gt;.csv</dd>" in page
    assert page.endswith("<dt>made</dt><dd>today</dd></dl>")


def test_outside_of_a_job_there_is_nothing_to_say(config):
    assert about.facts() == {} and about.section() == ""
