import pytest

from steps.infer.accept import best

CSV, LINES = "text/csv", "application/jsonlines"


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("", CSV),
        ("*/*", CSV),
        ("text/*", CSV),
        ("application/*", LINES),
        ("TEXT/CSV", CSV),
        ("text/csv; charset=utf-8", CSV),
        ("application/jsonlines, text/csv;q=0.5", LINES),
        ("text/csv;q=0.4, application/jsonlines;q=0.5", LINES),
        ("text/csv;q=0.4 , */*;Q=0.5", LINES),
        ("text/csv;q=0, */*", LINES),
        ("text/html, application/xhtml+xml, */*;q=0.1", CSV),
        ("text/csv, application/jsonlines", CSV),
        ("text/csv;q=0", None),
        ("text/html", None),
        ("*/*;q=0", None),
        ("text/csv;q=0.0001", None),
        ("text/csv;q=2", None),
        ("csv", None),
        (",,, ,", None),
    ],
)
def test_the_client_gets_what_it_wants_most(accept, given):
    assert best(accept, (CSV, LINES)) == given
