"""The rows of README.md on messages, functions, logs, events and files: each against a running localaws."""

import json

from localaws.access.conftest import function, processing, run
from localaws.conftest import REGION, allow


def test_queues(account, other, refused):
    mine = account.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    theirs = other.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    role = account.role("r", allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:*:q"))
    sqs = account.act("r", "sqs")
    sqs.send_message(QueueUrl=mine, MessageBody="x")
    sqs.send_message_batch(QueueUrl=mine, Entries=[{"Id": "1", "MessageBody": "x"}])
    refused("sqs:ReceiveMessage", sqs.receive_message, QueueUrl=mine)
    refused("sqs:GetQueueUrl", sqs.get_queue_url, QueueName="q")
    said = refused("sqs:SendMessage", sqs.send_message, QueueUrl=theirs, MessageBody="x")
    assert "because no resource-based policy allows" in said
    arn = f"arn:aws:sqs:{REGION}:{other.number}:q"
    policy = {"Statement": [allow("sqs:SendMessage", arn) | {"Principal": {"AWS": role}}]}
    other.client("sqs").set_queue_attributes(QueueUrl=theirs, Attributes={"Policy": json.dumps(policy)})
    sqs.send_message(QueueUrl=theirs, MessageBody="hello")
    got = other.client("sqs").receive_message(QueueUrl=theirs, WaitTimeSeconds=1)["Messages"]
    assert [message["Body"] for message in got] == ["hello"]


def test_topics(account, other, refused):
    mine = account.client("sns").create_topic(Name="t")["TopicArn"]
    theirs = other.client("sns").create_topic(Name="t")["TopicArn"]
    role = account.role("r", allow("sns:Publish", f"arn:aws:sns:{REGION}:*:t"))
    sns = account.act("r", "sns")
    sns.publish(TopicArn=mine, Message="x")
    refused("sns:Publish", sns.publish, TopicArn=f"{mine}-other", Message="x")
    refused("sns:ListTopics", sns.list_topics)
    assert "no resource-based policy" in refused("sns:Publish", sns.publish, TopicArn=theirs, Message="x")
    policy = {"Statement": [allow("sns:Publish", theirs) | {"Principal": {"AWS": role}}]}
    other.client("sns").set_topic_attributes(TopicArn=theirs, AttributeName="Policy", AttributeValue=json.dumps(policy))
    sns.publish(TopicArn=theirs, Message="x")


def test_functions(account, other, refused):
    mine, theirs = function(account), function(other)
    account.role("r", allow("lambda:InvokeFunction", [f"{mine}:1", f"{theirs}:*"]))
    client = account.act("r", "lambda")
    assert client.invoke(FunctionName="f", Qualifier="1", Payload=b'{"a": 1}')["Payload"].read() == b'{"a": 1}'
    assert client.invoke(FunctionName=f"{mine}:1")["StatusCode"] == 200
    refused("lambda:InvokeFunction", client.invoke, FunctionName="f")
    refused("lambda:InvokeFunction", client.invoke, FunctionName=mine, Qualifier="2")
    refused("lambda:GetFunction", client.get_function, FunctionName="f", Qualifier="1")
    said = refused("lambda:InvokeFunction", client.invoke, FunctionName=f"{theirs}:1")
    assert "no resource-based policy" in said
    other.client("lambda").add_permission(
        FunctionName="f", Qualifier="1", StatementId="s", Action="lambda:InvokeFunction", Principal=account.number
    )
    assert client.invoke(FunctionName=f"{theirs}:1", Payload=b"2")["Payload"].read() == b"2"
    # What a function itself does is held to its own role.
    bucket = account.bucket()
    code = f"return boto3.client('s3').put_object(Bucket='{bucket}', Key='a', Body=b'').get('ETag')"
    account.client("iam").delete_role(RoleName="function")
    function(account, code, "g")
    answer = account.client("lambda").invoke(FunctionName="g")
    assert b"is not authorized to perform: s3:PutObject" in answer["Payload"].read()
    account.allow("function", allow("s3:PutObject"))
    assert "FunctionError" not in account.client("lambda").invoke(FunctionName="g")


def test_functions_deployed(account, refused):
    mine = function(account)
    account.role("r", allow(["lambda:List*", "lambda:Publish*", "lambda:*Alias"], mine))
    client = account.act("r", "lambda")
    version = client.publish_version(FunctionName="f")["Version"]
    assert version in {item["Version"] for item in client.list_versions_by_function(FunctionName=mine)["Versions"]}
    client.create_alias(FunctionName="f", Name="live", FunctionVersion=version)
    refused("lambda:UpdateFunctionCode", client.update_function_code, FunctionName="f", ZipFile=b"")
    refused("lambda:PublishVersion", client.publish_version, FunctionName="g")


def test_rules(account, refused):
    arn = f"arn:aws:events:{REGION}:{account.number}:rule"
    account.client("events").create_event_bus(Name="b")
    account.role("r", allow(["events:PutRule", "events:DescribeRule"], [f"{arn}/mine-*", f"{arn}/b/mine-*"]))
    events = account.act("r", "events")
    for bus in ({}, {"EventBusName": "b"}):
        events.put_rule(Name="mine-1", EventPattern='{"source": ["a"]}', **bus)
        assert events.describe_rule(Name="mine-1", **bus)["State"] == "ENABLED"
        refused("events:PutRule", events.put_rule, Name="yours", EventPattern='{"source": ["a"]}', **bus)
        refused("events:ListTargetsByRule", events.list_targets_by_rule, Rule="mine-1", **bus)


def test_alarms(account, refused):
    account.role("r", allow("cloudwatch:*Alarm*", f"arn:aws:cloudwatch:{REGION}:{account.number}:alarm:mine-*"))
    cloudwatch = account.act("r", "cloudwatch")
    alarm = {
        "MetricName": "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    cloudwatch.put_metric_alarm(AlarmName="mine-1", **alarm)
    assert len(cloudwatch.describe_alarms(AlarmNames=["mine-1"])["MetricAlarms"]) == 1
    refused("cloudwatch:PutMetricAlarm", cloudwatch.put_metric_alarm, AlarmName="yours", **alarm)
    refused("cloudwatch:DescribeAlarms", cloudwatch.describe_alarms)


def test_logs_of_jobs(account):
    logs, group = account.client("logs"), "/aws/sagemaker/ProcessingJobs"
    role, code = account.role("r", allow("s3:*")), {"Environment": {"CODE": "print('hello')"}}
    assert run(account, processing(role, "quiet", **code))["ProcessingJobStatus"] == "Completed"
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
    arn = f"arn:aws:logs:{REGION}:{account.number}:log-group:{group}"
    account.allow("r", allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], f"{arn}:*"))
    assert run(account, processing(role, "loud", **code))["ProcessingJobStatus"] == "Completed"
    found = logs.filter_log_events(logGroupName=group)["events"]
    assert [event["message"] for event in found] == ["hello"]
    account.allow("r", allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{arn}:*"))
    assert run(account, processing(role, "again", **code))["ProcessingJobStatus"] == "Completed"
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert {stream["logStreamName"].split("/")[0] for stream in streams} == {"loud", "again"}


def test_buses(account, other, refused):
    role = account.role("r", allow("events:PutEvents", "*", StringEquals={"events:source": "mine"}))
    events = account.act("r", "events")
    entry = {"Source": "mine", "DetailType": "d", "Detail": "{}"}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    refused("events:PutEvents", events.put_events, Entries=[entry, entry | {"Source": "yours"}])
    refused("events:ListRules", events.list_rules)
    bus = other.client("events").create_event_bus(Name="b")["EventBusArn"]
    said = refused("events:PutEvents", events.put_events, Entries=[entry | {"EventBusName": bus}])
    assert "no resource-based policy" in said
    policy = {
        "Version": "2012-10-17",
        "Statement": [allow("events:PutEvents", bus) | {"Principal": {"AWS": role}, "Sid": "s"}],
    }
    other.client("events").put_permission(EventBusName="b", Policy=json.dumps(policy))
    events.put_events(Entries=[entry | {"EventBusName": bus}])


def test_files_of_jobs(account, other):
    bucket, theirs = account.bucket(), other.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="in/a", Body=b"1")
    place = "/opt/ml/processing"
    files = {
        "ProcessingInputs": [
            {"InputName": "in", "S3Input": {"S3Uri": f"s3://{bucket}/in/", "LocalPath": f"{place}/in",
             "S3DataType": "S3Prefix", "S3InputMode": "File"}}
        ],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": f"s3://{theirs}/out", "LocalPath": f"{place}/out",
                         "S3UploadMode": "EndOfJob"}}]
        },
        "Environment": {"CODE": "here = base / 'processing'; (here / 'out/b').write_text((here / 'in/a').read_text())"},
    }  # fmt: skip
    role = account.role("r", allow("logs:*"))
    reads, lists = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/in/*"), allow("s3:ListBucket")
    writes = allow("s3:PutObject", f"arn:aws:s3:::{theirs}/out/*")
    for number, (statements, missing) in enumerate(
        [
            ([reads, writes], "s3:ListBucket"),
            ([lists, writes], "s3:GetObject"),
            ([lists, reads], "s3:PutObject"),
            ([lists, reads, writes], "s3:PutObject"),
        ]
    ):
        account.allow("r", *statements)
        job = run(account, processing(role, f"job-{number}", **files))
        assert job["ProcessingJobStatus"] == "Failed"
        assert f"is not authorized to perform: {missing} on resource: " in job["FailureReason"]
    assert "because no resource-based policy allows" in job["FailureReason"]
    policy = {"Statement": [allow("s3:PutObject", f"arn:aws:s3:::{theirs}/*") | {"Principal": {"AWS": role}}]}
    other.client("s3").put_bucket_policy(Bucket=theirs, Policy=json.dumps(policy))
    assert run(account, processing(role, "job-last", **files))["ProcessingJobStatus"] == "Completed"
    assert other.client("s3").get_object(Bucket=theirs, Key="out/b")["Body"].read() == b"1"
