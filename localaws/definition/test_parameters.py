import pytest

from localaws.definition import InvalidDefinition, InvalidParameter


@pytest.fixture
def bind(read, fail):
    """Binds a value to parameter P; its other members are given."""

    def value(given=(), **parameter):
        definition = read(fail(), Parameters=[{"Name": "P", **parameter}])
        return definition.bind({"P": given} if given != () else {})["P"]

    return value


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("String", "text", "text"),
        ("String", "7", "7"),
        ("Integer", "7", 7),
        ("Integer", "-7", -7),
        ("Float", "0.5", 0.5),
        ("Float", "7", 7.0),
        ("Float", "-1.5e-3", -0.0015),
        ("Float", ".5", 0.5),
        ("Boolean", "true", True),
        ("Boolean", "True", True),
        ("Boolean", "false", False),
    ],
)
def test_a_value_has_its_parameters_type(bind, kind, given, expected):
    value = bind(given, Type=kind)
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    ("kind", "default"),
    [("String", "x"), ("String", ""), ("Integer", 3), ("Float", 3), ("Float", 0.5), ("Boolean", False)],
)
def test_a_default_has_its_parameters_type(bind, kind, default):
    value = bind(Type=kind, DefaultValue=default)
    assert value == default and type(value) is (float if kind == "Float" else type(default))


@pytest.mark.parametrize(
    ("kind", "given", "sentence"),
    [
        ("Integer", "0.5", "must be a whole number."),
        ("Integer", "x", "must be a whole number."),
        ("Integer", "", r'is empty: \[string "" is too short \(length: 0, required minimum: 1\)\]'),
        ("String", "", r'is empty: \[string "" is too short \(length: 0, required minimum: 1\)\]'),
        ("Integer", " 7", "must be a whole number."),
        ("Integer", "1_000", "must be a whole number."),
        ("Integer", "٣", "must be a whole number."),
        ("Float", "x", "must be a number."),
        ("Float", "nan", "must be a number."),
        ("Float", "inf", "must be a number."),
        ("Float", "1,5", "must be a number."),
        ("Boolean", "yes", "must be true or false."),
        ("Boolean", "1", "must be true or false."),
        ("String", "x" * 1025, "has more than 1024 characters."),
    ],
)
def test_a_value_that_doesnt_fit_is_refused_by_the_parameters_name(bind, kind, given, sentence):
    with pytest.raises(InvalidParameter, match=f"^Pipeline parameter P {sentence}$") as caught:
        bind(given, Type=kind)
    assert caught.value.name == "P"


def test_a_value_must_be_one_of_the_enum(bind):
    assert bind("b", Type="String", EnumValues=["a", "b"]) == "b"
    assert bind("2", Type="Integer", EnumValues=[1, 2]) == 2
    with pytest.raises(InvalidParameter, match=r"^Pipeline parameter P must be one of: a, b\.$"):
        bind("c", Type="String", EnumValues=["a", "b"])


def test_an_unknown_parameter_is_refused(read, fail):
    with pytest.raises(InvalidParameter, match="Pipeline parameter Other isn't a parameter of this pipeline"):
        read(fail()).bind({"Other": "1"})


def test_a_parameter_without_default_must_be_given(bind):
    with pytest.raises(InvalidParameter, match="Pipeline parameter P has no default value and none was given"):
        bind(Type="String")


@pytest.mark.parametrize(
    ("parameter", "path", "sentence"),
    [
        ({"Type": "Text"}, "Parameters.P.Type", "must be one of String, Integer, Float, Boolean"),
        ({"Type": ["String"]}, "Parameters.P.Type", "must be one of String, Integer, Float, Boolean"),
        ({"Type": "Integer", "DefaultValue": "7"}, "Parameters.P.DefaultValue", "doesn't fit the type Integer"),
        ({"Type": "Integer", "DefaultValue": True}, "Parameters.P.DefaultValue", "doesn't fit the type Integer"),
        ({"Type": "Integer", "DefaultValue": 0.5}, "Parameters.P.DefaultValue", "doesn't fit the type Integer"),
        ({"Type": "Boolean", "DefaultValue": 1}, "Parameters.P.DefaultValue", "doesn't fit the type Boolean"),
        ({"Type": "String", "DefaultValue": {}}, "Parameters.P.DefaultValue", "doesn't fit the type String"),
        ({"Type": "String", "EnumValues": "a"}, "Parameters.P.EnumValues", "must be a list"),
        ({"Type": "String", "EnumValues": [1]}, "Parameters.P.EnumValues", "doesn't fit the type String"),
        ({"DefaultValue": "c", "EnumValues": ["a"]}, "Parameters.P.DefaultValue", "isn't one of the EnumValues"),
        ({"Default": "c"}, "Parameters[0].Default", "is unknown"),
        ({"Name": "a b"}, "Parameters[0].Name", "must be 1 to 256 letters, digits, hyphens and underscores"),
        ({"Name": "x" * 257}, "Parameters[0].Name", "must be 1 to 256 letters, digits, hyphens and underscores"),
        ({"Name": None}, "Parameters[0].Name", "must be 1 to 256 letters, digits, hyphens and underscores"),
    ],
)
def test_a_parameter_that_isnt_right_is_refused_with_its_path(read, fail, parameter, path, sentence):
    with pytest.raises(InvalidDefinition) as caught:
        read(fail(), Parameters=[{"Name": "P", **parameter}])
    assert (caught.value.path, caught.value.message) == (path, sentence)


@pytest.mark.parametrize(
    ("parameters", "path", "sentence"),
    [
        ({}, "Parameters", "must be a list"),
        (["P"], "Parameters[0]", "must be an object"),
        ([{"Name": "P"}, {"Name": "P"}], "Parameters[1]", "P is the name of more than one parameter"),
        ([{"Name": f"P{n}"} for n in range(201)], "Parameters", "has 201 items, and at most 200 are allowed"),
    ],
)
def test_parameters_that_arent_right_are_refused(read, fail, parameters, path, sentence):
    with pytest.raises(InvalidDefinition) as caught:
        read(fail(), Parameters=parameters)
    assert (caught.value.path, caught.value.message) == (path, sentence)
