"""A subject is what SNS takes, whoever sends it."""

import json

import pytest

from functions.common import notify
from functions.common.context import client


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("short", "short"),
        ("x" * 99, "x" * 99),
        ("x" * 100, "x" * 99),
        ("x" * 98 + " yz", "x" * 98),
        ("one\nline\r\n of\ttext", "one line of text"),
        ("bell\x07 and \x00null\x1b", "bell and null"),
        ("für „alle“ – 50 %", "f?r ?alle? ? 50 %"),
        ("a\u2028b\x85c", "a b c"),
    ],
)
def test_a_subject_is_one_line_of_ascii_shorter_than_sns_allows(text, line):
    assert notify.subject_line(text) == line and len(line) < 100


def test_a_message_arrives_whole_under_a_cut_subject(context):
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name=f"{context.project}-notifications")["TopicArn"]
    queue = sqs.create_queue(QueueName="mail")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    text = f"Release {'a' * 31} failed in prod; {'b' * 31} serves again\nénd"
    notify.publish(context, text, text)
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    body = json.loads(message["Body"])
    assert body["Message"] == text and body["Subject"] == notify.subject_line(text)
