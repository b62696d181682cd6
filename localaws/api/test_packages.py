"""Model packages and their groups: versions, approval, metadata, who did it, and what other accounts see."""

import json

import pytest
from botocore.exceptions import ClientError

from localaws.conftest import REGION, allow

SPECIFICATION = {
    "Containers": [{"Image": "image"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def sagemaker(account):
    """The account's SageMaker, with a group `models`."""
    client = account.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName="models")
    return client


def register(client, group="models", **more):
    return client.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=SPECIFICATION, **more
    )["ModelPackageArn"]  # fmt: skip


def error_of(call, **arguments):
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def test_versions_are_counted_and_a_deleted_number_is_not_given_again(account, sagemaker):
    made = [register(sagemaker) for _ in range(3)]
    prefix = f"arn:aws:sagemaker:{REGION}:{account.number}:model-package/models/"
    assert made == [f"{prefix}{number}" for number in (1, 2, 3)]
    sagemaker.delete_model_package(ModelPackageName=made[2])
    assert register(sagemaker) == f"{prefix}4"
    found = sagemaker.list_model_packages(
        ModelPackageGroupName="models", SortBy="CreationTime", SortOrder="Descending"
    )["ModelPackageSummaryList"]
    assert [item["ModelPackageVersion"] for item in found] == [4, 2, 1]
    code, said = error_of(sagemaker.delete_model_package_group, ModelPackageGroupName="models")
    assert code == "ConflictException" and "still has Model Packages" in said
    for item in found:
        sagemaker.delete_model_package(ModelPackageName=item["ModelPackageArn"])
    sagemaker.delete_model_package_group(ModelPackageGroupName="models")
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_a_version_is_approved_with_a_reason_and_it_is_noted_by_whom(account, sagemaker):
    arn = register(sagemaker, ModelApprovalStatus="PendingManualApproval")
    account.role("approver", allow("sagemaker:*"))
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    root = {"Arn": f"arn:aws:iam::{account.number}:root", "PrincipalId": account.number}
    assert described["CreatedBy"] == {"IamIdentity": root} and "LastModifiedBy" not in described
    group = sagemaker.describe_model_package_group(ModelPackageGroupName="models")
    assert group["CreatedBy"] == {"IamIdentity": root}

    account.act("approver", "sagemaker", "anna").update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="It is better."
    )
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (described["ModelApprovalStatus"], described["ApprovalDescription"]) == ("Approved", "It is better.")
    role = account.client("iam").get_role(RoleName="approver")["Role"]["RoleId"]
    session = f"arn:aws:sts::{account.number}:assumed-role/approver/anna"
    assert described["LastModifiedBy"] == {"IamIdentity": {"Arn": session, "PrincipalId": f"{role}:anna"}}
    assert described["CreatedBy"] == {"IamIdentity": root}
    approved = sagemaker.list_model_packages(ModelPackageGroupName="models", ModelApprovalStatus="Approved")
    assert [item["ModelPackageArn"] for item in approved["ModelPackageSummaryList"]] == [arn]
    rejected = sagemaker.list_model_packages(ModelPackageGroupName="models", ModelApprovalStatus="Rejected")
    assert rejected["ModelPackageSummaryList"] == []


def test_metadata_are_added_changed_and_removed(sagemaker):
    arn = register(sagemaker, CustomerMetadataProperties={"a": "1", "b": "2"})
    sagemaker.update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties={"b": "3", "c": "4"}, CustomerMetadataPropertiesToRemove=["a"]
    )
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["CustomerMetadataProperties"] == {"b": "3", "c": "4"}


def test_one_token_is_one_version(sagemaker):
    token = "t" * 36
    assert register(sagemaker, ClientToken=token) == register(sagemaker, ClientToken=token)
    code, _ = error_of(register, client=sagemaker, ClientToken=token, ModelPackageDescription="another")
    assert code == "ConflictException"
    assert len(sagemaker.list_model_packages(ModelPackageGroupName="models")["ModelPackageSummaryList"]) == 1


def test_packages_without_versions_have_a_name_and_no_approval(sagemaker):
    named = {"ModelPackageName": "alone", "InferenceSpecification": SPECIFICATION}
    sagemaker.create_model_package(**named)
    register(sagemaker)
    listed = {
        kind: [item.get("ModelPackageName") for item in found["ModelPackageSummaryList"]]
        for kind in ("Versioned", "Unversioned", "Both")
        for found in [sagemaker.list_model_packages(ModelPackageType=kind)]
    }
    assert listed["Unversioned"] == ["alone"]
    assert len(listed["Versioned"]) == 1 and len(listed["Both"]) == 2
    assert error_of(sagemaker.create_model_package, **named)[0] == "ConflictException"
    code, said = error_of(
        sagemaker.create_model_package, ModelPackageName="other", ModelApprovalStatus="Approved",
        InferenceSpecification=SPECIFICATION,
    )  # fmt: skip
    assert code == "ValidationException" and "versioned" in said


def test_other_accounts_see_and_register_what_the_groups_policy_allows(account, other, sagemaker):
    own = register(sagemaker)
    group = sagemaker.describe_model_package_group(ModelPackageGroupName="models")["ModelPackageGroupArn"]
    abroad = other.client("sagemaker")
    assert error_of(abroad.describe_model_package, ModelPackageName=own)[0] == "AccessDeniedException"
    assert error_of(register, client=abroad, group=group)[0] == "AccessDeniedException"
    assert error_of(sagemaker.get_model_package_group_policy, ModelPackageGroupName="models")[0] == (
        "ValidationException"
    )
    actions = ["DescribeModelPackageGroup", "DescribeModelPackage", "ListModelPackages", "CreateModelPackage"]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{other.number}:root"},
        "Action": [f"sagemaker:{action}" for action in actions],
        "Resource": [group, own.rsplit("/", 1)[0] + "/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sagemaker.put_model_package_group_policy(ModelPackageGroupName="models", ResourcePolicy=policy)
    kept = sagemaker.get_model_package_group_policy(ModelPackageGroupName="models")["ResourcePolicy"]
    assert json.loads(kept) == json.loads(policy)
    made = register(abroad, group)
    assert made == own[:-1] + "2"
    assert abroad.describe_model_package(ModelPackageName=made)["CreatedBy"]["IamIdentity"]["PrincipalId"] == (
        other.number
    )
    assert len(abroad.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]) == 2
    found = abroad.batch_describe_model_package(ModelPackageArnList=[own])
    assert found["ModelPackageSummaries"] == {}
    assert found["BatchDescribeModelPackageErrorMap"][own]["ErrorCode"] == "AccessDeniedException"
    found = sagemaker.batch_describe_model_package(ModelPackageArnList=[own, made, own[:-1] + "9"])
    assert sorted(found["ModelPackageSummaries"]) == [own, made]
    assert list(found["BatchDescribeModelPackageErrorMap"]) == [own[:-1] + "9"]
    assert error_of(abroad.update_model_package, ModelPackageArn=made, ModelApprovalStatus="Approved")[0] == (
        "AccessDeniedException"
    )
    sagemaker.delete_model_package_group_policy(ModelPackageGroupName="models")
    assert error_of(abroad.describe_model_package, ModelPackageName=made)[0] == "AccessDeniedException"


def test_groups_that_other_accounts_share_are_listed_in_pages(account, other, sagemaker):
    for number in range(4):
        name = f"group-{number}"
        arn = sagemaker.create_model_package_group(ModelPackageGroupName=name)["ModelPackageGroupArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{other.number}:root"},
            "Action": "sagemaker:DescribeModelPackageGroup",
            "Resource": arn,
        }
        if number:
            sagemaker.put_model_package_group_policy(
                ModelPackageGroupName=name, ResourcePolicy=json.dumps({"Statement": [statement]})
            )
    abroad = other.client("sagemaker")
    abroad.create_model_package_group(ModelPackageGroupName="own")
    pages = abroad.get_paginator("list_model_package_groups").paginate(
        CrossAccountFilterOption="CrossAccount", SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 2}
    )
    found = [[item["ModelPackageGroupName"] for item in page["ModelPackageGroupSummaryList"]] for page in pages]
    assert found == [["group-1", "group-2"], ["group-3"]]
    named = abroad.list_model_package_groups(CrossAccountFilterOption="CrossAccount", NameContains="3")
    assert len(named["ModelPackageGroupSummaryList"]) == 1
    own = abroad.list_model_package_groups(CrossAccountFilterOption="SameAccount")["ModelPackageGroupSummaryList"]
    assert [item["ModelPackageGroupName"] for item in own] == ["own"]


def test_what_is_not_there_or_taken_is_told(sagemaker):
    code, said = error_of(sagemaker.create_model_package_group, ModelPackageGroupName="models")
    assert code == "ValidationException" and "already exists" in said
    code, said = error_of(sagemaker.describe_model_package_group, ModelPackageGroupName="none")
    assert code == "ValidationException" and "none does not exist" in said
    code, said = error_of(
        sagemaker.put_model_package_group_policy, ModelPackageGroupName="models", ResourcePolicy="{}"
    )  # fmt: skip
    assert code == "ValidationException" and "no Statement" in said
