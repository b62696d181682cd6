"""References stand only where their type fits."""

import pytest

from localaws.definition import InvalidDefinition

PARAMETERS = [
    {"Name": "Number", "Type": "Integer", "DefaultValue": 3},
    {"Name": "Share", "Type": "Float", "DefaultValue": 0.1},
    {"Name": "Text", "Type": "String", "DefaultValue": "1"},
    {"Name": "Switch", "Type": "Boolean", "DefaultValue": True},
]
CLUSTER = ("ProcessingResources", "ClusterConfig")
JOIN = {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Number"}]}}


def within(processing, place, value):
    """A Processing step whose argument at a place is a value."""
    step = processing()
    inner = step["Arguments"]
    for name in place[:-1]:
        inner = inner.setdefault(name, {})
    inner[place[-1]] = value
    return step


@pytest.mark.parametrize(
    ("place", "value", "wanted"),
    [
        (("AppSpecification", "ContainerArguments"), [{"Get": "Parameters.Number"}], "String"),
        (("AppSpecification", "ContainerArguments"), [{"Get": "Parameters.Share"}], "String"),
        (("AppSpecification", "ImageUri"), {"Get": "Parameters.Switch"}, "String"),
        (("Environment", "KEY"), {"Get": "Parameters.Number"}, "String"),
        ((*CLUSTER, "InstanceCount"), {"Get": "Parameters.Text"}, "Integer"),
        ((*CLUSTER, "InstanceCount"), {"Get": "Parameters.Share"}, "Integer"),
        ((*CLUSTER, "InstanceCount"), {"Get": "Execution.PipelineName"}, "Integer"),
        ((*CLUSTER, "VolumeSizeInGB"), JOIN, "Integer"),
        ((*CLUSTER, "InstanceType"), {"Get": "Parameters.Number"}, "String"),
        (("NetworkConfig", "EnableNetworkIsolation"), {"Get": "Parameters.Text"}, "Boolean"),
        (("AppSpecification", "ContainerArguments"), {"Get": "Parameters.Text"}, "List"),
        (("Environment",), {"Get": "Parameters.Text"}, "Map"),
        (("ProcessingResources",), {"Get": "Parameters.Text"}, "Structure"),
    ],
)
def test_a_reference_of_another_type_is_refused_in_awss_words(read, processing, place, value, wanted):
    with pytest.raises(InvalidDefinition) as caught:
        read(within(processing, place, value), Parameters=PARAMETERS)
    reference = value[0] if isinstance(value, list) else value
    name = reference.get("Get", "Std:Join")
    assert caught.value.message == f"Cannot assign property reference [{name}] to argument of type [{wanted}]"
    assert caught.value.path.startswith("Steps.Process.Arguments." + ".".join(place))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("AppSpecification", "ContainerArguments"), [{"Get": "Parameters.Text"}, JOIN]),
        (("Environment", "KEY"), {"Get": "Execution.PipelineArn"}),
        ((*CLUSTER, "InstanceCount"), {"Get": "Parameters.Number"}),
        ((*CLUSTER, "InstanceType"), {"Get": "Parameters.Text"}),
        (("NetworkConfig", "EnableNetworkIsolation"), {"Get": "Parameters.Switch"}),
        (("Environment", "KEY"), {"Get": "Steps.Call.OutputParameters['Answer']"}),
    ],
)  # fmt: skip
def test_a_reference_of_the_right_type_is_taken(read, processing, function, place, value):
    assert read(within(processing, place, value), function(), Parameters=PARAMETERS)


@pytest.mark.parametrize(
    ("kind", "place", "wanted"),
    [
        ("Integer", ("Environment", "KEY"), "String"),
        ("String", (*CLUSTER, "InstanceCount"), "Integer"),
        ("Boolean", (*CLUSTER, "InstanceType"), "String"),
    ],
)
def test_the_type_of_a_functions_answer_is_what_it_declares(read, processing, function, kind, place, wanted):
    call = function(OutputParameters=[{"OutputName": "Answer", "OutputType": kind}])
    step = within(processing, place, {"Get": "Steps.Call.OutputParameters['Answer']"})
    with pytest.raises(InvalidDefinition, match=rf"to argument of type \[{wanted}\]$"):
        read(step, call, Parameters=PARAMETERS)


@pytest.mark.parametrize(
    ("path", "place", "wanted"),
    [
        ("ProcessingResources.ClusterConfig.InstanceCount", ("Environment", "KEY"), "String"),
        ("ProcessingOutputConfig.Outputs['result'].S3Output.S3Uri", (*CLUSTER, "InstanceCount"), "Integer"),
        ("AppSpecification.ContainerArguments", ("Environment", "KEY"), "String"),
    ],
)
def test_the_type_of_a_property_is_that_of_its_describe_call(read, processing, path, place, wanted):
    step = within(processing, place, {"Get": f"Steps.First.{path}"})
    with pytest.raises(InvalidDefinition, match=rf"to argument of type \[{wanted}\]$"):
        read(processing("First"), step)
    whole = within(processing, ("Environment", "KEY"), {"Get": "Steps.First.ProcessingJobArn"})
    assert read(processing("First"), whole)
