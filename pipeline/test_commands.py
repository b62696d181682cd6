"""The command lines, against accounts with a SageMaker: what they do, and each sentence with which they refuse."""

import json
import re

import pytest

from functions.common import ledger
from functions.common.ledger import Batch, Entry
from functions.common.objects import list_objects
from pipeline import account, settings
from pipeline import execution as executions
from pipeline.__main__ import main
from pipeline.conftest import RELEASE
from pipeline.difference import differences
from pipeline.execution import render
from pipeline.release import Release


def definition(world, pipeline):
    name = world.context.pipeline(pipeline)
    described = world.prod("sagemaker").describe_pipeline(PipelineName=name)
    return {name: value for name, value in described.items() if name not in ("ResponseMetadata", "LastRunTime")}


TRAINS = {name: RELEASE.functions[name] for name in ("resolve", "seal")}
"""The functions that the train pipeline names."""


class TestRender:
    def test_it_prints_what_sagemaker_takes(self, run, manifest, prod):
        code, lines, _ = run("render", "train", "--environment", "prod", "--release", manifest)
        assert code == 0 and json.loads("\n".join(lines)) == render(prod, "train", RELEASE).render()

    def test_without_a_release_variables_stand_for_it(self, run, dev):
        _, lines, _ = run("render", "inference", "--environment", "dev")
        assert json.loads("\n".join(lines)) == render(dev, "inference", Release()).render()

    def test_a_release_that_is_not_there_is_named(self, run, tmp_path):
        file = tmp_path / "none.json"
        code, lines, error = run("render", "train", "--environment", "prod", "--release", file)
        assert (code, lines, error) == (1, [], f"{file}: can't be read (No such file or directory).\n")

    @pytest.mark.parametrize(
        "arguments", [["train"], ["train", "--environment", "registry"], ["score", "--environment", "dev"], []]
    )
    def test_wrong_arguments_are_refused(self, arguments, capsys):
        with pytest.raises(SystemExit) as stopped:
            main(["render", *arguments])
        assert stopped.value.code == 2 and "usage: python -m pipeline render" in capsys.readouterr().err


@pytest.mark.parametrize("pipeline", ["train", "inference"])
def test_diff_shows_where_dev_and_prod_differ(run, pipeline, dev, prod):
    code, lines, _ = run("diff", pipeline)
    expected = differences(*(render(each, pipeline, Release()).render() for each in (dev, prod)))
    shown = [line for path, left, right in expected for line in (path, f"  dev   {left}", f"  prod  {right}")]
    assert code == 0 and lines == shown and len(lines) > 20


def test_settings_prints_an_environments_settings(run):
    code, lines, _ = run("settings", "--environment", "registry")
    assert code == 0 and json.loads("\n".join(lines))["environment"] == "registry"


def test_wrong_settings_are_one_sentence(run, world):
    file = settings.FOLDER / "dev.tfvars.json"
    file.write_text("{")
    code, _, error = run("settings", "--environment", "dev")
    assert code == 1 and error.startswith(f"{file}: not JSON (") and error.count("\n") == 1


class TestStart:
    def start(self, run, *more, pipeline="train"):
        return run("start", pipeline, "--environment", "prod", *more)

    def test_it_deploys_the_pipeline_and_starts_it(self, run, world, manifest):
        code, lines, error = self.start(run, "--release", manifest)
        assert (code, error) == (0, "") and lines == world.executions("train")
        present = definition(world, "train")
        assert json.loads(present["PipelineDefinition"]) == render(settings.load("prod"), "train", RELEASE).render()
        assert present["PipelineDescription"] == f"Release 1.4.0, commit {RELEASE.git_commit}"

    def test_without_a_release_the_one_deployed_stays(self, run, world, manifest):
        self.start(run, "--release", manifest)
        before = definition(world, "train")
        assert self.start(run)[0] == 0
        assert definition(world, "train") == before
        assert len(world.executions("train")) == 2

    def test_a_changed_setting_updates_the_pipeline_deployed(self, run, world, manifest):
        self.start(run, "--release", manifest)
        file = settings.FOLDER / "prod.tfvars.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"volume_gb": 77}))
        assert self.start(run)[0] == 0
        present = definition(world, "train")
        assert '"VolumeSizeInGB": 77' in present["PipelineDefinition"]
        assert Release.of_definition(json.loads(present["PipelineDefinition"])) == Release(
            RELEASE.version, RELEASE.git_commit, RELEASE.images, TRAINS
        )
        assert present["PipelineDescription"] == f"Release 1.4.0, commit {RELEASE.git_commit}"

    def test_a_manifest_without_function_versions_keeps_those_deployed(self, run, world, manifest):
        self.start(run, "--release", manifest)
        content = json.loads(manifest.read_text())
        del content["functions"]
        manifest.write_text(json.dumps(content | {"version": "1.5.0"}))
        assert self.start(run, "--release", manifest)[0] == 0
        found = Release.of_definition(json.loads(definition(world, "train")["PipelineDefinition"]))
        assert (found.version, found.functions) == ("1.5.0", TRAINS)

    def test_parameters_and_reason_reach_the_execution(self, run, world, manifest):
        _, (execution,), _ = self.start(
            run, "--release", manifest, "--parameter", "AucScoreThreshold=0.9", "--reason", "Looks  better\nnow"
        )
        given = world.prod("sagemaker").list_pipeline_parameters_for_execution(PipelineExecutionArn=execution)
        assert {"Name": "AucScoreThreshold", "Value": "0.9"} in given["PipelineParameters"]
        assert world.describe(execution)["PipelineExecutionDescription"] == "Looks better now"

    def test_no_pipeline_and_no_release(self, run, world):
        code, lines, error = self.start(run)
        name = world.context.pipeline("train")
        assert (code, lines) == (1, [])
        assert error == f"{name} isn't in account 333333333333 yet: give a release (--release).\n"

    def test_a_release_that_leaves_function_versions_open(self, run, world, manifest):
        content = json.loads(manifest.read_text())
        del content["functions"]
        manifest.write_text(json.dumps(content))
        code, _, error = self.start(run, "--release", manifest)
        assert code == 1
        assert error == (
            f"{world.context.pipeline('train')}: neither the release nor a deployed pipeline says what "
            "${resolve_version} is.\n"
        )

    @pytest.mark.parametrize(
        ("parameter", "sentence"),
        [
            ("Nothing=1", "parameter Nothing: the pipeline only knows InputDataUrl, AucScoreThreshold, "),
            ("AucScoreThreshold=high", "parameter AucScoreThreshold: not of type Float.\n"),
            ("TrainingInstanceCount=1.5", "parameter TrainingInstanceCount: not of type Integer.\n"),
            ("AucScoreThreshold", "parameter AucScoreThreshold: not NAME=VALUE.\n"),
            ("=0.9", "parameter =0.9: not NAME=VALUE.\n"),
        ],
    )
    def test_a_wrong_parameter_is_named_and_nothing_is_deployed(self, run, world, manifest, parameter, sentence):
        code, lines, error = self.start(run, "--release", manifest, "--parameter", parameter)
        assert (code, lines) == (1, []) and error.startswith(sentence) and error.count("\n") == 1
        with pytest.raises(world.prod("sagemaker").exceptions.ResourceNotFound):
            definition(world, "train")

    def test_a_release_file_that_is_missing(self, run, world, tmp_path):
        code, _, error = self.start(run, "--release", tmp_path / "none.json")
        assert (code, error) == (1, f"{tmp_path / 'none.json'}: can't be read (No such file or directory).\n")

    def test_it_follows_an_execution_and_tells_the_functions_own_sentence(self, run, world, manifest):
        content = json.loads(manifest.read_text())
        content["functions"]["resolve"] = world.deploy("resolve")
        manifest.write_text(json.dumps(content))
        code, lines, error = self.start(run, "--release", manifest, "--wait", pipeline="inference")
        execution, *steps, status = lines
        assert code == 1 and status == "Failed"
        assert error == (
            f"{execution}: Failed: step Resolve (NoApprovedModel): No version of {world.context.project} is approved.\n"
        )
        assert re.fullmatch(r"  Resolve          Failed   +\d+\.\d s", steps[-1])

    def test_the_train_pipeline_asks_for_labels_by_name(self, run, world, manifest):
        content = json.loads(manifest.read_text())
        content["functions"]["resolve"] = world.deploy("resolve")
        manifest.write_text(json.dumps(content))
        code, _, error = self.start(run, "--release", manifest, "--wait")
        url = f"s3://{world.context.data_bucket}/data/labelled/"
        assert code == 1
        assert error.endswith(f"step ResolveChampion (NoLabelledData): {url}: no object to train on.\n")

    def test_an_execution_that_somebody_stops_is_no_success(self, run, world, manifest):
        self.start(run, "--release", manifest)
        world.pipeline("train", world.waiting())
        execution = world.start("train")
        world.stop(execution)
        context = account.enter(settings.load("prod"))
        list(executions.follow(execution, executions.LOCAL_INTERVAL))
        assert executions.outcome(context, execution)[0] == "Stopped"


class TestFollow:
    def test_each_step_is_given_when_it_starts_and_when_it_ends(self, world):
        world.pipeline("train", world.waiting())
        context = account.enter(settings.load("prod"))
        started = world.start("train")
        steps = executions.follow(started, 0.01)
        step = next(steps)
        assert (step["StepName"], step["StepStatus"]) == ("Train", "Executing")
        world.go_on()
        (step,) = steps
        assert (step["StepName"], step["StepStatus"]) == ("Train", "Succeeded")
        assert executions.outcome(context, started) == ("Succeeded", "")


class TestAccounts:
    """Commands act in the environment's own account or not at all."""

    @pytest.fixture
    def cloud(self, local, monkeypatch):
        """Credentials as in AWS: without an endpoint for everything, so that keys are looked for as usual."""
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", local)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        return monkeypatch

    @pytest.mark.parametrize(
        "command",
        [
            ["start", "train", "--environment", "prod"],
            ["batches", "--environment", "prod"],
            ["requeue", "--environment", "prod", "--batch", "b", "--reason", "r"],
        ],
    )
    def test_credentials_of_another_account_are_refused(self, run, cloud, command):
        cloud.setenv("AWS_ACCESS_KEY_ID", "999999999999")
        code, lines, error = run(*command)
        assert (code, lines) == (1, [])
        assert error == "prod is account 333333333333, the credentials are those of 999999999999.\n"

    def test_approving_needs_the_registrys_credentials(self, run, cloud):
        cloud.setenv("AWS_ACCESS_KEY_ID", "333333333333")
        code, _, error = run("approve", "--model", "1", "--reason", "r")
        assert (code, error) == (1, "registry is account 222222222222, the credentials are those of 333333333333.\n")

    def test_missing_credentials_are_notified(self, run, cloud):
        cloud.delenv("AWS_ACCESS_KEY_ID")
        cloud.delenv("AWS_SECRET_ACCESS_KEY")
        code, _, error = run("batches", "--environment", "prod")
        assert code == 1 and error.startswith("prod: no usable credentials (Unable to locate credentials")

    def test_local_accounts_ask_for_no_profile(self, run, world, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setenv("AWS_PROFILE", "nobody-configured-it")
            assert run("batches", "--environment", "prod")[::2] == (0, "")

    def test_an_endpoint_that_does_not_answer_is_reported(self, run, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        code, _, error = run("batches", "--environment", "prod")
        assert code == 1 and "Could not connect to the endpoint URL" in error and error.count("\n") == 1


class TestApprove:
    def approve(self, run, version="1", reason="The report looks right"):
        return run("approve", "--model", version, "--reason", reason)

    def test_a_version_is_approved_with_its_reason(self, run, world):
        package = world.version("PendingManualApproval")
        assert self.approve(run, reason="The report\nlooks right ") == (0, [package], "")
        described = world.registry("sagemaker").describe_model_package(ModelPackageName=package)
        assert described["ModelApprovalStatus"] == "Approved"
        assert described["ApprovalDescription"] == "The report looks right"

    def test_a_version_that_was_rejected_can_be_approved_after_all(self, run, world):
        world.version("Rejected")
        assert self.approve(run)[0] == 0

    @pytest.mark.parametrize("version", ["2", "0", "-1"])
    def test_a_version_that_is_not_there(self, run, world, version):
        world.version("PendingManualApproval")
        code, _, error = self.approve(run, version)
        assert (code, error) == (1, f"version {version}: {world.context.project} has no such version.\n")

    def test_a_version_that_is_approved_already(self, run, world):
        world.version("PendingManualApproval")
        self.approve(run)
        code, _, error = self.approve(run, reason="Again")
        assert (code, error) == (1, "version 1: approved already (The report looks right).\n")

    @pytest.mark.parametrize("reason", ["", " \n "])
    def test_a_reason_has_to_be_given(self, run, world, reason):
        package = world.version("PendingManualApproval")
        code, _, error = self.approve(run, reason=reason)
        assert (code, error) == (1, "--reason: a reason has to be given.\n")
        described = world.registry("sagemaker").describe_model_package(ModelPackageName=package)
        assert described["ModelApprovalStatus"] == "PendingManualApproval"

    def test_a_reason_is_stored_whole_or_not_at_all(self, run, world):
        code, _, error = self.approve(run, reason="x" * 1025)
        assert (code, error) == (1, "--reason: longer than 1024 characters.\n")


class TestRequeue:
    @pytest.fixture
    def batch(self, world):
        """A batch that was quarantined."""
        url = world.put("data/batches/shifted.csv")
        world.pipeline("inference", world.waiting())
        account.enter(settings.load("prod"))
        batch = Batch.of(url, list_objects(url))
        ledger.write(world.context, Entry(batch, ledger.QUARANTINED, "arn:earlier", 1, sentence="Drift."), None)
        return batch

    def release(self, run, batch, reason="Looked at it: a new scanner"):
        return run("requeue", "--environment", "prod", "--batch", batch, "--reason", reason)

    def test_a_batch_is_requeued_and_scored(self, run, world, batch):
        code, lines, error = self.release(run, batch.id)
        assert (code, error) == (0, "") and lines == world.executions("inference")
        assert world.describe(lines[0])["PipelineExecutionDescription"] == "Requeued: Looked at it: a new scanner"
        given = world.prod("sagemaker").list_pipeline_parameters_for_execution(PipelineExecutionArn=lines[0])
        assert given["PipelineParameters"] == [{"Name": "BatchDataUrl", "Value": batch.url}]
        requeued = ledger.read(world.context, batch.id)[0].requeued
        assert requeued["reason"] == "Looked at it: a new scanner" and requeued["by"]

    def test_a_batch_that_is_not_in_the_ledger(self, run, world, batch):
        code, _, error = self.release(run, "other-0123456789ab")
        assert (code, error) == (1, "batch other-0123456789ab: not in the ledger of prod.\n")

    def test_a_batch_that_is_not_quarantined(self, run, world, batch):
        entry, etag = ledger.read(world.context, batch.id)
        ledger.write(world.context, entry.becomes(ledger.SCORED), etag)
        code, _, error = self.release(run, batch.id)
        assert code == 1
        assert error == f"Batch {batch.id} is scored: only one that is quarantined or failed can be requeued.\n"

    def test_a_reason_has_to_be_given(self, run, world, batch):
        assert self.release(run, batch.id, " ") == (1, [], "--reason: a reason has to be given.\n")
        assert ledger.read(world.context, batch.id)[0].requeued is None

    def test_a_batch_has_to_be_named(self, run):
        assert self.release(run, "") == (1, [], "--batch: a batch has to be named.\n")

    def test_no_pipeline_deployed(self, run, world, batch):
        world.prod("sagemaker").delete_pipeline(PipelineName=world.context.pipeline("inference"))
        code, _, error = self.release(run, batch.id)
        assert (code, error) == (1, f"{world.context.pipeline('inference')} isn't in account 333333333333.\n")

    def test_batches_prints_what_became_of_each(self, run, world, batch):
        world.put("data/batches/new.csv")
        reason = "Looked at it: [red] is a column, " + "and so on " * 30
        self.release(run, batch.id, reason)
        code, (heading, pending, quarantined), _ = run("batches", "--environment", "prod")
        assert code == 0 and heading.split() == ["batch", "arrived", "state", "version", "rows", "drift", "what"]
        assert pending.startswith("new-") and pending.endswith(" pending")
        assert (
            quarantined.startswith(batch.id)
            and " quarantined " in quarantined
            and "Drift. (requeued by " in quarantined
        )
        assert quarantined.endswith(f"{reason.strip()})")
