import pytest

from localaws.access.conditions import filled, hold, like

HOLDS = [
    ({"StringEquals": {"k": "a"}}, {"k": "a"}),
    ({"StringEquals": {"k": ["b", "a"]}}, {"k": "a"}),
    ({"StringEquals": {"AWS:principalarn": "a"}}, {"aws:PrincipalArn": "a"}),
    ({"StringEqualsIgnoreCase": {"k": "A"}}, {"k": "a"}),
    ({"StringNotEquals": {"k": ["b", "c"]}}, {"k": "a"}),
    ({"StringNotEquals": {"k": "b"}}, {}),
    ({"StringNotEqualsIgnoreCase": {"k": "B"}}, {"k": "a"}),
    ({"StringLike": {"k": "data/*/x?z"}}, {"k": "data/1/2/xyz"}),
    ({"StringNotLike": {"k": "data/*"}}, {"k": "runs/1"}),
    ({"StringEqualsIfExists": {"k": "a"}}, {}),
    ({"Null": {"k": "true"}}, {}),
    ({"Null": {"k": "false"}}, {"k": "a"}),
    ({"Bool": {"k": "true"}}, {"k": True}),
    ({"NumericLessThanEquals": {"k": "10"}}, {"k": "10"}),
    ({"NumericNotEquals": {"k": "10"}}, {"k": "11"}),
    ({"DateGreaterThan": {"k": "2025-01-01T00:00:00Z"}}, {"k": "2026-01-01T00:00:00Z"}),
    ({"IpAddress": {"k": "10.0.0.0/8"}}, {"k": "10.1.2.3"}),
    ({"NotIpAddress": {"k": "10.0.0.0/8"}}, {"k": "11.1.2.3"}),
    ({"ArnLike": {"k": "arn:aws:iam::1:role/p-*"}}, {"k": "arn:aws:iam::1:role/p-train"}),
    ({"ForAnyValue:StringEquals": {"k": "b"}}, {"k": ["a", "b"]}),
    ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, {"k": ["a", "b"]}),
    ({"ForAllValues:StringEquals": {"k": "a"}}, {}),
    ({"StringEquals": {"k": "${aws:PrincipalAccount}"}}, {"k": "1", "aws:PrincipalAccount": "1"}),
    ({"StringEquals": {"k": "a"}, "Bool": {"l": "false"}}, {"k": "a", "l": "false"}),
]
FAILS = [
    ({"StringEquals": {"k": "a"}}, {"k": "A"}),
    ({"StringEquals": {"k": "a"}}, {}),
    ({"StringEquals": {"k": "a*"}}, {"k": "ab"}),
    ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "a"}),
    ({"StringLike": {"k": "data/*"}}, {"k": "xdata/1"}),
    ({"StringEqualsIfExists": {"k": "a"}}, {"k": "b"}),
    ({"Null": {"k": "true"}}, {"k": "a"}),
    ({"Null": {"k": "false"}}, {}),
    ({"Bool": {"k": "true"}}, {"k": "false"}),
    ({"NumericLessThan": {"k": "10"}}, {"k": "10"}),
    ({"NumericLessThan": {"k": "10"}}, {"k": "many"}),
    ({"DateLessThan": {"k": "2025-01-01T00:00:00Z"}}, {"k": "2026-01-01T00:00:00Z"}),
    ({"IpAddress": {"k": "10.0.0.0/8"}}, {"k": "11.1.2.3"}),
    ({"ForAnyValue:StringEquals": {"k": "c"}}, {"k": ["a", "b"]}),
    ({"ForAnyValue:StringEquals": {"k": "c"}}, {}),
    ({"ForAnyValue:StringNotEquals": {"k": "c"}}, {}),
    ({"ForAllValues:StringEquals": {"k": "a"}}, {"k": ["a", "b"]}),
    ({"StringEquals": {"k": "${aws:username}"}}, {"k": ""}),
    ({"StringEquals": {"k": "a"}, "Bool": {"l": "false"}}, {"k": "a", "l": "true"}),
    ({"NoSuchOperator": {"k": "a"}}, {"k": "a"}),
]


@pytest.mark.parametrize(("block", "context"), HOLDS, ids=str)
def test_holds(block, context):
    assert hold(block, context)


@pytest.mark.parametrize(("block", "context"), FAILS, ids=str)
def test_does_not_hold(block, context):
    assert not hold(block, context)


def test_wildcards_match_over_slashes_and_lines_but_only_the_whole():
    assert like("a*z", "a/b\nc/z")
    assert not like("a*", "xa")
    assert not like("a.c", "abc")


def test_variables_have_defaults_and_can_be_escaped():
    assert filled("${aws:PrincipalTag/team, 'all'}", {}) == "all"
    assert filled("${aws:PrincipalTag/team, 'all'}", {"aws:PrincipalTag/team": "ml"}) == "ml"
    assert filled("a${*}", {}) == "a*"
