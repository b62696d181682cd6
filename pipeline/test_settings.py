import dataclasses
import json
import re
import shutil

import pytest

from pipeline import settings
from pipeline.settings import ENVIRONMENTS, FOLDER, WrongSettings, load


@pytest.fixture
def folder(tmp_path):
    for file in FOLDER.glob("*.tfvars.json"):
        shutil.copy(file, tmp_path)
    return tmp_path


def change(folder, file, changes):
    """Set settings in a file, by dotted name; None takes one out."""
    path = folder / f"{file}.tfvars.json"
    content = json.loads(path.read_text())
    for name, value in changes.items():
        *outer, last = name.split(".")
        inner = content
        for part in outer:
            inner = inner[part]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("local", [True, False])
def test_every_environment_has_its_settings(environment, local):
    found = load(environment, local)
    assert found.environment == environment
    assert found.account == getattr(found.accounts, environment)


def test_the_accounts_of_local_runs_are_those_that_clients_rely_on():
    found = load("dev", local=True)
    assert dataclasses.asdict(found.accounts) == {
        "dev": "111111111111", "registry": "222222222222", "prod": "333333333333",
    }  # fmt: skip
    assert (found.project, found.region, found.auc_score_threshold) == ("mammography", "us-east-1", 0.85)


def test_a_later_layer_replaces_whole_settings(folder):
    change(folder, "dev", {"instance_counts": {"processing": 2, "training": 3}, "volume_gb": 31})
    found = load("dev", False, folder)
    assert (found.instance_counts.processing, found.instance_counts.training, found.volume_gb) == (2, 3, 31)
    assert found.max_runtime_seconds == load("prod", False, folder).max_runtime_seconds


def test_the_local_layer_counts_only_against_local_accounts(folder, monkeypatch):
    change(folder, "local", {"key_deletion_days": 8})
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert load("dev", folder=folder).key_deletion_days == 30
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert load("dev", folder=folder).key_deletion_days == 8


@pytest.mark.parametrize("url", ["garbage", "127.0.0.1:4566", "http://", "http:// ", "ftp://127.0.0.1"])
def test_an_endpoint_that_is_no_url_is_named(folder, monkeypatch, url):
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(WrongSettings) as refused:
        load("dev", folder=folder)
    assert str(refused.value) == f"AWS_ENDPOINT_URL={url}: not a URL such as http://127.0.0.1:4566."


def test_every_setting_is_explained():
    readme = (FOLDER / "README.md").read_text()
    for setting in dataclasses.fields(settings.Settings):
        assert f"`{setting.name}`" in readme


WRONG = [
    ("dev", {"colour": "red"}, "dev.tfvars.json: setting colour is unknown."),
    ("shared", {"volume_gb": None}, "dev.tfvars.json: setting volume_gb is missing."),
    ("shared", {"retrain.cap": 1}, "shared.tfvars.json: setting retrain.cap is unknown."),
    ("shared", {"retrain.daily_cap": None}, "shared.tfvars.json: setting retrain.daily_cap is missing."),
    ("dev", {"environment": "prod"}, "dev.tfvars.json: setting environment isn't the file's own name."),
    ("shared", {"project": 7}, "shared.tfvars.json: setting project isn't a text."),
    ("shared", {"volume_gb": 30.5}, "shared.tfvars.json: setting volume_gb isn't a whole number."),
    ("shared", {"volume_gb": True}, "shared.tfvars.json: setting volume_gb isn't a whole number."),
    ("shared", {"auc_score_threshold": "0.85"}, "shared.tfvars.json: setting auc_score_threshold isn't a number."),
    ("dev", {"protected": "yes"}, "dev.tfvars.json: setting protected isn't true or false."),
    ("shared", {"network.isolation": 1}, "shared.tfvars.json: setting network.isolation isn't true or false."),
    ("shared", {"notification_addresses": "a@b"}, "setting notification_addresses isn't a list."),
    ("shared", {"notification_addresses": [1]}, "setting notification_addresses isn't a text."),
    ("shared", {"hyperparameters": []}, "setting hyperparameters isn't an object."),
    ("shared", {"hyperparameters.eta": 0.1}, "setting hyperparameters.eta isn't a text."),
    ("shared", {"accounts": "111111111111"}, "setting accounts isn't an object."),
    ("shared", {"accounts.dev": "1234"}, "setting accounts.dev isn't a 12-digit account id."),
    ("shared", {"accounts.dev": "333333333333"}, "setting accounts names one account twice."),
    ("shared", {"project": "Mammography"}, "setting project isn't 2 to 25 small letters, digits and hyphens."),
    ("shared", {"region": "Frankfurt"}, "setting region isn't an AWS region."),
    ("shared", {"auc_score_threshold": 85}, "setting auc_score_threshold isn't between 0 and 1."),
    ("shared", {"auc_score_threshold": float("nan")}, "setting auc_score_threshold isn't between 0 and 1."),
    ("dev", {"instance_types": {"processing": "m5.large", "training": "ml.m5.large", "transform": "ml.m5.large"}},
     "dev.tfvars.json: setting instance_types.processing isn't an instance type of SageMaker (ml.…)."),
    ("shared", {"instance_counts.training": 0}, "setting instance_counts.training is less than 1."),
    ("shared", {"retrain.cooldown_hours": -1}, "setting retrain.cooldown_hours isn't between 0 and 8760 (a year)."),
    ("shared", {"retrain.cooldown_hours": 1e300}, "setting retrain.cooldown_hours isn't between 0 and 8760 (a year)."),
    ("shared", {"retrain.daily_cap": -1}, "setting retrain.daily_cap is negative."),
    ("shared", {"batch_schedule": "daily"}, "setting batch_schedule isn't a schedule expression such as rate(1 day)."),
    ("shared", {"notification_addresses": ["me"]}, "notification_addresses holds something that isn't an e-mail"),
    ("dev", {"log_retention_days": 31}, "setting log_retention_days isn't one of (1, 3, 5, 7, 14, 30,"),
    ("shared", {"key_deletion_days": 3}, "setting key_deletion_days isn't between 7 and 30."),
    ("shared", {"volume_gb": 0}, "setting volume_gb isn't between 1 and 16384."),
    ("shared", {"max_runtime_seconds": 432001}, "setting max_runtime_seconds isn't between 1 and 432000 (5 days)."),
    ("shared", {"monthly_budget_usd": 0}, "setting monthly_budget_usd is less than 1."),
    ("shared", {"network.subnet_ids": ["subnet-1"]}, "setting network has subnets without security groups"),
    ("shared", {"network.endpoints": True}, "setting network.endpoints is true without subnets."),
    ("shared", {"ci.account": "1"}, "setting ci.account isn't a 12-digit account id."),
    ("shared", {"ci.role": "a b"}, "setting ci.role isn't the name of a role."),
    ("shared", {"ci.external_id": ""}, "setting ci.external_id isn't 2 to 1224 letters, digits and +=,.@:/-."),
    ("shared", {"ci.oidc_issuer": "https://x.org"}, "setting ci.oidc_issuer isn't the issuer's host and path"),
    ("shared", {"ci.oidc_issuer": "x.org"}, "setting ci has an OIDC issuer without a subject, or the other way round."),
]  # fmt: skip


@pytest.mark.parametrize(("file", "changes", "sentence"), WRONG, ids=[str(changes) for _, changes, _ in WRONG])
def test_a_wrong_setting_is_one_sentence_that_names_file_and_setting(folder, file, changes, sentence):
    change(folder, file, changes)
    with pytest.raises(WrongSettings) as wrong:
        load("dev", False, folder)
    text = str(wrong.value)
    assert sentence in text and text.startswith(str(folder)) and "\n" not in text
    assert re.match(r".*\.tfvars\.json: setting ", text)


def test_a_nested_setting_is_blamed_on_the_layer_that_set_it(folder):
    change(folder, "prod", {"retrain.daily_cap": -1})
    with pytest.raises(WrongSettings, match=r"prod\.tfvars\.json: setting retrain\.daily_cap is negative"):
        load("prod", False, folder)


def test_an_unknown_environment_is_refused():
    with pytest.raises(WrongSettings, match=r"^environment test: there are only dev, registry, prod\.$"):
        load("test")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "can't be read (No such file or directory)."),
        (b"{", "not JSON ("),
        (b"\xff\xfe", "not JSON ("),
        (b"[]", "not a JSON object of settings."),
    ],
)
def test_a_file_that_is_no_settings_file_is_named(folder, content, sentence):
    file = folder / "dev.tfvars.json"
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(WrongSettings) as wrong:
        load("dev", False, folder)
    assert str(wrong.value).startswith(f"{file}: {sentence}")
