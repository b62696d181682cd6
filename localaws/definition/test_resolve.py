import pytest

from localaws.definition import InvalidDefinition, Unresolvable, resolve
from localaws.definition.references import keys

DOCUMENT = {
    "metrics": {"auc": {"value": 0.9}, "dotted.name": 1, "of": [{"x": 1}, {"x": 2}]},
    "flag": False,
    "text": "t",
    "nothing": None,
}


class Scope:
    parameters = {"Count": 2, "Rate": 0.5, "Name": "n", "On": True}  # noqa: RUF012
    execution = {"PipelineExecutionId": "abc"}  # noqa: RUF012

    def properties(self, step):
        if step != "Process":
            raise LookupError(step)
        outputs = [
            {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}},
            {"OutputName": "result", "S3Output": {"S3Uri": "s3://b/result"}},
        ]
        return {
            "ProcessingJobName": "job",
            "ProcessingOutputConfig": {"Outputs": outputs},
            "Environment": {"a.b": "dotted"},
        }

    def property_file(self, step, file):
        if file != "File":
            raise LookupError(file)
        return DOCUMENT

    def json_object(self, uri):
        if uri != "s3://b/result/file.json":
            raise LookupError(uri)
        return DOCUMENT


def get(path):
    return {"Get": path}


def json_get(path, file="File"):
    return {"Std:JsonGet": {"PropertyFile": get(f"Steps.Process.PropertyFiles.{file}"), "Path": path}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ({"a": [1, None, {"b": get("Parameters.Count")}]}, {"a": [1, None, {"b": 2}]}),
        (get("Parameters.Rate"), 0.5),
        (get("Parameters.On"), True),
        (get("Execution.PipelineExecutionId"), "abc"),
        (get("Steps.Process.ProcessingJobName"), "job"),
        (get("Steps.Process.ProcessingOutputConfig.Outputs['result'].S3Output.S3Uri"), "s3://b/result"),
        (get('Steps.Process.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri'), "s3://b/train"),
        (get("Steps.Process.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"), "s3://b/train"),
        (get("Steps.Process.Environment['a.b']"), "dotted"),
        ({"Std:Join": {"On": "/", "Values": ["s3:/", get("Parameters.Name"), get("Parameters.Count")]}}, "s3://n/2"),
        ({"Std:Join": {"Values": ["a", get("Parameters.On"), 0.5]}}, "atrue0.5"),
        ({"Std:Join": {"On": ",", "Values": []}}, ""),
        ({"Std:Join": {"On": "-", "Values": [{"Std:Join": {"Values": ["a", "b"]}}, json_get("text")]}}, "ab-t"),
        (json_get("metrics.auc.value"), 0.9),
        (json_get("$.metrics.auc.value"), 0.9),
        (json_get("metrics['auc']['value']"), 0.9),
        (json_get("metrics['dotted.name']"), 1),
        (json_get("metrics.of[1].x"), 2),
        (json_get("metrics.of[-1].x"), 2),
        (json_get("flag"), False),
        (json_get("nothing"), None),
        ({"Std:JsonGet": {"S3Uri": "s3://b/result/file.json", "Path": "text"}}, "t"),
        (
            {
                "Std:JsonGet": {
                    "S3Uri": {
                        "Std:Join": {
                            "On": "/",
                            "Values": [
                                get("Steps.Process.ProcessingOutputConfig.Outputs['result'].S3Output.S3Uri"),
                                "file.json",
                            ],
                        }
                    },
                    "Path": "metrics.of[0].x",
                }
            },
            1,
        ),
        ({"Get": "Parameters.Count", "and": "more"}, {"Get": "Parameters.Count", "and": "more"}),
    ],
)
def test_references_become_values_of_their_own_types(value, expected):
    resolved = resolve(value, Scope())
    assert resolved == expected and type(resolved) is type(expected)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (get("Parameters.None"), "Parameters.None has no value in this execution"),
        (get("Steps.Other.ProcessingJobName"), "Steps.Other.ProcessingJobName has no value in this execution"),
        (get("Steps.Process.ExitMessage"), "Steps.Process.ExitMessage has no value in this execution"),
        (get("Steps.Process.ProcessingOutputConfig.Outputs['no'].S3Output"), "has no value in this execution"),
        (get("Steps.Process.ProcessingOutputConfig.Outputs[2].S3Output"), "has no value in this execution"),
        (get("Steps.Process.ProcessingJobName.More"), "has no value in this execution"),
        (json_get("metrics.f1"), "the property file File of step Process has nothing at metrics.f1"),
        (json_get("metrics.of[9]"), "the property file File of step Process has nothing at metrics.of"),
        (json_get("text.more"), "the property file File of step Process has nothing at text.more"),
        (json_get("text", "Other"), "the property file Other of step Process isn't there"),
        ({"Std:JsonGet": {"S3Uri": "s3://b/no", "Path": "a"}}, "the s3://b/no isn't there"),
        ({"Std:Join": {"Values": [json_get("metrics")]}}, "Std:Join takes texts, numbers and booleans, not a dict"),
        ({"Std:Join": {"Values": [json_get("nothing")]}}, "Std:Join takes texts, numbers and booleans, not a None"),
    ],
)
def test_what_has_no_value_is_told(value, sentence):
    with pytest.raises(Unresolvable, match=sentence.replace("[", r"\[")):
        resolve(value, Scope())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Steps.A.Outputs['x y'].Uri", ("Steps", "A", "Outputs", "x y", "Uri")),
        ("a[0][-1].b", ("a", 0, -1, "b")),
        ("$.a", ("a",)),
        ("[0].x", (0, "x")),
        ("", ()),
    ],
)
def test_paths_have_parts(path, expected):
    assert keys(path) == expected


@pytest.mark.parametrize("path", ["a.", "a..b", "a[", "a[x]", "a['x]", "a]"])
def test_a_path_that_cant_be_read_is_refused(path):
    with pytest.raises(ValueError, match="can't be read at character"):
        keys(path)


WRONG = [
    (get(1), ".Get", "must be a text"),
    (get("Steps.Process["), ".Get", "Steps.Process[ can't be read at character 14"),
    (get("Parameters.No"), "", "Parameters.No isn't a parameter of this pipeline"),
    (get("Parameters.P.more"), "", "Parameters.P.more isn't a parameter of this pipeline"),
    (get("Execution.Nothing"), "", "Execution.Nothing isn't a variable of an execution here"),
    (get("Execution.TrainingJobName"), "", "Execution.TrainingJobName isn't a variable of an execution here"),
    (get("Metadata.a"), "", "Metadata.a begins with neither Parameters, Execution nor Steps"),
    (get("Steps.Process"), "", "Steps.Process names no property of a step"),
    (get("Steps.No.ExitMessage"), "", "Steps.No.ExitMessage names No, which isn't a step of this pipeline"),
    (get("Steps.Stop.Message"), "", "Steps.Stop.Message names a property of the step itself"),
    (get("Steps.Process.Nothing"), "", "Steps.Process.Nothing isn't a property of a step of type Processing"),
    (
        get("Steps.Process.ProcessingOutputConfig.Outputs['no'].S3Output.S3Uri"),
        "",
        "Steps.Process.ProcessingOutputConfig.Outputs['no'].S3Output.S3Uri isn't an output of Process",
    ),
    (get("Steps.Call.OutputParameters.No"), "", "Steps.Call.OutputParameters.No isn't an output parameter of Call"),
    ({"Std:Join": []}, ".Std:Join", "must be an object with Values, a list"),
    ({"Std:Join": {"On": "-"}}, ".Std:Join", "must be an object with Values, a list"),
    ({"Std:Join": {"On": 1, "Values": []}}, ".Std:Join", "must be an object of On, a text, and Values, a list"),
    ({"Std:Join": {"Values": [], "By": ""}}, ".Std:Join", "must be an object of On, a text, and Values, a list"),
    ({"Std:Join": {"Values": [None]}}, ".Std:Join", "Values must be texts, numbers, booleans and references"),
    ({"Std:Join": {"Values": [{"a": 1}]}}, ".Std:Join", "Values must be texts, numbers, booleans and references"),
    ({"Std:JsonGet": {"Path": "a"}}, ".Std:JsonGet", "must be an object of Path and either PropertyFile or S3Uri"),
    ({"Std:JsonGet": {"PropertyFile": "File", "Path": "a"}}, ".Std:JsonGet", "PropertyFile must be a Get"),
    ({"Std:JsonGet": {"S3Uri": "s3://b/k", "Path": 1}}, ".Std:JsonGet", "Path must be a text"),
    ({"Std:JsonGet": {"S3Uri": "s3://b/k", "Path": "a["}}, ".Std:JsonGet", "a[ can't be read at character 2"),
    (
        json_get("a", "No"),
        ".Std:JsonGet.PropertyFile",
        "Steps.Process.PropertyFiles.No isn't a property file of Process",
    ),
]


@pytest.mark.parametrize(("value", "path", "sentence"), WRONG)
def test_a_reference_that_cant_be_right_is_refused_with_its_path(
    read, processing, function, fail, value, path, sentence
):
    with pytest.raises(InvalidDefinition) as caught:
        read(processing(), function(), fail(message=value), Parameters=[{"Name": "P"}])
    assert (caught.value.path, caught.value.message) == (f"Steps.Stop.Arguments.ErrorMessage{path}", sentence)


def test_an_experiment_may_be_named_by_references_but_not_by_steps(read, processing):
    config = {"ExperimentName": get("Execution.PipelineName"), "TrialName": get("Execution.PipelineExecutionId")}
    assert read(processing(), PipelineExperimentConfig=config).experiment_config == config
    for wrong in (get("Steps.Process.ExitMessage"), get("Parameters.No")):
        with pytest.raises(InvalidDefinition) as caught:
            read(processing(), PipelineExperimentConfig={"TrialName": wrong})
        assert caught.value.path == "PipelineExperimentConfig.TrialName"
