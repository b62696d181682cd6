"""What the jobs of all definitions have in common: roles, images, clusters, keys, places in S3."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.language import Json, Parameter, get, join
from pipeline.names import Names
from pipeline.release import Release
from pipeline.settings import Settings

CSV = "text/csv"
EXECUTION_ID = get("Execution.PipelineExecutionId")
EXECUTION_ARN = get("Execution.PipelineExecutionArn")
PROCESSING = "/opt/ml/processing"


@dataclass(frozen=True)
class Jobs:
    """Arguments of jobs of one pipeline in one environment, for one release.

    Args:
        settings: the environment's.
        release: digests and function versions.
        pipeline: `train`, `inference` or `quality`.
        volume_key: reference to the ARN of the key that encrypts the instances' volumes.
    """

    settings: Settings
    release: Release
    pipeline: str
    volume_key: Json

    @property
    def names(self) -> Names:
        """Names and ARNs of the environment."""
        return Names(self.settings)

    def image(self, step: str) -> str:
        """URI of a step's image, by digest."""
        return self.names.image(step, self.release.digest(step))

    def run(self, *parts: str) -> Json:
        """S3 URI below this execution's prefix in the account's data bucket."""
        prefix = f"s3://{self.names.data_bucket}/runs/{self.names.name(self.pipeline)}"
        return join(prefix, EXECUTION_ID, *parts, on="/")

    def evidence(self, *parts: str) -> Json:
        """S3 URI below this execution's prefix in the models bucket.

        What a model version is evaluated and watched by lies beside its archive, in the registry account: an
        approved version outlives the environment that trained it.
        """
        prefix = f"s3://{self.names.models_bucket}/{self.settings.environment}/{self.names.name(self.pipeline)}"
        return join(prefix, EXECUTION_ID, *parts, on="/")

    def network(self) -> dict[str, Json]:
        """VpcConfig, where the settings name subnets."""
        if not self.settings.network.subnet_ids:
            return {}
        return {
            "VpcConfig": {
                "Subnets": list(self.settings.network.subnet_ids),
                "SecurityGroupIds": list(self.settings.network.security_group_ids),
            }
        }

    def processing(
        self,
        step: str,
        instance_type: Parameter,
        inputs: list[dict[str, Json]],
        outputs: list[dict[str, Json]],
        key: str,
        instance_count: Json = 1,
        environment: dict[str, str] | None = None,
    ) -> dict[str, Json]:
        """Return CreateProcessingJob's arguments for a step's image.

        Args:
            step: name of the image, which is that of its role too.
            instance_type: of the cluster.
            inputs: see `s3_input`.
            outputs: see `s3_output`.
            key: ARN of the outputs' key.
            instance_count: of the cluster.
            environment: variables of the container.
        """
        return {
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": instance_type.ref,
                    "InstanceCount": instance_count,
                    "VolumeSizeInGB": self.settings.volume_gb,
                    "VolumeKmsKeyId": self.volume_key,
                }
            },
            "AppSpecification": {"ImageUri": self.image(step)},
            "RoleArn": self.names.role(step),
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": {"Outputs": outputs, "KmsKeyId": key},
            **({"Environment": environment} if environment else {}),
            "NetworkConfig": {
                "EnableInterContainerTrafficEncryption": True,
                "EnableNetworkIsolation": self.settings.network.isolation,
                **self.network(),
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": self.settings.max_runtime_seconds},
        }


PREFIX, MANIFEST = "S3Prefix", "ManifestFile"
"""What an input's URI names: all objects below it, or an object that lists them."""


def s3_input(
    name: str, uri: Json, path: str, distribution: str = "FullyReplicated", data_type: str = PREFIX
) -> dict[str, Json]:
    """Return a processing input; `path` lies below /opt/ml/processing."""
    return {
        "InputName": name,
        "AppManaged": False,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"{PROCESSING}/{path}",
            "S3DataType": data_type,
            "S3InputMode": "File",
            "S3DataDistributionType": distribution,
            "S3CompressionType": "None",
        },
    }


def s3_output(name: str, uri: Json, path: str) -> dict[str, Json]:
    """Return a processing output; `path` lies below /opt/ml/processing."""
    return {
        "OutputName": name,
        "AppManaged": False,
        "S3Output": {"S3Uri": uri, "LocalPath": f"{PROCESSING}/{path}", "S3UploadMode": "EndOfJob"},
    }
