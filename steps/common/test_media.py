"""Content-Type and Accept are read as RFC 9110 says."""

import pytest

from steps.common import media

CSV, LINES, OFFERED = "text/csv", "application/jsonlines", ("text/csv", "application/jsonlines")


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("text/csv", CSV, {}),
        ("csv", CSV, {}),
        (" Text/CSV ", CSV, {}),
        ("text/csv;charset=utf-8", CSV, {"charset": "utf-8"}),
        ('text/csv ; charset="utf-8" ; Label_Size=1;', CSV, {"charset": "utf-8", "label_size": "1"}),
        ('text/csv; a="x, y; \\"z\\""', CSV, {"a": 'x, y; "z"'}),
        ("libsvm", "text/libsvm", {}),
        ("application/x-parquet", "application/x-parquet", {}),
    ],
)
def test_a_content_type_is_one_media_type(text, name, parameters):
    assert media.content_type(text) == media.Media(name, parameters)


@pytest.mark.parametrize(
    "text", ["", ",", "text/csv, text/csv", "text /csv", "*/*", "text/*", "a b", "text/csv; x", "/"]
)
def test_anything_else_is_none(text):
    with pytest.raises(media.NotAMediaType):
        media.content_type(text)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", CSV),
        (" , ,", CSV),
        ("*/*", CSV),
        ("text/*", CSV),
        ("application/*", LINES),
        ("csv", CSV),
        ("application/jsonlines", LINES),
        ("APPLICATION/JsonLines;verbose=true", LINES),
        ("application/jsonlines, text/csv", LINES),
        ("text/csv, application/jsonlines", CSV),
        ("text/csv;q=0.5, application/jsonlines", LINES),
        ("text/csv;q=0.5,application/jsonlines;q=0.4", CSV),
        ("text/csv ; q=0 , */*", LINES),
        ("*/*;q=0.1, application/jsonlines;q=0", CSV),
        ("text/*;q=0.9, text/csv;q=0.1, application/jsonlines;q=0.5", LINES),
        ("text/html, image/png;q=0.9, */*;q=0.1", CSV),
        ("text/html", None),
        ("text/csv;q=0, application/*;q=0.000", None),
        ("text/csv;Q=1.000", CSV),
    ],
)
def test_the_weights_and_the_most_specific_range_choose(accept, chosen):
    assert media.accepted(accept, OFFERED) == chosen


@pytest.mark.parametrize(
    "accept", ["text/csv;q=2", "text/csv;q=0.1234", "text/csv;q=x", "text/csv text/html", "text/", ";q=1"]
)
def test_what_is_no_list_of_ranges_is_refused(accept):
    with pytest.raises(media.NotAMediaType):
        media.accepted(accept, OFFERED)
