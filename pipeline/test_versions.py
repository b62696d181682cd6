"""The list of versions, and their reports: what people look at before they approve."""

import json
import re

import pytest

EXECUTION = "arn:aws:sagemaker:us-east-1:111111111111:pipeline/train/execution/one"


class TestVersions:
    def measured(self, world, compared=True, sealed=True, **objects):
        """Register a version that names measurements, and put these objects beside them; return their URL."""
        prefix = f"s3://{world.context.models_bucket}/evaluation"
        difference = {"value": 0.006, "lower": -0.0039, "upper": 0.016}
        quality = {
            "binary_classification_metrics": {"auc": {"value": 0.9591}},
            "champion_comparison": {"compared": compared, "auc_difference": difference},
        }
        for name, content in ({"evaluation.json": json.dumps(quality), "model.tar.gz": "a"} | objects).items():
            world.registry("s3").put_object(
                Bucket=world.context.models_bucket, Key=f"evaluation/{name}", Body=content.encode()
            )
        statistics = {"ContentType": "application/json", "S3Uri": f"{prefix}/evaluation.json"}
        arn = world.registry("sagemaker").create_model_package(
            ModelPackageGroupName=world.context.project,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [{"Image": world.image, "ModelDataUrl": f"{prefix}/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            ModelMetrics={"ModelQuality": {"Statistics": statistics}},
            CustomerMetadataProperties={"PipelineExecutionArn": EXECUTION},
        )["ModelPackageArn"]
        if sealed:
            world.seal(arn)
        return prefix

    def report(self, run, file, version=1):
        return run("report", "--model", version, "--out", file)

    def test_each_version_is_a_line_the_newest_first(self, run, world):
        world.version("Approved")
        prefix = self.measured(world)
        code, (heading, second, first), error = run("versions")
        assert (code, error) == (0, "") and heading.startswith("version  status")
        assert re.fullmatch(r"1        Approved +\S+", first)
        assert re.fullmatch(
            r"2        PendingManualApproval  \S+  0\.959  \+0\.006 \(95 % interval -0\.004 to \+0\.016\)  "
            rf"{EXECUTION}  {prefix}/report\.html",
            second,
        )

    def test_a_first_version_has_no_champion_to_stand_beside(self, run, world):
        self.measured(world, compared=False)
        _, (_, line), _ = run("versions")
        assert " 0.959 " in line and "interval" not in line

    def test_without_versions_there_is_a_heading(self, run, world):
        code, lines, error = run("versions")
        assert (code, len(lines), error) == (0, 1, "")

    def test_a_report_is_written_to_a_file(self, run, world, tmp_path):
        self.measured(world, **{"report.html": "<h1>AUC</h1>"})
        file = tmp_path / "report.html"
        file.write_text("An earlier one")
        assert self.report(run, file) == (0, [str(file)], "")
        assert file.read_text() == "<h1>AUC</h1>"
        assert list(tmp_path.glob(".*")) == []

    def test_a_version_that_is_not_there_has_no_report(self, run, world, tmp_path):
        sentence = f"version 7: {world.context.project} has no such version.\n"
        assert self.report(run, tmp_path / "report.html", 7) == (1, [], sentence)

    def test_a_version_without_a_report(self, run, world, tmp_path):
        world.version("Approved")
        sentence = "version 1: it was registered without a report.\n"
        assert self.report(run, tmp_path / "report.html") == (1, [], sentence)

    def test_a_report_that_is_gone(self, run, world, tmp_path):
        prefix = self.measured(world).replace("/evaluation", "/sealed/evaluation")
        sentence = f"version 1: its report isn't there any more ({prefix}/report.html).\n"
        assert self.report(run, tmp_path / "report.html") == (1, [], sentence)

    def test_a_report_is_the_one_that_was_sealed_whatever_was_written_since(self, run, world, tmp_path):
        self.measured(world, **{"report.html": "<h1>AUC</h1>"})
        bucket = world.context.models_bucket
        world.registry("s3").put_object(Bucket=bucket, Key="evaluation/report.html", Body=b"<h1>Better</h1>")
        assert self.report(run, tmp_path / "report.html")[0] == 0
        assert (tmp_path / "report.html").read_text() == "<h1>AUC</h1>"
        world.registry("s3").put_object(Bucket=bucket, Key="sealed/evaluation/report.html", Body=b"<h1>Better</h1>")
        code, _, error = self.report(run, tmp_path / "another.html")
        assert code == 1 and error.startswith("version 1: ModelTampered: ")
        assert "sealed/evaluation/report.html was overwritten" in error
        assert not (tmp_path / "another.html").exists()

    def test_a_report_of_a_version_that_is_not_sealed(self, run, world, tmp_path):
        self.measured(world, sealed=False, **{"report.html": "<h1>AUC</h1>"})
        code, _, error = self.report(run, tmp_path / "report.html")
        assert (code, error.split(": ")[1]) == (1, "ModelNotSealed")

    @pytest.mark.parametrize(
        ("name", "why"), [("none/report.html", "No such file or directory"), ("folder", "Is a directory")]
    )
    def test_a_file_that_can_not_be_written(self, run, world, tmp_path, name, why):
        (tmp_path / "folder").mkdir()
        before = sorted(tmp_path.rglob("*"))
        self.measured(world, **{"report.html": "<h1>AUC</h1>"})
        sentence = f"{tmp_path / name}: can't be written ({why}).\n"
        assert self.report(run, tmp_path / name) == (1, [], sentence)
        assert [path for path in sorted(tmp_path.rglob("*")) if "environments" not in path.parts] == [
            path for path in before if "environments" not in path.parts
        ]
