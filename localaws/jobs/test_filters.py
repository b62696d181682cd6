import pytest

from localaws.jobs.failure import JobFailed
from localaws.jobs.filters import DataProcessing, Missing, Path

RECORD = {"id": 7, "features": [1, 2, 3], "deep": {"a": {"b": 1, "c": 2}}, "rows": [{"x": 1}, {"x": 2}], "a-b_1": 5}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", RECORD),
        ("$.id", 7),
        ("$['id']", 7),
        ("$.a-b_1", 5),
        ("$.deep.a.b", 1),
        ("$.deep['a'].b", 1),
        ("$['id','a-b_1']", {"id": 7, "a-b_1": 5}),
        ("$.deep.a.['b','c']", {"b": 1, "c": 2}),
        ("$.features[0]", 1),
        ("$.features[-1]", 3),
        ("$.features[0,2]", [1, 3]),
        ("$.features[1:]", [2, 3]),
        ("$.features[:1]", [1]),
        ("$.features[-2:]", [2, 3]),
        ("$.features[0,1:]", [1, 2, 3]),
        ("$.features[*]", [1, 2, 3]),
        ("$.deep.a.*", [1, 2]),
        ("$.rows[*].x", [1, 2]),
        ("$.rows[0:2].x", [1, 2]),
    ],
)
def test_a_path_selects_what_it_says(path, expected):
    assert Path.parse(path, "InputFilter").select(RECORD) == expected


@pytest.mark.parametrize(
    "path",
    ["", "id", "$.", "$..id", "$[", "$[]", "$['id", "$[?(@.x > 1)]", "$.features.length()", "$[1:2:3]", "$['a','b'].c"],
)
def test_an_expression_that_sagemaker_doesnt_take_is_refused(path):
    with pytest.raises(JobFailed, match=r"^ClientError: OutputFilter .* isn't a JSONPath of the operators"):
        Path.parse(path, "OutputFilter")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("$.name", "it has no attribute name"),
        ("$['id','name']", "it has no attribute name"),
        ("$.features[3]", "it has no index 3"),
        ("$.id[0]", "it isn't an array"),
        ("$.id.*", "it isn't an object or array"),
    ],
)
def test_what_a_record_hasnt_is_told_without_its_values(path, why):
    with pytest.raises(Missing, match=f"^{why}$"):
        Path.parse(path, "InputFilter").select(RECORD)


def test_a_job_that_asks_for_nothing_leaves_payloads_alone():
    assert DataProcessing.of({}, None, True) is None
    assert (
        DataProcessing.of({"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}, "image/png", False) is None
    )


def test_only_csv_and_json_have_parts():
    with pytest.raises(JobFailed, match="DataProcessing takes records of the content types text/csv, application/json"):
        DataProcessing.of({"InputFilter": "$[1:]"}, "image/png", False)


def test_a_json_record_that_isnt_an_object_is_joined_into_a_new_one():
    processing = DataProcessing.of({"JoinSource": "Input"}, "application/json", False)
    assert processing.widened(b"[1, 2]", b"[3]", 1, "s3://b/k") == b'{"SageMakerInput": [1, 2], "SageMakerOutput": [3]}'


def test_an_output_filter_alone_takes_from_the_answer():
    processing = DataProcessing.of({"OutputFilter": "$[1]"}, "text/csv; charset=utf-8", True)
    assert processing.narrowed(b"1,2\n", 1, "s3://b/k") == b"1,2\n"
    assert processing.widened(b"1,2\n", b"a,b\nc,d\n", 1, "s3://b/k") == b"b\nd\n"


@pytest.mark.parametrize(
    ("kind", "body"), [("text/csv", b'"open'), ("application/jsonlines", b"{}\n{"), ("application/json", b"\xff")]
)
def test_a_record_that_cant_be_read_is_told_without_its_values(kind, body):
    processing = DataProcessing.of({"InputFilter": "$.*"}, kind, True)
    with pytest.raises(JobFailed, match=r"^ClientError: s3://b/k, from line 8: a record isn't (CSV|JSON)\.$"):
        processing.narrowed(body, 8, "s3://b/k")
