"""Events on their way: across accounts, to pipelines, again, and to the queue of dead letters."""

import json
import time

import pytest

from localaws import process
from localaws.conftest import REGION, Account, allow, serving

PATTERN = json.dumps({"source": ["tests"]})


def queue(account, name="queue"):
    """Make a queue; its URL and ARN."""
    url = account.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{account.number}:{name}"


def messages(account, url, count=1, patience=20):
    """The bodies of as many messages as are expected, and of those that come right after."""
    found, sqs, deadline = [], account.client("sqs"), time.monotonic() + patience
    while len(found) < count and time.monotonic() < deadline:
        found += read(sqs, url)
    time.sleep(0.3)
    return found + read(sqs, url)


def read(sqs, url):
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    for message in answer.get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return answer.get("Messages", [])


def rule(account, arn, name="rule", bus="default", **target):
    events = account.client("events")
    events.put_rule(Name=name, EventPattern=PATTERN, EventBusName=bus)
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "one", "Arn": arn, **target}])


def send(account, bus="default", **detail):
    entry = {"Source": "tests", "DetailType": "Test", "Detail": json.dumps(detail), "EventBusName": bus}
    answer = account.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0
    return answer["Entries"][0]["EventId"]


def test_an_event_reaches_its_target_once_with_its_id(account):
    url, arn = queue(account)
    rule(account, arn)
    sent = send(account, number=1)
    (message,) = messages(account, url)
    event = json.loads(message["Body"])
    assert (event["id"], event["account"], event["detail"]) == (sent, account.number, {"number": 1})


def test_a_rule_made_just_before_an_event_counts_and_one_just_removed_does_not(account):
    url, arn = queue(account)
    for number in range(3):
        rule(account, arn)
        send(account, number=number)
        (message,) = messages(account, url)
        assert json.loads(message["Body"])["detail"] == {"number": number}
        account.client("events").remove_targets(Rule="rule", Ids=["one"])
        account.client("events").delete_rule(Name="rule")
        send(account, number=-1)
    assert messages(account, url, 0) == []


def test_a_bus_of_another_account_takes_events_that_its_policy_allows(account, other):
    url, arn = queue(other)
    other.client("events").create_event_bus(Name="theirs")
    bus = f"arn:aws:events:{REGION}:{other.number}:event-bus/theirs"
    rule(other, arn, bus="theirs")
    dead, dead_arn = queue(account, "dead")
    role = account.role("tells", allow("events:PutEvents", bus))
    rule(account, bus, RoleArn=role, DeadLetterConfig={"Arn": dead_arn})

    send(account, number=1)
    (letter,) = messages(account, dead)
    assert "no resource-based policy allows" in letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert json.loads(letter["Body"])["detail"] == {"number": 1}

    other.client("events").put_permission(
        EventBusName="theirs", Action="events:PutEvents", Principal=account.number, StatementId="neighbour"
    )
    send(account, number=2)
    (message,) = messages(other, url)
    event = json.loads(message["Body"])
    assert (event["account"], event["detail"]) == (account.number, {"number": 2})
    assert messages(account, dead, 0) == []


def test_a_pipeline_of_another_account_is_no_target(account, other):
    dead, dead_arn = queue(account, "dead")
    pipeline = f"arn:aws:sagemaker:{REGION}:{other.number}:pipeline/theirs"
    rule(account, pipeline, RoleArn=f"arn:aws:iam::{account.number}:role/x", DeadLetterConfig={"Arn": dead_arn})
    send(account)
    (letter,) = messages(account, dead)
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert "another account" in attributes["ERROR_MESSAGE"]
    assert attributes["TARGET_ARN"] == pipeline
    assert attributes["RULE_ARN"].endswith(":rule/rule")


def test_a_pipeline_is_started_with_parameters_from_the_event(account):
    role = account.role("runs", allow("sagemaker:StartPipelineExecution"))
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Which", "Type": "String"}, {"Name": "Fixed", "Type": "String"}],
        "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Which"}}}],
    }
    sagemaker = account.client("sagemaker")
    arn = sagemaker.create_pipeline(
        PipelineName="listens", ClientRequestToken="x" * 32, RoleArn=role, PipelineDefinition=json.dumps(definition)
    )["PipelineArn"]
    values = [{"Name": "Which", "Value": "$.detail.which"}, {"Name": "Fixed", "Value": "as it is"}]
    rule(account, arn, RoleArn=role, SageMakerPipelineParameters={"PipelineParameterList": values})
    send(account, which="this one")
    while not (found := sagemaker.list_pipeline_executions(PipelineName="listens")["PipelineExecutionSummaries"]):
        time.sleep(0.05)
    given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=found[0]["PipelineExecutionArn"])
    assert given["PipelineParameters"] == [
        {"Name": "Fixed", "Value": "as it is"},
        {"Name": "Which", "Value": "this one"},
    ]
    assert len(found) == 1


def test_a_rule_whose_role_may_not_start_the_pipeline_goes_to_the_dead_letters(account):
    dead, dead_arn = queue(account, "dead")
    role = account.role("idle")
    definition = {
        "Version": "2020-12-01",
        "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "never"}}],
    }
    arn = account.client("sagemaker").create_pipeline(
        PipelineName="guarded", ClientRequestToken="x" * 32, RoleArn=role, PipelineDefinition=json.dumps(definition)
    )["PipelineArn"]
    rule(account, arn, RoleArn=role, DeadLetterConfig={"Arn": dead_arn})
    send(account)
    (letter,) = messages(account, dead)
    assert "sagemaker:StartPipelineExecution" in letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]


def test_a_target_that_is_not_there_goes_to_the_dead_letters(account):
    dead, dead_arn = queue(account, "dead")
    gone = f"arn:aws:sqs:{REGION}:{account.number}:gone"
    rule(account, gone, DeadLetterConfig={"Arn": dead_arn}, RetryPolicy={"MaximumRetryAttempts": 0})
    send(account)
    (letter,) = messages(account, dead)
    assert letter["MessageAttributes"]["TARGET_ARN"]["StringValue"] == gone


def test_events_of_aws_cannot_be_sent_by_hand(account):
    entry = {"Source": "aws.s3", "DetailType": "Object Created", "Detail": "{}"}
    (answer,) = account.client("events").put_events(Entries=[entry])["Entries"]
    assert answer["ErrorCode"] == "NotAuthorizedForSourceException"


def test_a_schedule_fires_by_hand_and_by_the_clock(account, address, state):
    url, arn = queue(account)
    name = f"daily-{account.number}"
    events = account.client("events")
    made = events.put_rule(Name=name, ScheduleExpression="rate(1 day)")["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "one", "Arn": arn}])
    assert process.ask(state, address, "POST", "fire", {"rule": name}) == {"fired": [made]}
    (message,) = messages(account, url)
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"], event["resources"]) == ("aws.events", "Scheduled Event", [made])
    process.ask(state, address, "POST", "clock", {"seconds": 2 * 86400 + 60})
    assert len(messages(account, url, 2)) == 2


def test_the_clock_never_goes_back(address, state):
    with pytest.raises(OSError):
        process.ask(state, address, "POST", "clock", {"seconds": -1})


def test_events_can_be_doubled_and_reordered_on_purpose(tmp_path):
    with serving(tmp_path, "--duplicate-events", "1", "--reorder-events") as address:
        account = Account(address)
        url, arn = queue(account)
        rule(account, arn)
        for number in range(10):
            send(account, number=number)
        found = [json.loads(message["Body"])["detail"]["number"] for message in messages(account, url, 20)]
    assert sorted(found) == sorted(2 * list(range(10)))
    assert found != sorted(found)
