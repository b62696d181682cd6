"""Roles that make and keep resources, as a deployment's does: each call is held to the resource that it names."""

import json

import pytest

from localaws.conftest import allow, deny

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:GetObject")]})


@pytest.fixture
def acting(account):
    """Gives a client of a role whose policy is these statements alone."""
    account.role("keeper")

    def acting(service, *statements):
        account.allow("keeper", *statements)
        return account.act("keeper", service)

    return acting


def test_iam_roles(account, acting, refused):
    roles = f"arn:aws:iam::{account.number}:role/app-*"
    bounds = account.client("iam").create_policy(PolicyName="bounds", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    other = account.client("iam").create_policy(PolicyName="other", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    account.role("app-old", Tags=[{"Key": "team", "Value": "a"}])
    account.role("foreign")
    iam = acting("iam", allow(["iam:GetRole", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies"], roles))
    iam.get_role(RoleName="app-old")
    iam.list_role_policies(RoleName="app-old")
    iam.list_attached_role_policies(RoleName="app-old")
    said = refused("iam:GetRole", iam.get_role, RoleName="foreign")
    assert "role/foreign because no identity-based policy allows" in said
    refused("iam:DeleteRole", iam.delete_role, RoleName="app-old")

    bound = allow(["iam:CreateRole", "iam:PutRolePolicy"], roles, ArnEquals={"iam:PermissionsBoundary": bounds})
    iam = acting("iam", bound)
    new = {"RoleName": "app-new", "AssumeRolePolicyDocument": TRUST}
    refused("iam:CreateRole", iam.create_role, **new)
    refused("iam:CreateRole", iam.create_role, **new, PermissionsBoundary=other)
    iam.create_role(**new, PermissionsBoundary=bounds)
    iam.put_role_policy(RoleName="app-new", PolicyName="own", PolicyDocument=DOCUMENT)
    refused("iam:PutRolePolicy", iam.put_role_policy, RoleName="app-old", PolicyName="own", PolicyDocument=DOCUMENT)
    tagged = {"RoleName": "app-tagged", "AssumeRolePolicyDocument": TRUST, "PermissionsBoundary": bounds,
              "Tags": [{"Key": "team", "Value": "b"}]}  # fmt: skip
    refused("iam:TagRole", iam.create_role, **tagged)
    wanted = allow("iam:TagRole", roles, StringEquals={"aws:RequestTag/team": "b"})
    acting("iam", bound, wanted).create_role(**tagged)

    iam = acting("iam", allow("iam:AttachRolePolicy", roles, ArnEquals={"iam:PolicyARN": other}))
    iam.attach_role_policy(RoleName="app-new", PolicyArn=other)
    refused("iam:AttachRolePolicy", iam.attach_role_policy, RoleName="app-new", PolicyArn=bounds)
    iam = acting("iam", allow("iam:UpdateAssumeRolePolicy", "*", StringEquals={"aws:ResourceTag/team": "a"}))
    iam.update_assume_role_policy(RoleName="app-old", PolicyDocument=TRUST)
    refused("iam:UpdateAssumeRolePolicy", iam.update_assume_role_policy, RoleName="foreign", PolicyDocument=TRUST)
    iam = acting("iam", allow(["iam:GetPolicy", "iam:CreatePolicy"], f"arn:aws:iam::{account.number}:policy/b*"))
    iam.get_policy(PolicyArn=bounds)
    refused("iam:GetPolicy", iam.get_policy, PolicyArn=other)
    refused("iam:CreatePolicy", iam.create_policy, PolicyName="new", PolicyDocument=DOCUMENT)
    refused("iam:ListRoles", iam.list_roles)


def test_settings_of_buckets(account, acting, refused):
    bucket, other = account.bucket(), account.bucket(f"other-{account.number}")
    place = f"arn:aws:s3:::{bucket}"
    s3 = acting(
        "s3", allow(["s3:GetBucket*", "s3:GetAccelerateConfiguration", "s3:GetReplicationConfiguration"], place)
    )
    assert s3.get_bucket_acl(Bucket=bucket)["Owner"]
    s3.get_bucket_request_payment(Bucket=bucket)
    s3.get_bucket_accelerate_configuration(Bucket=bucket)
    for call, action in (
        (s3.get_bucket_acl, "s3:GetBucketAcl"),
        (s3.get_bucket_cors, "s3:GetBucketCORS"),
        (s3.get_bucket_replication, "s3:GetReplicationConfiguration"),
        (s3.get_public_access_block, "s3:GetBucketPublicAccessBlock"),
        (s3.get_object_lock_configuration, "s3:GetBucketObjectLockConfiguration"),
    ):
        assert f'"arn:aws:s3:::{other}"' in refused(action, call, Bucket=other)
    block = {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}
    versions = {"VersioningConfiguration": {"Status": "Enabled"}}
    refused("s3:PutBucketPublicAccessBlock", s3.put_public_access_block, Bucket=bucket, **block)
    refused("s3:PutBucketVersioning", s3.put_bucket_versioning, Bucket=bucket, **versions)
    refused("s3:PutLifecycleConfiguration", s3.delete_bucket_lifecycle, Bucket=bucket)
    s3 = acting("s3", allow(["s3:PutBucketPublicAccessBlock", "s3:PutBucketVersioning"], place))
    s3.put_public_access_block(Bucket=bucket, **block)
    s3.put_bucket_versioning(Bucket=bucket, **versions)
    refused("s3:GetObjectAcl", s3.get_object_acl, Bucket=bucket, Key="a")


def test_keys_made_and_kept(account, acting, refused):
    mine = {"Tags": [{"TagKey": "project", "TagValue": "p"}]}
    make = allow(["kms:CreateKey", "kms:TagResource"], StringEquals={"aws:RequestTag/project": "p"})
    keys = f"arn:aws:kms:us-east-1:{account.number}:key/*"
    own = {"StringEquals": {"aws:ResourceTag/project": "p"}}
    keep = allow(["kms:EnableKeyRotation", "kms:CreateAlias", "kms:DescribeKey"], keys, **own)
    name = allow("kms:CreateAlias", f"arn:aws:kms:us-east-1:{account.number}:alias/p-*")
    kms = acting("kms", make, keep, name)
    refused("kms:CreateKey", kms.create_key)
    refused("kms:CreateKey", kms.create_key, Tags=[{"TagKey": "project", "TagValue": "q"}])
    key = kms.create_key(**mine)["KeyMetadata"]["KeyId"]
    foreign = account.client("kms").create_key()["KeyMetadata"]["KeyId"]
    kms.describe_key(KeyId=key)
    kms.enable_key_rotation(KeyId=key)
    refused("kms:EnableKeyRotation", kms.enable_key_rotation, KeyId=foreign)
    kms.create_alias(AliasName="alias/p-key", TargetKeyId=key)
    refused("kms:CreateAlias", kms.create_alias, AliasName="alias/q-key", TargetKeyId=key)
    refused("kms:CreateAlias", kms.create_alias, AliasName="alias/p-other", TargetKeyId=foreign)
    refused("kms:ScheduleKeyDeletion", kms.schedule_key_deletion, KeyId=key)
    refused("kms:ListAliases", kms.list_aliases)
    acting("kms", allow("kms:ListAliases")).list_aliases()


def test_repositories_made_and_kept(account, acting, refused):
    place = f"arn:aws:ecr:us-east-1:{account.number}:repository/app/*"
    foreign = account.client("ecr").create_repository(repositoryName="foreign")["repository"]["repositoryArn"]
    ecr = acting("ecr", allow(["ecr:CreateRepository", "ecr:DescribeRepositories", "ecr:ListTagsForResource"], place))
    made = ecr.create_repository(repositoryName="app/one")["repository"]["repositoryArn"]
    ecr.describe_repositories(repositoryNames=["app/one"])
    ecr.list_tags_for_resource(resourceArn=made)
    refused("ecr:DescribeRepositories", ecr.describe_repositories, repositoryNames=["app/one", "foreign"])
    assert "repository/*" in refused("ecr:DescribeRepositories", ecr.describe_repositories)
    refused("ecr:ListTagsForResource", ecr.list_tags_for_resource, resourceArn=foreign)
    refused("ecr:TagResource", ecr.create_repository, repositoryName="app/two", tags=[{"Key": "a", "Value": "b"}])
    refused("ecr:DeleteRepository", ecr.delete_repository, repositoryName="app/one")


def test_log_groups_made_and_kept(account, acting, refused):
    group = f"arn:aws:logs:us-east-1:{account.number}:log-group:/app/one"
    account.client("logs").create_log_group(logGroupName="/foreign")
    logs = acting("logs", allow(["logs:CreateLogGroup", "logs:ListTagsForResource", "logs:PutRetentionPolicy"],
                                f"arn:aws:logs:us-east-1:{account.number}:log-group:/app/*"))  # fmt: skip
    logs.create_log_group(logGroupName="/app/one")
    logs.put_retention_policy(logGroupName="/app/one", retentionInDays=7)
    assert logs.list_tags_for_resource(resourceArn=group)["tags"] == {}
    refused("logs:ListTagsForResource", logs.list_tags_for_resource, resourceArn=group.replace("/app/one", "/foreign"))
    refused("logs:PutRetentionPolicy", logs.put_retention_policy, logGroupName="/foreign", retentionInDays=7)
    refused("logs:TagResource", logs.create_log_group, logGroupName="/app/two", tags={"a": "b"})
    refused("logs:DeleteLogGroup", logs.delete_log_group, logGroupName="/app/one")
    refused("logs:DescribeLogGroups", logs.describe_log_groups)


def test_queues_topics_and_buses_made_and_kept(account, acting, refused):
    def place(service, name):
        return f"arn:aws:{service}:us-east-1:{account.number}:{name}"

    sqs = acting("sqs", allow("sqs:*", place("sqs", "app-*")))
    url = sqs.create_queue(QueueName="app-one", tags={"a": "b"})["QueueUrl"]
    sqs.list_queue_tags(QueueUrl=url)
    refused("sqs:CreateQueue", sqs.create_queue, QueueName="foreign")
    sns = acting("sns", allow("sns:*", [place("sns", "app-*"), place("sns", "app-*:*")]), deny("sns:TagResource"))
    topic = sns.create_topic(Name="app-one")["TopicArn"]
    refused("sns:TagResource", sns.create_topic, Name="app-two", Tags=[{"Key": "a", "Value": "b"}])
    held = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=place("sqs", "app-one"))["SubscriptionArn"]
    sns.get_subscription_attributes(SubscriptionArn=held)
    refused("sns:CreateTopic", sns.create_topic, Name="foreign")
    refused("sns:GetTopicAttributes", sns.get_topic_attributes, TopicArn=place("sns", "foreign"))
    events = acting("events", allow("events:*", [place("events", "event-bus/app"), place("events", "rule/app/app-*")]))
    events.create_event_bus(Name="app")
    events.describe_event_bus(Name="app")
    events.put_rule(Name="app-one", EventBusName="app", EventPattern='{"source": ["x"]}')
    events.list_tags_for_resource(ResourceARN=place("events", "rule/app/app-one"))
    refused("events:CreateEventBus", events.create_event_bus, Name="foreign")
    assert "event-bus/default" in refused("events:DescribeEventBus", events.describe_event_bus)
    refused("events:PutRule", events.put_rule, Name="app-one", EventPattern='{"source": ["x"]}')
    refused("events:ListRules", events.list_rules, EventBusName="app")


def test_endpoints_of_networks(account, acting, refused):
    own = account.client("ec2")
    vpc = own.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    table = own.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    made = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": [table]}
    everything = f"arn:aws:ec2:us-east-1:{account.number}"
    makes = ["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint", "ec2:CreateTags"]
    ec2 = acting("ec2", allow(makes, f"{everything}:*/*"))
    endpoint = ec2.create_vpc_endpoint(**made)["VpcEndpoint"]["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, ResetPolicy=True)
    ec2.create_tags(Resources=[endpoint], Tags=[{"Key": "a", "Value": "b"}])
    refused("ec2:DescribeVpcEndpoints", ec2.describe_vpc_endpoints)
    refused("ec2:DeleteVpcEndpoints", ec2.delete_vpc_endpoints, VpcEndpointIds=[endpoint])
    ec2 = acting("ec2", allow(makes, [f"{everything}:vpc/*", f"{everything}:vpc-endpoint/*"]))
    assert f"route-table/{table}" in refused("ec2:CreateVpcEndpoint", ec2.create_vpc_endpoint, **made)
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, ResetPolicy=True)
    refused("ec2:CreateTags", ec2.create_tags, Resources=[table], Tags=[{"Key": "a", "Value": "b"}])


def test_roles_handed_on_to_other_services(account, acting, refused):
    job = account.role("job")
    account.client("events").put_rule(Name="r", EventPattern='{"source": ["x"]}')
    target = {"Id": "1", "RoleArn": job, "Arn": f"arn:aws:sagemaker:us-east-1:{account.number}:pipeline/p"}
    put = allow("events:PutTargets")
    refused("iam:PassRole", acting("events", put).put_targets, Rule="r", Targets=[target])
    to_lambda = allow("iam:PassRole", job, StringEquals={"iam:PassedToService": "lambda.amazonaws.com"})
    refused("iam:PassRole", acting("events", put, to_lambda).put_targets, Rule="r", Targets=[target])
    to_events = allow("iam:PassRole", job, StringEquals={"iam:PassedToService": "events.amazonaws.com"})
    acting("events", put, to_events).put_targets(Rule="r", Targets=[target])
    made = {"FunctionName": "f", "Runtime": "python3.11", "Handler": "a.b", "Role": job, "Code": {"ZipFile": b"x"}}
    refused("iam:PassRole", acting("lambda", allow("lambda:*"), to_events).create_function, **made)
