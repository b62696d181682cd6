import json

import pytest

from localaws.events import payload

RULE = "arn:aws:events:us-east-1:111111111111:rule/mine"
EVENT = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2015-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {"instance-id": "i-0123456789", "state": "RUNNING", "count": 3, "list": ["a", "b"]},
}
"""After the example of "Amazon EventBridge input transformation"."""


def transformed(template: str, **paths: str) -> str:
    target = {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}
    return payload.of(target, EVENT, RULE)


def test_without_more_a_target_gets_the_whole_event():
    assert json.loads(payload.of({}, EVENT, RULE)) == EVENT


def test_a_constant_replaces_the_event():
    assert payload.of({"Input": '{"a": 1}'}, EVENT, RULE) == '{"a": 1}'


@pytest.mark.parametrize(
    ("path", "found"),
    [("$.detail.state", "RUNNING"), ("$.resources[0]", EVENT["resources"][0]), ("$.detail", EVENT["detail"])],
)
def test_a_path_takes_a_part_of_the_event(path, found):
    assert json.loads(payload.of({"InputPath": path}, EVENT, RULE)) == found


def test_a_path_that_leads_nowhere_leaves_the_whole_event():
    assert json.loads(payload.of({"InputPath": "$.detail.nothing.at.all"}, EVENT, RULE)) == EVENT


def test_a_quoted_template_keeps_its_quotes_as_in_aws():
    text = transformed('"instance <instance> is in <state>"', instance="$.detail.instance-id", state="$.detail.state")
    assert text == '"instance i-0123456789 is in RUNNING"'


def test_a_json_template_keeps_types_outside_of_quotes_and_text_inside():
    text = transformed(
        '{"state": <state>, "count": <count>, "words": "<count> of <list>", "list": <list>}',
        state="$.detail.state",
        count="$.detail.count",
        list="$.detail.list",
    )
    assert json.loads(text) == {"state": "RUNNING", "count": 3, "words": '3 of ["a", "b"]', "list": ["a", "b"]}


def test_a_variable_without_a_value_is_empty_and_an_unknown_one_stays():
    assert transformed('"<gone>|<unknown>"', gone="$.detail.gone") == '"|<unknown>"'


def test_reserved_variables():
    assert transformed('"<aws.events.rule-name> <aws.events.rule-arn>"') == f'"mine {RULE}"'
    assert json.loads(transformed("<aws.events.event.json>")) == EVENT
    assert json.loads(transformed("<aws.events.event>")) == {k: v for k, v in EVENT.items() if k != "detail"}
