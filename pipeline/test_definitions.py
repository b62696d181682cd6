"""What holds for both rendered definitions, in dev and in prod."""

import dataclasses
import json
import re

import pytest

from functions.common import recent
from functions.common.contract import DRIFT, MONITOR, QUALITY
from pipeline import train
from pipeline.conftest import RELEASE
from pipeline.difference import differences
from pipeline.execution import DEFINITIONS, render
from pipeline.names import Names
from pipeline.release import Release, steps_of, texts
from pipeline.settings import load
from steps.common.schema import Schema

EXECUTION_ID = {"Get": "Execution.PipelineExecutionId"}
BOTH = [(pipeline, environment) for pipeline in DEFINITIONS for environment in ("dev", "prod")]


def rendered(pipeline, environment, release=RELEASE):
    return render(load(environment, local=False), pipeline, release).render()


def steps(definition):
    return {step["Name"]: step for step in steps_of(definition["Steps"])}


def values(value, key):
    """Give every value that stands under a key, at any depth."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == key:
                yield item
            yield from values(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from values(item, key)


def outputs(definition):
    """Give (S3 URI, key it is encrypted with) of everything that jobs write."""
    for step in steps_of(definition["Steps"]):
        arguments = step["Arguments"]
        if step["Type"] == "Processing":
            for output in arguments["ProcessingOutputConfig"]["Outputs"]:
                yield output["S3Output"]["S3Uri"], arguments["ProcessingOutputConfig"]["KmsKeyId"]
        elif step["Type"] == "Training":
            yield arguments["OutputDataConfig"]["S3OutputPath"], arguments["OutputDataConfig"]["KmsKeyId"]
        elif step["Type"] == "Transform":
            yield arguments["TransformOutput"]["S3OutputPath"], arguments["TransformOutput"]["KmsKeyId"]


@pytest.mark.parametrize(("pipeline", "environment"), BOTH)
class TestBoth:
    def test_every_output_prefix_contains_the_execution_id(self, pipeline, environment):
        found = [uri for uri, _ in outputs(rendered(pipeline, environment))]
        assert found
        for uri in found:
            assert uri["Std:Join"]["On"] == "/"
            assert uri["Std:Join"]["Values"][1] == EXECUTION_ID
            assert len(uri["Std:Join"]["Values"]) > 2

    def test_outputs_are_encrypted_with_the_key_of_the_account_that_they_lie_in(self, pipeline, environment):
        names = Names(load(environment, local=False))
        keys = {names.data_bucket: names.data_key, names.models_bucket: names.models_key}
        for uri, key in outputs(rendered(pipeline, environment)):
            assert key == keys[uri["Std:Join"]["Values"][0].split("/")[2]]

    def test_outputs_never_share_a_prefix(self, pipeline, environment):
        locations = [
            "/".join(map(str, uri["Std:Join"]["Values"])) for uri, _ in outputs(rendered(pipeline, environment))
        ]
        for one in locations:
            assert [other for other in locations if other.startswith(one)] == [one]

    def test_volumes_are_encrypted_with_a_key_and_not_an_alias(self, pipeline, environment):
        first = rendered(pipeline, environment)["Steps"][0]["Name"]
        found = list(values(rendered(pipeline, environment), "VolumeKmsKeyId"))
        assert found and all(key == {"Get": f"Steps.{first}.OutputParameters['VolumeKey']"} for key in found)

    def test_no_condition_stands_within_another(self, pipeline, environment):
        (condition,) = [step for step in rendered(pipeline, environment)["Steps"] if step["Type"] == "Condition"]
        inner = condition["Arguments"]["IfSteps"] + condition["Arguments"]["ElseSteps"]
        assert inner and "Condition" not in {step["Type"] for step in inner}

    def test_jobs_are_cut_off_from_the_network(self, pipeline, environment):
        definition = rendered(pipeline, environment)
        jobs = [s for s in steps(definition).values() if s["Type"] in ("Processing", "Training", "Model")]
        assert all(list(values(job, "EnableNetworkIsolation")) == [True] for job in jobs)

    def test_images_are_named_by_digest_in_this_accounts_registry(self, pipeline, environment):
        account = load(environment, local=False).account
        for text in texts(rendered(pipeline, environment)):
            if ".dkr.ecr." in text:
                image = rf"{account}\.dkr\.ecr\.us-east-1\.amazonaws\.com/mammography/[a-z]+@sha256:[0-9a-f]{{64}}"
                assert re.fullmatch(image, text)

    def test_functions_are_named_by_published_version(self, pipeline, environment):
        for text in texts(rendered(pipeline, environment)):
            if ":lambda:" in text:
                assert re.search(r":function:mammography-(resolve|seal|record):\d+$", text)

    def test_each_step_has_a_role_of_its_own(self, pipeline, environment):
        account = load(environment, local=False).account
        for step in steps(rendered(pipeline, environment)).values():
            for role in values(step["Arguments"], "RoleArn"):
                assert role.startswith(f"arn:aws:iam::{account}:role/mammography-")
                assert not role.endswith("-pipeline")

    def test_the_same_settings_give_the_same_text(self, pipeline, environment):
        settings = load(environment, local=False)
        text = render(settings, pipeline, RELEASE).text()
        assert text == render(settings, pipeline, RELEASE).text()
        assert json.loads(text) == rendered(pipeline, environment)

    def test_the_release_can_be_read_back(self, pipeline, environment):
        found = Release.of_definition(rendered(pipeline, environment))
        assert found.images.items() <= RELEASE.images.items()
        assert found.functions.items() <= RELEASE.functions.items()
        if pipeline == "train":
            assert (found.version, found.git_commit) == (RELEASE.version, RELEASE.git_commit)
        assert rendered(pipeline, environment, found) == rendered(pipeline, environment)

    def test_what_no_release_says_stays_a_variable(self, pipeline, environment):
        variables = set(re.findall(r"\$\{(\w+)\}", json.dumps(rendered(pipeline, environment, Release()))))
        assert variables == {
            "train": {
                "resolve_version", "seal_version", "preprocess_digest", "train_digest", "evaluate_digest",
                "monitor_digest", "infer_digest", "release_version", "git_commit",
            },
            "inference": {"resolve_version", "record_version", "monitor_digest"},
            "quality": {"resolve_version", "monitor_digest"},
        }[pipeline]  # fmt: skip


@pytest.mark.parametrize("pipeline", DEFINITIONS)
def test_dev_and_prod_differ_in_accounts_buckets_roles_and_images_alone(pipeline):
    settings = {name: load(name, local=False) for name in ("dev", "prod")}
    dev, prod = (rendered(pipeline, name, Release()) for name in settings)
    found = list(differences(dev, prod))
    assert found
    kinds = (
        r"s3://mammography-data-{id}/[\w/-]+",
        r"s3://mammography-models-222222222222/{environment}/mammography-train",
        r"arn:aws:iam::{id}:role/mammography-[a-z]+",
        r"arn:aws:kms:us-east-1:{id}:alias/mammography-data",
        r"arn:aws:lambda:us-east-1:{id}:function:mammography-[a-z]+:\$\{{\w+\}}",
        r"{id}\.dkr\.ecr\.us-east-1\.amazonaws\.com/mammography/[a-z]+@\$\{{\w+\}}",
    )
    for path, left, right in found:
        for value, environment in ((left, settings["dev"]), (right, settings["prod"])):
            allowed = [kind.format(id=environment.account, environment=environment.environment) for kind in kinds]
            assert any(re.fullmatch(kind, value) for kind in allowed), path
    # Nothing else: the ids and the folder in the models bucket are the whole difference.
    text = json.dumps(dev).replace("111111111111", "333333333333").replace("222222222222/dev/", "222222222222/prod/")
    assert json.loads(text) == prod


class TestTrain:
    def test_its_parameters_are_those_that_clients_rely_on(self):
        parameters = {p["Name"]: p for p in rendered("train", "dev")["Parameters"]}
        assert list(parameters) == [
            "InputDataUrl", "AucScoreThreshold", "ProcessingInstanceType", "ProcessingInstanceCount",
            "TrainingInstanceType", "TrainingInstanceCount",
        ]  # fmt: skip
        assert parameters["AucScoreThreshold"] == {"Name": "AucScoreThreshold", "Type": "Float", "DefaultValue": 0.85}
        assert parameters["InputDataUrl"]["DefaultValue"] == "s3://mammography-data-111111111111/data/labelled/"
        assert parameters["TrainingInstanceCount"]["Type"] == "Integer"

    def test_its_steps_are_those_of_a_models_life(self):
        definition = rendered("train", "prod")
        assert [(s["Name"], s["Type"]) for s in definition["Steps"]] == [
            ("ResolveChampion", "Lambda"), ("Preprocess", "Processing"), ("Train", "Training"),
            ("Evaluate", "Processing"), ("Gate", "Condition"),
        ]  # fmt: skip
        gate = steps(definition)["Gate"]["Arguments"]
        assert [(s["Name"], s["Type"]) for s in gate["IfSteps"]] == [
            ("Baseline", "Processing"), ("Seal", "Lambda"), ("Register", "RegisterModel"),
        ]  # fmt: skip
        assert [(s["Name"], s["Type"]) for s in gate["ElseSteps"]] == [("MissedGate", "Fail")]

    def test_its_gate_asks_for_the_threshold_and_for_no_loss_against_the_champion(self):
        threshold, champion = steps(rendered("train", "prod"))["Gate"]["Arguments"]["Conditions"]
        assert threshold["Type"] == champion["Type"] == "GreaterThanOrEqualTo"
        assert threshold["LeftValue"]["Std:JsonGet"]["Path"] == "binary_classification_metrics.auc.value"
        assert threshold["RightValue"] == {"Get": "Parameters.AucScoreThreshold"}
        assert champion["LeftValue"]["Std:JsonGet"]["Path"] == "champion_comparison.auc_difference.upper"
        assert champion["RightValue"] == 0.0

    def test_the_champion_is_an_input_of_evaluate_whether_there_is_one_or_not(self):
        inputs = steps(rendered("train", "prod"))["Evaluate"]["Arguments"]["ProcessingInputs"]
        champion = {entry["InputName"]: entry["S3Input"]["S3Uri"] for entry in inputs}["champion"]
        assert champion == {"Get": "Steps.ResolveChampion.OutputParameters['ModelDataUrl']"}

    def test_register_carries_the_sealed_copies_of_what_a_version_is_evaluated_and_watched_by(self):
        package = steps(rendered("train", "prod"))["Register"]["Arguments"]

        def sealed(quality):
            return {name: metric["S3Uri"]["Get"] for name, metric in quality.items()}

        def output(name):
            return f"Steps.Seal.OutputParameters['{name}']"

        for holder in ("ModelMetrics", "DriftCheckBaselines"):
            assert sealed(package[holder]["ModelQuality"]) == {"Statistics": output("Evaluation")}
            assert sealed(package[holder]["ModelDataQuality"]) == {
                "Statistics": output("Statistics"),
                "Constraints": output("Constraints"),
            }
        (container,) = package["InferenceSpecification"]["Containers"]
        assert container["ModelDataUrl"] == {"Get": output("ModelDataUrl")}
        assert package["CustomerMetadataProperties"]["RecordDigest"] == {"Get": output("RecordDigest")}

    def test_what_is_sealed_is_what_is_registered(self):
        found = steps(rendered("train", "prod"))
        sealed, package = found["Seal"]["Arguments"], found["Register"]["Arguments"]
        (container,) = package["InferenceSpecification"]["Containers"]
        recorded = sealed["inference_specification"]
        assert recorded["Containers"] == [{"Image": container["Image"]}]
        assert {**recorded, "Containers": [container]} == package["InferenceSpecification"]
        assert sealed["archive"] == {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
        baseline, evaluation = sealed["baseline"]["Get"], sealed["evaluation"]["Get"]
        assert baseline == "Steps.Baseline.ProcessingOutputConfig.Outputs['baseline'].S3Output.S3Uri"
        assert evaluation == "Steps.Evaluate.ProcessingOutputConfig.Outputs['evaluation'].S3Output.S3Uri"

    def test_a_version_carries_what_scores_it(self):
        package = steps(rendered("train", "prod"))["Register"]["Arguments"]
        inference = package["InferenceSpecification"]
        assert inference["SupportedContentTypes"] == ["text/csv"]
        assert inference["SupportedResponseMIMETypes"] == ["text/csv", "application/jsonlines"]
        assert all(name.startswith("ml.") for name in inference["SupportedTransformInstanceTypes"])
        assert all(name.startswith("ml.") for name in inference["SupportedRealtimeInferenceInstanceTypes"])

    def test_register_goes_to_the_registry_account_and_carries_the_lineage(self):
        package = steps(rendered("train", "prod"))["Register"]["Arguments"]
        assert package["ModelPackageGroupName"] == Names(load("prod", local=False)).group
        metadata = package["CustomerMetadataProperties"]
        assert metadata["Release"] == RELEASE.version and metadata["GitCommit"] == RELEASE.git_commit
        assert metadata["InferImageDigest"] == RELEASE.images["infer"]
        assert {"PipelineExecutionArn", "TrainingSet", "TrainingSetUrl", "Champion", "Reason"} <= set(metadata)

    @pytest.mark.parametrize("environment", ["dev", "prod"])
    def test_register_never_approves_and_no_parameter_can_make_it(self, environment):
        definition = rendered("train", environment)
        statuses = list(values(definition, "ModelApprovalStatus"))
        assert statuses == ["PendingManualApproval"]
        assert "Approved" not in set(texts(definition))
        assert not [p for p in definition["Parameters"] if "Approv" in p["Name"]]

    def test_constraints_of_monotony_follow_the_tables_columns(self):
        hyperparameters = steps(rendered("train", "prod"))["Train"]["Arguments"]["HyperParameters"]
        assert hyperparameters["monotone_constraints"] == train.monotone_constraints()
        assert hyperparameters["monotone_constraints"].count(",") + 1 == len(Schema.read().columns)
        assert set(hyperparameters["monotone_constraints"]) <= set("(),-01")

    def test_hosts_share_the_training_rows_and_see_all_validation_rows(self):
        channels = steps(rendered("train", "prod"))["Train"]["Arguments"]["InputDataConfig"]
        kinds = {c["ChannelName"]: c["DataSource"]["S3DataSource"]["S3DataDistributionType"] for c in channels}
        assert kinds == {"train": "ShardedByS3Key", "validation": "FullyReplicated"}


class TestInference:
    def test_its_parameters_are_those_that_clients_rely_on(self):
        parameters = {p["Name"]: p["DefaultValue"] for p in rendered("inference", "prod")["Parameters"]}
        assert list(parameters) == [
            "BatchDataUrl", "ProcessingInstanceType", "ProcessingInstanceCount", "TransformInstanceType",
        ]  # fmt: skip
        assert parameters["BatchDataUrl"] == "newest"

    def test_its_steps_are_those_of_a_batchs_life(self):
        definition = rendered("inference", "prod")
        assert [(s["Name"], s["Type"]) for s in definition["Steps"]] == [
            ("Resolve", "Lambda"), ("Monitor", "Processing"), ("CheckVerdict", "Condition"),
        ]  # fmt: skip
        check = steps(definition)["CheckVerdict"]["Arguments"]
        assert [(s["Name"], s["Type"]) for s in check["IfSteps"]] == [("Drift", "Fail")]
        assert [(s["Name"], s["Type"]) for s in check["ElseSteps"]] == [
            ("CreateModel", "Model"), ("Transform", "Transform"), ("Record", "Lambda"),
        ]  # fmt: skip

    def test_drift_refuses_only_a_batch_that_was_not_requeued(self):
        drift, enforced = steps(rendered("inference", "prod"))["CheckVerdict"]["Arguments"]["Conditions"]
        assert drift["LeftValue"]["Std:JsonGet"]["Path"] == "drift" and drift["RightValue"] is True
        assert enforced["LeftValue"] == {"Get": "Steps.Resolve.OutputParameters['Enforce']"}
        assert enforced["RightValue"] == "true"

    def test_the_image_that_scores_is_the_one_that_resolve_found(self):
        container = steps(rendered("inference", "prod"))["CreateModel"]["Arguments"]["PrimaryContainer"]
        assert container["Image"] == {"Get": "Steps.Resolve.OutputParameters['Image']"}

    def test_the_monitor_sees_what_was_found_of_earlier_batches(self):
        arguments = steps(rendered("inference", "prod"))["Monitor"]["Arguments"]
        (earlier,) = [each["S3Input"] for each in arguments["ProcessingInputs"] if each["InputName"] == "earlier"]
        assert earlier["S3Uri"].endswith(f"/{recent.PREFIX}")
        assert arguments["Environment"]["earlier_results"] == earlier["LocalPath"]

    def test_batches_have_no_header_line(self):
        definition = steps(rendered("inference", "prod"))
        assert definition["Transform"]["Arguments"]["TransformInput"]["SplitType"] == "Line"
        environment = definition["Monitor"]["Arguments"]["Environment"]
        assert json.loads(environment["dataset_format"]) == {"csv": {"header": False}}


class TestQuality:
    def test_its_parameters_are_those_that_clients_rely_on(self):
        parameters = {p["Name"]: p["DefaultValue"] for p in rendered("quality", "prod")["Parameters"]}
        assert list(parameters) == ["GroundTruthUrl", "ProcessingInstanceType", "ProcessingInstanceCount"]
        assert parameters["GroundTruthUrl"] == "s3://mammography-data-333333333333/data/ground-truth/"

    def test_a_model_that_is_worse_ends_as_a_batch_that_drifted_does(self):
        definition = rendered("quality", "prod")
        assert [(s["Name"], s["Type"]) for s in definition["Steps"]] == [
            ("Resolve", "Lambda"), ("Quality", "Processing"), ("CheckQuality", "Condition"),
        ]  # fmt: skip
        check = steps(definition)["CheckQuality"]["Arguments"]
        (drift,) = check["Conditions"]
        assert drift["LeftValue"]["Std:JsonGet"]["Path"] == "drift" and drift["RightValue"] is True
        assert [(s["Name"], s["Type"]) for s in check["IfSteps"]] == [(DRIFT, "Fail")]
        assert check["ElseSteps"] == []

    def test_its_job_reads_what_resolve_listed_and_nothing_else(self):
        arguments = steps(rendered("quality", "prod"))["Quality"]["Arguments"]
        inputs = {each["InputName"]: each["S3Input"] for each in arguments["ProcessingInputs"]}
        assert {name: (each["S3DataType"], each["S3Uri"]["Get"]) for name, each in inputs.items()} == {
            "predictions": ("ManifestFile", "Steps.Resolve.OutputParameters['Predictions']"),
            "ground_truth": ("ManifestFile", "Steps.Resolve.OutputParameters['GroundTruth']"),
            "statistics": ("S3Prefix", "Steps.Resolve.OutputParameters['Statistics']"),
        }
        environment = arguments["Environment"]
        assert environment["analysis_type"] == "MODEL_QUALITY"
        assert environment["dataset_source"] == inputs["predictions"]["LocalPath"]
        assert environment["ground_truth_source"] == inputs["ground_truth"]["LocalPath"]
        assert environment["baseline_statistics"] == f"{inputs['statistics']['LocalPath']}/evaluation.json"

    def test_its_step_is_one_that_on_failure_looks_for(self):
        job = steps(rendered("quality", "prod"))["Quality"]
        assert job["Name"] == QUALITY and MONITOR in steps(rendered("inference", "prod"))
        assert [o["OutputName"] for o in job["Arguments"]["ProcessingOutputConfig"]["Outputs"]] == ["monitoring"]


@pytest.mark.parametrize("pipeline", DEFINITIONS)
def test_jobs_run_in_a_network_where_the_settings_name_one(pipeline, prod):
    network = dataclasses.replace(prod.network, subnet_ids=("subnet-1",), security_group_ids=("sg-1",))
    definition = render(dataclasses.replace(prod, network=network), pipeline, RELEASE).render()
    inside = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    jobs = [s for s in steps(definition).values() if s["Type"] in ("Processing", "Training", "Model")]
    assert all(list(values(job, "VpcConfig")) == [inside] for job in jobs)
