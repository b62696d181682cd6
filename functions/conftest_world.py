"""A prod account with a SageMaker that executes, and the registry's, in which the functions' own roles count."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from string import Template
from types import SimpleNamespace
from typing import Any

import boto3

from functions import conftest_seals, package
from functions.common import context as contexts
from functions.common import contract
from functions.common.context import AccountContext
from functions.common.seals import Record
from functions.conftest_localaws import client, echo, session

ROOT = Path(__file__).parent.parent


class World:
    """What a function finds in its account and in the registry's."""

    def __init__(self, context: AccountContext, address: str) -> None:
        self.context, self._address = context, address
        self._echo = echo(address)
        self._buckets()
        self.registry("sagemaker").create_model_package_group(ModelPackageGroupName=context.project)
        self.registry("sagemaker").put_model_package_group_policy(
            ModelPackageGroupName=context.project, ResourcePolicy=self._policy("group")
        )
        self._callbacks = self.prod("sqs").create_queue(QueueName=f"{context.project}-callbacks")["QueueUrl"]
        self.mailbox()
        self._keys()
        self._roles: set[str] = set()
        self.image = self.push()

    def prod(self, service: str) -> Any:
        """Return a client of prod's root."""
        return client(service, self.context.account, self._address)

    def registry(self, service: str) -> Any:
        """Return a client of the registry account's root."""
        return client(service, self.context.registry_account, self._address)

    def act_as(self, function: str) -> None:
        """Let the code under test have the role of a function, with the policies that it really gets."""
        self.role(function, function, "function")
        contexts.use(self._session_of(function))

    def client_of(self, role: str, service: str) -> Any:
        """Return a client of a role's session."""
        return self._session_of(role).client(service, endpoint_url=self._address)

    def _session_of(self, role: str) -> Any:
        keys = self.prod("sts").assume_role(RoleArn=self._arn(role), RoleSessionName="tests")["Credentials"]
        return session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])

    def close(self) -> None:
        """Stop what still runs."""
        for part in ("train", "inference", "quality"):
            sagemaker = self.prod("sagemaker")
            with contextlib.suppress(sagemaker.exceptions.ResourceNotFound):
                for execution in self.executions(part):
                    with contextlib.suppress(sagemaker.exceptions.ConflictException):  # it has ended
                        sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution)

    def _variables(self) -> dict[str, str]:
        context = self.context
        return {
            "project": context.project,
            "environment": context.environment,
            "region": context.region,
            "account_id": context.account,
            "dev_account_id": "111111111111",
            "registry_account_id": context.registry_account,
            "prod_account_id": context.account,
            "data_bucket": context.data_bucket,
            "models_bucket": context.models_bucket,
        }

    def _policy(self, name: str, registry: bool = False) -> str:
        variables = self._variables() | ({"account_id": self.context.registry_account} if registry else {})
        text = Template((ROOT / "policies" / f"{name}.json").read_text()).safe_substitute(variables)
        return json.dumps(json.loads(text))

    def _arn(self, role: str) -> str:
        return f"arn:aws:iam::{self.context.account}:role/{self.context.project}-{role.replace('_', '-')}"

    def role(self, name: str, *policies: str) -> str:
        """Make a role, once, with the policies that it really gets; return its ARN."""
        iam, arn = self.prod("iam"), self._arn(name)
        if name in self._roles:
            return arn
        self._roles.add(name)
        called = arn.rsplit("/", 1)[-1]
        # SageMaker and Lambda take a role; tests take it as the account's root.
        trusted = {
            "Service": ["sagemaker.amazonaws.com", "lambda.amazonaws.com"],
            "AWS": f"arn:aws:iam::{self.context.account}:root",
        }
        trust = {"Statement": [{"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}]}
        iam.create_role(RoleName=called, AssumeRolePolicyDocument=json.dumps(trust))
        for policy in policies:
            iam.put_role_policy(RoleName=called, PolicyName=policy, PolicyDocument=self._policy(f"role-{policy}"))
        if name == "pipeline":
            used = {"Effect": "Allow", "Action": ["sqs:SendMessage", "lambda:InvokeFunction"], "Resource": "*"}
            iam.put_role_policy(RoleName=called, PolicyName="tests", PolicyDocument=json.dumps({"Statement": [used]}))
        return arn

    def _buckets(self) -> None:
        for s3, bucket, policy in (
            (self.prod("s3"), self.context.data_bucket, None),
            (self.registry("s3"), self.context.models_bucket, self._policy("bucket-models")),
        ):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            if policy:
                s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        for key in ("baseline/x.json", "prod/model.tar.gz"):
            self.registry("s3").put_object(Bucket=self.context.models_bucket, Key=key, Body=key.encode())

    def _keys(self) -> None:
        kms = self.prod("kms")
        self.key = kms.create_key()["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName=f"alias/{self.context.project}-data", TargetKeyId=self.key)
        self.signing_key()

    def signing_key(self) -> str:
        """Make a key that signs approvals, and give it the alias; return its ARN."""
        kms, alias = self.registry("kms"), f"alias/{self.context.project}-approvals"
        arn = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
        kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=self._policy("key-approvals", registry=True))
        try:
            kms.create_alias(AliasName=alias, TargetKeyId=arn)
        except kms.exceptions.AlreadyExistsException:
            kms.update_alias(AliasName=alias, TargetKeyId=arn)
        return arn

    def mailbox(self) -> None:
        """Make the topic of notifications, with a queue that keeps notifications."""
        sqs, sns = self.prod("sqs"), self.prod("sns")
        self._mail = sqs.create_queue(QueueName=f"{self.context.project}-mail")["QueueUrl"]
        queue = sqs.get_queue_attributes(QueueUrl=self._mail, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = sns.create_topic(Name=f"{self.context.project}-notifications")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)

    def deploy(self, function: str) -> str:
        """Make one of the project's functions from the archive that AWS Lambda gets; return its version."""
        described = json.loads((ROOT / "functions" / "functions.json").read_text())
        variables = Template(json.dumps(described["environment"])).safe_substitute(
            self._variables() | {"retrain_enabled": "true", "retrain_cooldown_hours": "0", "retrain_daily_cap": "1"}
        )
        return self.prod("lambda").create_function(
            FunctionName=f"{self.context.project}-{function.replace('_', '-')}",
            Runtime=described["runtime"],
            Role=self.role(function, function, "function"),
            Handler=described["functions"][function]["handler"],
            Timeout=described["functions"][function]["timeout"],
            Code={"ZipFile": package.build()},
            Environment={"Variables": json.loads(variables)},
            Publish=True,
        )["Version"]

    def calling(self, function: str, **asked: str) -> dict:
        """Return the step Resolve that calls one of the project's functions: for the newest batch, or as asked."""
        version = self.deploy(function)
        arn = f"arn:aws:lambda:us-east-1:{self.context.account}:function:{self.context.project}-{function}:{version}"
        asked = asked or {"action": "batch", "batch_data_url": "newest"}
        arguments = {**asked, "execution_arn": {"Get": "Execution.PipelineExecutionArn"}}
        return {
            "Name": contract.RESOLVE,
            "Type": "Lambda",
            "FunctionArn": arn,
            "Arguments": arguments,
            "OutputParameters": [],
        }

    def push(self, step: str = "monitor") -> str:
        """Put an image into prod's registry; return its URI."""
        ecr, repository = self.prod("ecr"), f"{self.context.project}/{step}"
        ecr.create_repository(repositoryName=repository)
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}
        put = ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag="1")
        digest = put["image"]["imageId"]["imageDigest"]
        return f"{self.context.account}.dkr.ecr.{self.context.region}.amazonaws.com/{repository}@{digest}"

    def put(self, key: str, body: bytes | str = b"67,3,5,3\n", **more: str) -> str:
        """Put an object into prod's data bucket; return its URL."""
        self.prod("s3").put_object(Bucket=self.context.data_bucket, Key=key, Body=body, **more)
        return f"s3://{self.context.data_bucket}/{key}"

    def read(self, key: str) -> Any:
        """Return the JSON value of an object in prod's data bucket."""
        return json.loads(self.prod("s3").get_object(Bucket=self.context.data_bucket, Key=key)["Body"].read())

    def mails(self) -> list[tuple[str, str]]:
        """Return (subject, text) of every notification since the last look."""
        sqs, found = self.prod("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self._mail, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                body = json.loads(message["Body"])
                found.append((body["Subject"], body["Message"]))
                sqs.delete_message(QueueUrl=self._mail, ReceiptHandle=message["ReceiptHandle"])
        return found

    def version(
        self,
        status: str = "Approved",
        image: str = "",
        baseline: bool = True,
        metrics: bool = False,
        sealed: bool = True,
        **metadata: str,
    ) -> str:
        """Register a version in the registry account, sealed, and signed if it is approved; return its ARN."""
        metric = {"ContentType": "application/json", "S3Uri": f"s3://{self.context.models_bucket}/baseline/x.json"}
        quality = {"ModelDataQuality": {"Statistics": metric, "Constraints": metric}} if baseline else {}
        if metrics:
            quality["ModelQuality"] = {"Statistics": metric}
        archive = f"s3://{self.context.models_bucket}/prod/model.tar.gz"
        arn = self.registry("sagemaker").create_model_package(
            ModelPackageGroupName=self.context.project,
            ModelApprovalStatus=status,
            InferenceSpecification={
                "Containers": [{"Image": image or self.image, "ModelDataUrl": archive}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            **({"DriftCheckBaselines": quality} if quality else {}),
            **({"CustomerMetadataProperties": metadata} if metadata else {}),
        )["ModelPackageArn"]
        if sealed:
            self.seal(arn)
        if sealed and status == "Approved":
            self.sign(arn)
        return arn

    def as_person(self) -> None:
        """Let the code under test act as a person of the registry account."""
        contexts.use(session(self.context.registry_account))

    def seal(self, arn: str) -> Record:
        """Seal a version by hand, as a person of the registry account does; return its record."""
        with self._acting(session(self.context.registry_account)):
            return conftest_seals.seal(self.context, arn)

    def sign(self, arn: str) -> None:
        """Sign a version's approval, as a person of the registry account does."""
        with self._acting(session(self.context.registry_account)):
            conftest_seals.sign(self.context, arn)

    @contextlib.contextmanager
    def _acting(self, chosen: Any) -> Iterator[None]:
        before = boto3.DEFAULT_SESSION
        contexts.use(chosen)
        yield
        contexts.use(before)

    def pipeline(self, part: str, *steps: dict) -> None:
        """Create or replace a pipeline of these steps."""
        sagemaker, name = self.prod("sagemaker"), self.context.pipeline(part)
        parameters = [{"Name": "BatchDataUrl", "Type": "String", "DefaultValue": "newest"}]
        definition = {"Version": "2020-12-01", "Parameters": parameters, "Steps": steps}
        request = {
            "PipelineName": name,
            "PipelineDefinition": json.dumps(definition),
            "RoleArn": self.role("pipeline", "pipeline"),
        }
        try:
            sagemaker.describe_pipeline(PipelineName=name)
        except sagemaker.exceptions.ResourceNotFound:
            sagemaker.create_pipeline(**request)
        else:
            sagemaker.update_pipeline(**request)

    def start(self, part: str, **more: str) -> str:
        """Start an execution; return its ARN."""
        name = self.context.pipeline(part)
        return self.prod("sagemaker").start_pipeline_execution(PipelineName=name, **more)["PipelineExecutionArn"]

    def end(self, execution: str) -> str:
        """Wait for an execution's end; return its status."""
        while (status := self.describe(execution)["PipelineExecutionStatus"]) in contexts.RUNNING:
            time.sleep(0.05)
        return status

    def stop(self, execution: str) -> str:
        """Stop an execution and answer for its waiting step, without which it is never stopped; return its status."""
        sagemaker = self.prod("sagemaker")
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution)
        while (status := self.describe(execution)["PipelineExecutionStatus"]) in contexts.RUNNING:
            steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution)["PipelineExecutionSteps"]
            for token in [step["Metadata"]["Callback"]["CallbackToken"] for step in steps if self._stopping(step)]:
                sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="Stopped.")
            time.sleep(0.05)
        return status

    @staticmethod
    def _stopping(step: dict) -> bool:
        return step["StepStatus"] == "Stopping" and "Callback" in step.get("Metadata", {})

    def describe(self, execution: str) -> dict:
        """Return DescribePipelineExecution's answer."""
        return self.prod("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution)

    def executions(self, part: str) -> list[str]:
        """Return the ARNs of a pipeline's executions, the newest first."""
        found = self.prod("sagemaker").list_pipeline_executions(PipelineName=self.context.pipeline(part))
        return [item["PipelineExecutionArn"] for item in found["PipelineExecutionSummaries"]]

    def resolve(self, **outputs: str) -> dict:
        """Return the step Resolve with these outputs."""
        named = [{"OutputName": output, "OutputType": "String"} for output in outputs]
        return {
            "Name": contract.RESOLVE,
            "Type": "Lambda",
            "Arguments": outputs,
            "FunctionArn": self._echo,
            "OutputParameters": named,
        }

    def waiting(self) -> dict:
        """Return a step that runs until somebody stops it."""
        return {"Name": "Train", "Type": "Callback", "SqsQueueUrl": self._callbacks, "OutputParameters": []}

    def go_on(self) -> None:
        """Let a waiting step succeed."""
        (message,) = self.prod("sqs").receive_message(QueueUrl=self._callbacks, WaitTimeSeconds=20)["Messages"]
        token = json.loads(message["Body"])["token"]
        self.prod("sagemaker").send_pipeline_execution_step_success(CallbackToken=token, OutputParameters=[])

    def monitor(
        self, files: dict[str, str] | None = None, code: int = 0, message: str = "", of: str = "inference"
    ) -> dict:
        """Return the step Monitor, or Quality of that pipeline, which writes these files, or fails with a message."""
        name = {"inference": contract.MONITOR, "quality": contract.QUALITY}[of]
        prefix = f"s3://{self.context.data_bucket}/runs/{self.context.pipeline(of)}"
        uri = {
            "Std:Join": {
                "On": "/",
                "Values": [
                    prefix,
                    {"Get": "Execution.PipelineExecutionId"},
                    {"inference": "monitor", "quality": "quality"}[of],
                ],
            }
        }
        output = {"S3Uri": uri, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
        cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        return {
            "Name": name,
            "Type": "Processing",
            "DependsOn": [contract.RESOLVE],
            "Arguments": {
                "AppSpecification": {"ImageUri": self.image},
                "RoleArn": self.role("monitor", "monitor", "job"),
                "ProcessingResources": {"ClusterConfig": cluster},
                "ProcessingOutputConfig": {"Outputs": [{"OutputName": contract.MONITORING, "S3Output": output}]},
                "Environment": {"FILES": json.dumps(files or {}), "CODE": str(code), "MESSAGE": message},
            },
        }


def fail(name: str, message: str, *after: str) -> dict:
    """Return a Fail step."""
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, "DependsOn": list(after)}


def invocation(request: str = "request-1") -> SimpleNamespace:
    """What AWS Lambda passes beside the event."""
    return SimpleNamespace(aws_request_id=request)
