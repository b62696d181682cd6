"""Everything the three accounts need, made through plain boto3: what Terraform makes, from the same files.

Two layers, as in Terraform: `foundation` makes what holds things (keys, buckets, roles, repositories, the group), and
`deploy` puts a release in them (functions, pipelines, rules, alarms). Both may be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from functions import package
from pipeline import account as credentials
from pipeline import templates
from pipeline.execution import render
from pipeline.names import FUNCTIONS, PIPELINES, STEPS
from pipeline.release import Release
from pipeline.settings import Settings
from promotion.accounts import Account
from promotion.parts import Alarm, Function, Pipeline, Rule, ensure, put_functions

MEMBERS = ("dev", "prod")
JOB_LOGS = ("ProcessingJobs", "TrainingJobs", "TransformJobs")


def local_account(chosen: Settings, endpoint: str) -> Account:
    """Return a local account at an address, acted in as its own root."""
    return Account(chosen, credentials.session(chosen, local=True), endpoint)


def _policy(account: Account, name: str) -> str:
    return json.dumps(templates.policy(name, account.settings))


def foundation(accounts: Iterable[Account]) -> None:
    """Make what holds things in every account."""
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(_foundation, accounts))


def _foundation(account: Account) -> None:
    registry = account.settings.environment == "registry"
    bucket, purpose = (account.names.models_bucket, "models") if registry else (account.names.data_bucket, "data")
    key = _key(account, purpose)
    events_key = _key(account, "events")
    _bucket(account, bucket, purpose, key)
    _notifications(account, events_key)
    boundary = _boundary(account)
    for name, role in templates.roles(account.settings).items():
        _role(account, name, role, boundary)
    if registry:
        for signs in ("releases", "approvals"):
            _key(account, signs, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        _group(account)
    else:
        _repositories(account)
        _log_groups(account)
        account.client("s3").put_object(Bucket=bucket, Key="placeholders/none", Body=b"none\n")
    if account.settings.environment == "prod":
        _bus(account)


def _key(account: Account, purpose: str, **kind: str) -> str:
    """Make a customer key with its alias; return its ARN."""
    kms = account.client("kms")
    alias = f"alias/{account.names.name(purpose)}"
    try:
        arn = kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"]
    except kms.exceptions.NotFoundException:
        made = kms.create_key(Description=f"{account.settings.project}: {purpose}", **kind)
        arn = made["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName=alias, TargetKeyId=arn)
        if not kind:
            kms.enable_key_rotation(KeyId=arn)
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=_policy(account, f"key-{purpose}"))
    return arn


def _bucket(account: Account, bucket: str, purpose: str, key: str) -> None:
    s3 = account.client("s3")
    ensure(s3.create_bucket, Bucket=bucket, **_location(account.settings.region))
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
                    "BucketKeyEnabled": True,
                }
            ]
        },
    )
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=_policy(account, f"bucket-{purpose}"))
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration=templates.policy("lifecycle", account.settings)
    )
    if purpose == "data":
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )


def _location(region: str) -> dict[str, Any]:
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}


def _notifications(account: Account, key: str) -> None:
    """Make the topic that tells people, and the queue of events that could not be delivered."""
    sns, sqs = account.client("sns"), account.client("sqs")
    topic = sns.create_topic(Name=account.names.name("notifications"))["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue=key)
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=_policy(account, "topic-notifications")
    )
    for address in account.settings.notification_addresses:
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    url = sqs.create_queue(QueueName=account.names.name("dead-letters"))["QueueUrl"]
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={
            "KmsMasterKeyId": key,
            "MaximumMessageSize": "262144",
            "MessageRetentionPeriod": "1209600",
            "Policy": _policy(account, "queue-dead-letters"),
        },
    )


def _boundary(account: Account) -> str:
    """Make the policy that bounds every role; return its ARN."""
    iam, name = account.client("iam"), account.names.name("boundary")
    arn = f"arn:aws:iam::{account.settings.account}:policy/{name}"
    document = _policy(account, "boundary")
    if ensure(iam.create_policy, PolicyName=name, PolicyDocument=document) is None:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        stored = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        if stored != json.loads(document):
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    return arn


def _role(account: Account, name: str, role: dict[str, Any], boundary: str) -> None:
    iam = account.client("iam")
    called = account.names.name(name)
    trust = json.dumps(role["trust"])
    made = ensure(
        iam.create_role,
        RoleName=called,
        AssumeRolePolicyDocument=trust,
        Description=role["description"],
        PermissionsBoundary=boundary,
    )
    if made is None:
        iam.update_assume_role_policy(RoleName=called, PolicyDocument=trust)
    for part, document in role["policies"].items():
        iam.put_role_policy(RoleName=called, PolicyName=part, PolicyDocument=json.dumps(document))


def _repositories(account: Account) -> None:
    ecr = account.client("ecr")
    for step in STEPS:
        name = account.names.repository(step)
        ensure(
            ecr.create_repository,
            repositoryName=name,
            imageTagMutability="IMMUTABLE",
            imageScanningConfiguration={"scanOnPush": True},
        )
        ecr.set_repository_policy(repositoryName=name, policyText=_policy(account, "repository"))
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=_policy(account, "repository-lifecycle"))


def _log_groups(account: Account) -> None:
    logs = account.client("logs")
    groups = [f"/aws/lambda/{account.names.name(function)}" for function in FUNCTIONS]
    for group in [*groups, *(f"/aws/sagemaker/{kind}" for kind in JOB_LOGS)]:
        ensure(logs.create_log_group, logGroupName=group)
        logs.put_retention_policy(logGroupName=group, retentionInDays=account.settings.log_retention_days)


def _bus(account: Account) -> None:
    events = account.client("events")
    ensure(events.create_event_bus, Name=account.settings.project)
    events.put_permission(EventBusName=account.settings.project, Policy=_policy(account, "bus"))


def _group(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    name = account.settings.project
    found = sagemaker.list_model_package_groups(NameContains=name)["ModelPackageGroupSummaryList"]
    if name not in {group["ModelPackageGroupName"] for group in found}:
        sagemaker.create_model_package_group(
            ModelPackageGroupName=name, ModelPackageGroupDescription=f"Versions of {name} from every environment"
        )
    sagemaker.put_model_package_group_policy(ModelPackageGroupName=name, ResourcePolicy=_policy(account, "group"))


def deploy(account: Account, release: Release) -> Release:
    """Put a release into an account: functions, pipelines, rules and alarms.

    Args:
        account: dev, prod or registry; the registry has only rules and alarms.
        release: what to run; its function versions don't count, for each account counts its own.

    Returns:
        The release with the versions of the functions that were published here.
    """
    if account.settings.environment in MEMBERS:
        code = package.build()
        versions = put_functions([Function(account, name, code) for name in FUNCTIONS])
        release = replace(release, functions=versions)
        for name in PIPELINES:
            definition = partial(_definition, account, name, release)
            Pipeline(account, name, definition, f"Release {release.version}, commit {release.git_commit}").put(versions)
    for rule in templates.rules(account.settings):
        Rule(account, rule).put()
    for alarm in templates.alarms(account.settings):
        Alarm(account, alarm).put()
    return release


def _definition(account: Account, pipeline: str, release: Release, versions: Mapping[str, str]) -> str:
    return render(account.settings, pipeline, replace(release, functions=versions)).text()
