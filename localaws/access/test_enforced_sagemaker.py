"""The rows of README.md on SageMaker: each against a running localaws."""

import json

from localaws.access.conftest import CLUSTER, function, processing, run
from localaws.conftest import REGION, allow, deny, ended


def execute(account, role, *steps):
    """Run a pipeline of these steps to its end; its steps' failure reasons by name."""
    sagemaker, name = account.client("sagemaker"), role.rsplit("/", 1)[1]
    definition = json.dumps({"Version": "2020-12-01", "Steps": list(steps)})
    if not [p for p in sagemaker.list_pipelines()["PipelineSummaries"] if p["PipelineName"] == name]:
        sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=role)
    else:
        sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=definition)
    arn = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    ended(lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn), "PipelineExecutionStatus")
    found = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return {step["StepName"]: step.get("FailureReason") for step in found}


def test_steps_of_executions(account):
    arn, job = function(account), account.role("job")
    role = account.role("pipeline", allow("s3:*"))
    call = {"Name": "Call", "Type": "Lambda", "FunctionArn": f"{arn}:1", "Arguments": {}}
    step = {"Name": "Step", "Type": "Processing", "Arguments": processing(job)}
    del step["Arguments"]["ProcessingJobName"]
    assert "is not authorized to perform: lambda:InvokeFunction" in execute(account, role, call)["Call"]
    assert "is not authorized to perform: sagemaker:CreateProcessingJob" in execute(account, role, step)["Step"]
    account.allow("pipeline", allow("lambda:InvokeFunction"), allow("sagemaker:CreateProcessingJob"))
    assert execute(account, role, call)["Call"] is None
    assert f"iam:PassRole on resource: {job}" in execute(account, role, step)["Step"]
    account.allow("pipeline", allow("sagemaker:CreateProcessingJob"), allow("iam:PassRole", job))
    assert execute(account, role, step)["Step"] is None
    queue = account.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    wait = {"Name": "Wait", "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {}}
    assert "is not authorized to perform: sqs:SendMessage" in execute(account, role, wait)["Wait"]


def test_sagemaker_calls(account, refused):
    job = account.role("job")
    account.role(
        "r", allow(["sagemaker:List*", "sagemaker:Describe*"], "*"), deny("sagemaker:DescribeProcessingJob", "*/secret")
    )
    sagemaker = account.act("r", "sagemaker")
    for name in ("open", "secret"):
        run(account, processing(job, name))
    assert len(sagemaker.list_processing_jobs()["ProcessingJobSummaries"]) == 2
    sagemaker.describe_processing_job(ProcessingJobName="open")
    said = refused("sagemaker:DescribeProcessingJob", sagemaker.describe_processing_job, ProcessingJobName="secret")
    assert said.endswith("with an explicit deny in an identity-based policy")
    refused("sagemaker:StopProcessingJob", sagemaker.stop_processing_job, ProcessingJobName="open")
    refused("sagemaker:CreateProcessingJob", sagemaker.create_processing_job, **processing(job, "new"))

    create, passes = "sagemaker:CreateProcessingJob", allow("iam:PassRole")
    key = f"arn:aws:kms:{REGION}:{account.number}:key/1"
    network = {"EnableNetworkIsolation": True, "EnableInterContainerTrafficEncryption": True}
    vpc = {"VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}
    cluster = {"ClusterConfig": CLUSTER["ClusterConfig"] | {"VolumeKmsKeyId": key}}
    for number, (condition, more) in enumerate(
        [
            ({"StringEquals": {"sagemaker:InstanceTypes": "ml.m5.xlarge"}},
             {"ProcessingResources": {"ClusterConfig": CLUSTER["ClusterConfig"] | {"InstanceType": "ml.m5.xlarge"}}}),
            ({"Bool": {"sagemaker:NetworkIsolation": "true"}}, {"NetworkConfig": network}),
            ({"Bool": {"sagemaker:InterContainerTrafficEncryption": "true"}}, {"NetworkConfig": network}),
            ({"ForAnyValue:StringEquals": {"sagemaker:VpcSubnets": "subnet-1"}}, {"NetworkConfig": vpc}),
            ({"ForAnyValue:StringEquals": {"sagemaker:VpcSecurityGroupIds": "sg-1"}}, {"NetworkConfig": vpc}),
            ({"ArnEquals": {"sagemaker:VolumeKmsKey": key}}, {"ProcessingResources": cluster}),
            ({"ArnEquals": {"sagemaker:OutputKmsKey": key}},
             {"ProcessingOutputConfig": {"Outputs": [], "KmsKeyId": key}}),
        ]
    ):  # fmt: skip
        account.allow("r", allow(create, "*", **condition), passes)
        refused(create, sagemaker.create_processing_job, **processing(job, f"job-{number}"))
        sagemaker.create_processing_job(**processing(job, f"job-{number}") | more)

    tags = {"Tags": [{"Key": "team", "Value": "ml"}]}
    account.allow("r", allow(create), passes)
    refused("sagemaker:AddTags", sagemaker.create_processing_job, **processing(job, "tagged"), **tags)
    own = allow([create, "sagemaker:AddTags"], "*", StringEquals={"aws:RequestTag/team": "ml"})
    tagged = {"StringEquals": {"aws:ResourceTag/team": "ml", "sagemaker:ResourceTag/team": "ml"}}
    account.allow("r", own, passes, allow("sagemaker:DescribeProcessingJob", "*", **tagged))
    refused(create, sagemaker.create_processing_job, **processing(job, "tagged"))
    sagemaker.create_processing_job(**processing(job, "tagged"), **tags)
    sagemaker.describe_processing_job(ProcessingJobName="tagged")
    refused("sagemaker:DescribeProcessingJob", sagemaker.describe_processing_job, ProcessingJobName="open")
    keys = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    account.allow("r", allow([create, "sagemaker:AddTags"], "*", **keys), passes)
    more = {"Tags": [*tags["Tags"], {"Key": "cost", "Value": "1"}]}
    refused(create, sagemaker.create_processing_job, **processing(job, "more"), **more)


PACKAGE = {
    "ModelPackageGroupName": "g",
    "InferenceSpecification": {
        "Containers": [{"Image": "python"}], "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    },
}  # fmt: skip


def test_group_policies(account, other, refused):
    registry = other.client("sagemaker")
    group = registry.create_model_package_group(ModelPackageGroupName="g")["ModelPackageGroupArn"]
    package = group.replace("model-package-group/", "model-package/") + "/1"
    role = account.role("r", allow("sagemaker:*"))
    sagemaker, there = account.act("r", "sagemaker"), {"ModelPackageGroupName": group}
    said = refused("sagemaker:CreateModelPackage", sagemaker.create_model_package, **PACKAGE | there)
    assert "because no resource-based policy allows" in said

    def policy(*statements):
        text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        registry.put_model_package_group_policy(ModelPackageGroupName="g", ResourcePolicy=text)

    to_account = {"Principal": {"AWS": f"arn:aws:iam::{account.number}:root"}}
    whole = [group, package.rsplit("/", 1)[0] + "/*"]
    only = {"ArnEquals": {"aws:PrincipalArn": role}}
    may = allow(["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"], whole, **only) | to_account
    policy(may)
    pending = {"ModelApprovalStatus": "PendingManualApproval"}
    assert sagemaker.create_model_package(**PACKAGE | there | pending)["ModelPackageArn"] == package
    assert sagemaker.describe_model_package(ModelPackageName=package)["ModelPackageVersion"] == 1
    refused("sagemaker:ListModelPackages", sagemaker.list_model_packages, ModelPackageGroupName=group)
    approve = {"ModelPackageArn": package, "ModelApprovalStatus": "Approved"}
    said = refused("sagemaker:UpdateModelPackage", sagemaker.update_model_package, **approve)
    assert "no resource-based policy" in said
    account.role("another", allow("sagemaker:*"))
    refused("sagemaker:DescribeModelPackage", account.act("another", "sagemaker").describe_model_package,
            ModelPackageName=package)  # fmt: skip
    policy(may, deny("sagemaker:UpdateModelPackage", whole) | {"Principal": "*"})
    said = refused("sagemaker:UpdateModelPackage", sagemaker.update_model_package, **approve)
    assert said.endswith("with an explicit deny in a resource-based policy")
    # Its own account's roles hear the deny too; what decides there otherwise is their own policy.
    other.role("person", allow("sagemaker:*"))
    person = other.act("person", "sagemaker")
    refused("sagemaker:UpdateModelPackage", person.update_model_package, **approve)
    policy(may)
    pending = {"StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"}}
    other.allow("person", allow("sagemaker:UpdateModelPackage", "*", **pending))
    refused("sagemaker:UpdateModelPackage", person.update_model_package, **approve)
    person.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Rejected")
    assert registry.describe_model_package(ModelPackageName=package)["ModelApprovalStatus"] == "Rejected"


def test_keys_of_versions(account, refused):
    account.client("sagemaker").create_model_package_group(ModelPackageGroupName="g")
    account.role("r")
    sagemaker = account.act("r", "sagemaker")
    verbs = ["sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"]
    everything, stage = allow("sagemaker:*"), {"ModelLifeCycle": {"Stage": "Production", "StageStatus": "Approved"}}
    account.allow("r", everything)
    package = sagemaker.create_model_package(**PACKAGE)["ModelPackageArn"]
    for condition, more in (
        # IAM compares the names of keys without case; the developer guide writes this one in small letters.
        ({"StringEquals": {"sagemaker:modelApprovalStatus": ["Approved", "Rejected"]}},
         {"ModelApprovalStatus": "Approved"}),
        ({"StringNotEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"},
          "Null": {"sagemaker:ModelApprovalStatus": "false"}}, {"ModelApprovalStatus": "Rejected"}),
        ({"Null": {"sagemaker:ModelLifeCycle:stage": "false"}}, stage),
        ({"StringLike": {"sagemaker:ModelLifeCycle:StageStatus": "App*"}}, stage),
        ({"StringEquals": {"sagemaker:CustomerMetadataProperties/ticket": "1"}},
         {"CustomerMetadataProperties": {"ticket": "1"}}),
    ):  # fmt: skip
        account.allow("r", everything, deny(verbs, "*", **condition))
        refused("sagemaker:CreateModelPackage", sagemaker.create_model_package, **PACKAGE, **more)
        refused("sagemaker:UpdateModelPackage", sagemaker.update_model_package, ModelPackageArn=package, **more)
        sagemaker.create_model_package(**PACKAGE)
    account.allow("r", everything, deny("sagemaker:*", "*", StringEquals={"sagemaker:ModelApprovalStatus": "Approved"}))
    assert sagemaker.list_model_packages(ModelPackageGroupName="g", ModelApprovalStatus="Approved") is not None
    # What a negated operator alone says: a version without a status is refused as well.
    account.allow("r", everything, deny(verbs, "*", StringNotEquals={"sagemaker:ModelApprovalStatus": "Rejected"}))
    refused("sagemaker:CreateModelPackage", sagemaker.create_model_package, **PACKAGE)
    gone = {"CustomerMetadataPropertiesToRemove": ["ticket"]}
    kept = {"ForAnyValue:StringEquals": {"sagemaker:CustomerMetadataPropertiesToRemove": "ticket"}}
    account.allow("r", everything, deny(verbs, "*", **kept))
    refused("sagemaker:UpdateModelPackage", sagemaker.update_model_package, ModelPackageArn=package, **gone)
