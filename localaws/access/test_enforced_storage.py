"""The rows of README.md on S3, KMS and ECR: each against a running localaws."""

import io
import json

import pytest
from botocore.exceptions import ClientError

from localaws.access.conftest import processing, run
from localaws.conftest import REGION, allow, deny


def objects(bucket, *keys):
    return [f"arn:aws:s3:::{bucket}/{key}" for key in keys]


def open_bucket(account, bucket, *statements):
    account.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": list(statements)}))


def key_of(account, alias, *statements):
    """A key whose policy lets its account's IAM decide, with more statements; its ARN."""
    kms = account.client("kms")
    own = {"Effect": "Allow", "Principal": {"AWS": account.number}, "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Statement": [own, *statements]})
    key = kms.create_key(Policy=policy)["KeyMetadata"]
    kms.create_alias(AliasName=f"alias/{alias}", TargetKeyId=key["KeyId"])
    return key["Arn"]


def test_s3_objects(account, refused):
    bucket = account.bucket()
    root = account.client("s3")
    root.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = root.put_object(Bucket=bucket, Key="in/a", Body=b"1")["VersionId"]
    account.role("r", allow("s3:GetObject", objects(bucket, "in/*")), allow("s3:PutObject", objects(bucket, "out/*")))
    s3 = account.act("r", "s3")

    assert s3.get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"1"
    assert s3.head_object(Bucket=bucket, Key="in/a")["ContentLength"] == 1
    s3.put_object(Bucket=bucket, Key="out/b", Body=b"2")
    said = refused("s3:GetObject", s3.get_object, Bucket=bucket, Key="out/b")
    assert f'"arn:aws:s3:::{bucket}/out/b" because no identity-based policy allows the s3:GetObject action' in said
    refused("s3:GetObjectVersion", s3.get_object, Bucket=bucket, Key="in/a", VersionId=version)
    refused("s3:PutObject", s3.put_object, Bucket=bucket, Key="in/a", Body=b"3")
    refused("s3:DeleteObject", s3.delete_object, Bucket=bucket, Key="out/b")
    refused("s3:DeleteObjectVersion", s3.delete_object, Bucket=bucket, Key="in/a", VersionId=version)
    refused("s3:DeleteObject", s3.delete_objects, Bucket=bucket, Delete={"Objects": [{"Key": "out/b"}]})
    attributes = {"Bucket": bucket, "Key": "in/a", "ObjectAttributes": ["ETag"]}
    refused("s3:GetObjectAttributes", s3.get_object_attributes, **attributes)
    assert root.get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"1"

    only = {"StringEquals": {"s3:VersionId": version}}
    account.allow(
        "r", allow("s3:GetObjectVersion", "*", **only), allow("s3:PutObject", "*", Null={"s3:x-amz-acl": "true"})
    )
    later = root.put_object(Bucket=bucket, Key="in/a", Body=b"4")["VersionId"]
    assert s3.get_object(Bucket=bucket, Key="in/a", VersionId=version)["Body"].read() == b"1"
    refused("s3:GetObjectVersion", s3.get_object, Bucket=bucket, Key="in/a", VersionId=later)
    refused("s3:PutObject", s3.put_object, Bucket=bucket, Key="x", Body=b"", ACL="private")
    account.allow("r", allow("s3:PutObject", "*", StringEquals={"s3:x-amz-storage-class": "STANDARD_IA"}))
    refused("s3:PutObject", s3.put_object, Bucket=bucket, Key="x", Body=b"")
    s3.put_object(Bucket=bucket, Key="x", Body=b"", StorageClass="STANDARD_IA")


def test_conditional_writes(account, refused):
    """A policy can demand that a key is new: of what creates an object, for parts of an upload carry no condition."""
    bucket = account.bucket()
    unconditional = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    account.role("r", allow("s3:*"), deny("s3:PutObject", "*", **unconditional))
    s3, at = account.act("r", "s3"), {"Bucket": bucket, "Key": "x"}
    refused("s3:PutObject", s3.put_object, **at, Body=b"1")
    refused("s3:PutObject", s3.put_object, **at, Body=b"1", IfMatch='"1"')
    s3.put_object(**at, Body=b"1", IfNoneMatch="*")
    refused("s3:PutObject", s3.copy_object, Bucket=bucket, Key="y", CopySource=f"{bucket}/x")
    upload = {"Bucket": bucket, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = {"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"1")["ETag"]}
    refused("s3:PutObject", s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": [part]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}, IfNoneMatch="*")
    account.allow("r", allow("s3:*"), deny("s3:DeleteObject", "*", Null={"s3:if-match": "true"}))
    refused("s3:DeleteObject", s3.delete_object, **at)


def test_s3_lists(account, refused):
    bucket = account.bucket()
    prefixes = {"StringLike": {"s3:prefix": ["in/*"]}, "NumericLessThanEquals": {"s3:max-keys": "10"}}
    account.role("r", allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", **prefixes))
    s3 = account.act("r", "s3")
    assert s3.list_objects_v2(Bucket=bucket, Prefix="in/x", MaxKeys=10)["KeyCount"] == 0
    refused("s3:ListBucket", s3.list_objects_v2, Bucket=bucket, Prefix="in/x", MaxKeys=11)
    refused("s3:ListBucket", s3.list_objects_v2, Bucket=bucket, Prefix="out/", MaxKeys=10)
    refused("s3:ListBucket", s3.list_objects, Bucket=bucket)
    refused("s3:ListBucketVersions", s3.list_object_versions, Bucket=bucket, Prefix="in/x")
    refused("s3:ListBucketMultipartUploads", s3.list_multipart_uploads, Bucket=bucket)
    refused("s3:ListAllMyBuckets", s3.list_buckets)
    with pytest.raises(ClientError, match="403"):
        s3.head_bucket(Bucket=bucket)
    account.allow("r", allow("s3:ListBucket", "*", StringEquals={"s3:delimiter": "/"}))
    s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    refused("s3:ListBucket", s3.list_objects_v2, Bucket=bucket)


def test_s3_copies_and_parts(account, refused):
    bucket = account.bucket()
    account.client("s3").put_object(Bucket=bucket, Key="secret/a", Body=b"1")
    account.client("s3").put_object(Bucket=bucket, Key="in/a", Body=b"1")
    account.role("r", allow("s3:GetObject", objects(bucket, "in/*")), allow("s3:PutObject", objects(bucket, "out/*")))
    s3 = account.act("r", "s3")
    s3.copy_object(Bucket=bucket, Key="out/b", CopySource={"Bucket": bucket, "Key": "in/a"})
    refused("s3:GetObject", s3.copy_object, Bucket=bucket, Key="out/b", CopySource=f"{bucket}/secret/a")
    refused("s3:PutObject", s3.copy_object, Bucket=bucket, Key="in/b", CopySource=f"{bucket}/in/a")
    refused("s3:PutObject", s3.create_multipart_upload, Bucket=bucket, Key="in/b")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="out/c")["UploadId"]
    part = {"Bucket": bucket, "Key": "out/c", "UploadId": upload}
    refused("s3:ListMultipartUploadParts", s3.list_parts, **part)
    refused("s3:AbortMultipartUpload", s3.abort_multipart_upload, **part)
    tag = s3.upload_part(**part, PartNumber=1, Body=b"123")["ETag"]
    refused("s3:GetObject", s3.upload_part_copy, **part, PartNumber=2, CopySource=f"{bucket}/secret/a")
    refused("s3:PutObject", s3.upload_part, Bucket=bucket, Key="in/c", UploadId=upload, PartNumber=1, Body=b"")
    s3.complete_multipart_upload(**part, MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]})
    # The transfer manager sends parts of its own accord.
    s3.upload_fileobj(io.BytesIO(b"x" * (9 << 20)), bucket, "out/big")
    assert account.client("s3").head_object(Bucket=bucket, Key="out/big")["ContentLength"] == 9 << 20


def test_bucket_policies_across_accounts(account, other, refused):
    bucket = other.bucket()
    other.client("s3").put_object(Bucket=bucket, Key="a", Body=b"1")
    one = account.role("one", allow("s3:*"))
    account.role("two", allow("s3:*"))
    account.role("three")
    s3 = account.act("one", "s3")
    said = refused("s3:GetObject", s3.get_object, Bucket=bucket, Key="a")
    assert "because no resource-based policy allows the s3:GetObject action" in said

    to_account = {"Principal": {"AWS": f"arn:aws:iam::{account.number}:root"}}
    named = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*", ArnEquals={"aws:PrincipalArn": one})
    open_bucket(other, bucket, named | to_account)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
    s3.put_object(Bucket=bucket, Key="b", Body=b"2")
    refused("s3:ListBucket", s3.list_objects_v2, Bucket=bucket)
    said = refused("s3:GetObject", account.act("two", "s3").get_object, Bucket=bucket, Key="a")
    assert "no resource-based policy" in said
    said = refused("s3:GetObject", account.act("three", "s3").get_object, Bucket=bucket, Key="a")
    assert "no identity-based policy" in said
    open_bucket(other, bucket, allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*") | {"Principal": {"AWS": one}})
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == b"2"
    refused("s3:PutObject", s3.put_object, Bucket=bucket, Key="b", Body=b"3")


def test_bucket_policies_deny(account, refused):
    bucket = account.bucket()
    encrypted = {
        "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
        "Null": {"s3:x-amz-server-side-encryption": "false"},
    }
    account.role("r", allow(["s3:*", "kms:*"]))
    open_bucket(
        account,
        bucket,
        deny("s3:PutObject", f"arn:aws:s3:::{bucket}/*", **encrypted) | {"Principal": "*"},
        deny("s3:*", f"arn:aws:s3:::{bucket}/*", Bool={"aws:SecureTransport": "false"}) | {"Principal": "*"},
        deny("s3:DeleteObject", f"arn:aws:s3:::{bucket}/*") | {"Principal": "*"},
    )
    s3 = account.act("r", "s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    key = key_of(account, "data")
    s3.put_object(Bucket=bucket, Key="a", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    said = refused("s3:PutObject", s3.put_object, Bucket=bucket, Key="a", Body=b"", ServerSideEncryption="AES256")
    assert said.endswith("with an explicit deny in a resource-based policy")
    refused("s3:DeleteObject", s3.delete_object, Bucket=bucket, Key="a")


def test_encryption_by_s3(account, refused):
    bucket, key = account.bucket(), key_of(account, "data")
    account.role("r", allow("s3:*"))
    s3 = account.act("r", "s3")
    alias = key.rsplit(":", 1)[0] + ":alias/data"
    put = {"Bucket": bucket, "Key": "a", "Body": b"1", "ServerSideEncryption": "aws:kms"}
    for named in (key, key.rsplit("/", 1)[1], "alias/data", alias):
        said = refused("kms:GenerateDataKey", s3.put_object, **put, SSEKMSKeyId=named)
        assert key in said
    refused("kms:GenerateDataKey", s3.create_multipart_upload, Bucket=bucket, Key="a", ServerSideEncryption="aws:kms",
            SSEKMSKeyId=key)  # fmt: skip
    with pytest.raises(ClientError, match=r"KMS\.NotFoundException.*alias/nowhere is not found"):
        s3.put_object(**put, SSEKMSKeyId="alias/nowhere")

    by_s3 = {
        "StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com", "kms:CallerAccount": account.number},
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/data"},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/*"},
    }
    account.allow("r", allow("s3:*"), allow("kms:GenerateDataKey", key, **by_s3))
    s3.put_object(**put, SSEKMSKeyId=alias)
    said = refused("kms:Decrypt", s3.get_object, Bucket=bucket, Key="a")
    assert key in said
    refused("kms:Decrypt", s3.copy_object, Bucket=bucket, Key="b", CopySource=f"{bucket}/a")
    account.allow("r", allow("s3:*"), allow(["kms:GenerateDataKey", "kms:Decrypt"], key, **by_s3))
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"

    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    account.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    account.allow("r", allow("s3:*"))
    refused("kms:GenerateDataKey", s3.put_object, Bucket=bucket, Key="c", Body=b"2")


def test_key_policies(account, other, refused):
    bucket = account.bucket()
    reader = account.role("reader", allow(["s3:*", "kms:*"]))
    account.role("writer", allow(["s3:*", "kms:*"]))
    only = {"Principal": {"AWS": account.number}, "Condition": {"ArnEquals": {"aws:PrincipalArn": reader}}}
    key = key_of(other, "models", allow(["kms:Decrypt", "kms:GenerateDataKey"]) | only)
    put = {"Bucket": bucket, "Key": "a", "Body": b"1", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    said = refused("kms:GenerateDataKey", account.act("writer", "s3").put_object, **put)
    assert "because no resource-based policy allows the kms:GenerateDataKey action" in said
    account.act("reader", "s3").put_object(**put)
    assert account.act("reader", "s3").get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
    refused("kms:Decrypt", account.act("writer", "s3").get_object, Bucket=bucket, Key="a")

    # A key's policy decides in its own account too: without a word to the account, IAM's allow is nothing.
    own = key_of(account, "own")
    to_reader = allow("kms:*") | {"Principal": {"AWS": reader}}
    account.client("kms").put_key_policy(KeyId=own, PolicyName="default", Policy=json.dumps({"Statement": [to_reader]}))
    put["SSEKMSKeyId"] = own
    account.act("reader", "s3").put_object(**put)
    refused("kms:GenerateDataKey", account.act("writer", "s3").put_object, **put)


def test_kms_calls(account, refused):
    key = key_of(account, "data")
    context = {"StringEquals": {"kms:EncryptionContext:batch": "7"}}
    account.role("r", allow("kms:Encrypt", key, **context), allow("kms:DescribeKey", key))
    kms = account.act("r", "kms")
    assert kms.describe_key(KeyId="alias/data")["KeyMetadata"]["Arn"] == key
    kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"batch": "7"})
    refused("kms:Encrypt", kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"batch": "8"})
    refused("kms:Encrypt", kms.encrypt, KeyId=key, Plaintext=b"x")
    refused("kms:GenerateDataKey", kms.generate_data_key, KeyId="alias/data", KeySpec="AES_256")
    refused("kms:Decrypt", kms.decrypt, CiphertextBlob=b"x")
    refused("kms:CreateGrant", kms.create_grant, KeyId=key, GranteePrincipal="arn:aws:iam::111111111111:role/x",
            Operations=["Decrypt"])  # fmt: skip
    refused("kms:CreateKey", kms.create_key)


def processing_job(account, role, name, image):
    return run(account, processing(role, name, AppSpecification={"ImageUri": image}))


PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


def image(account, name="project/step"):
    account.client("ecr").create_repository(repositoryName=name)
    return f"{account.number}.dkr.ecr.{REGION}.amazonaws.com/{name}@sha256:{'0' * 64}"


def test_images_of_jobs(account):
    uri, role = image(account), account.role("r")
    for number, (statements, missing) in enumerate(
        [
            ([], "ecr:GetAuthorizationToken"),
            ([allow("ecr:GetAuthorizationToken")], "ecr:BatchGetImage"),
            ([allow(["ecr:GetAuthorizationToken", "ecr:BatchGetImage"])], "ecr:GetDownloadUrlForLayer"),
            ([allow("ecr:*"), deny(PULL, "*:repository/project/*")], "ecr:BatchGetImage"),
        ]
    ):
        account.allow("r", *(statements or [allow("s3:*")]))
        job = processing_job(account, role, f"job-{number}", uri)
        assert job["ProcessingJobStatus"] == "Failed"
        assert f"is not authorized to perform: {missing} on" in job["FailureReason"]
    account.allow("r", allow("ecr:GetAuthorizationToken"), allow(PULL, "*:repository/project/*"))
    assert processing_job(account, role, "job-last", uri)["ProcessingJobStatus"] == "Completed"
    # A registry that no account here has is AWS's own.
    account.allow("r", allow("s3:*"))
    job = processing_job(account, role, "job-aws", f"999999999999.dkr.ecr.{REGION}.amazonaws.com/x-step:1")
    assert job["ProcessingJobStatus"] == "Completed", job


def test_repository_policies(account, other):
    uri, role = image(other), account.role("r", allow("ecr:*"))
    job = processing_job(account, role, "first", uri)
    assert "because no resource-based policy allows the ecr:BatchGetImage action" in job["FailureReason"]
    statement = {"Effect": "Allow", "Action": PULL, "Principal": {"AWS": f"arn:aws:iam::{account.number}:root"}}
    only = {"ArnEquals": {"aws:PrincipalArn": role}}
    text = json.dumps({"Statement": [statement | {"Condition": only}]})
    other.client("ecr").set_repository_policy(repositoryName="project/step", policyText=text)
    assert processing_job(account, role, "second", uri)["ProcessingJobStatus"] == "Completed"
    another = account.role("another", allow("ecr:*"))
    assert "no resource-based policy" in processing_job(account, another, "third", uri)["FailureReason"]


def test_ecr_calls(account, refused):
    image(account)
    account.role("r", allow("ecr:DescribeImages", "*:repository/project/*"))
    ecr = account.act("r", "ecr")
    assert ecr.describe_images(repositoryName="project/step")["imageDetails"] == []
    refused("ecr:DescribeImages", ecr.describe_images, repositoryName="elsewhere/step")
    refused("ecr:ListImages", ecr.list_images, repositoryName="project/step")
    refused("ecr:PutImage", ecr.put_image, repositoryName="project/step", imageManifest="{}")
    refused("ecr:GetAuthorizationToken", ecr.get_authorization_token)
    refused("ecr:CreateRepository", ecr.create_repository, repositoryName="new/step")
