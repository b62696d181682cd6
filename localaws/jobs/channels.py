"""The channels of a training job, as far as files can be brought to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localaws.jobs.failure import JobFailed

MODES = ("File", "FastFile")
"""With FastFile a container finds the same files; here they are there before it asks for them."""


@dataclass(frozen=True)
class Channel:
    """A channel's objects, and what inputdataconfig.json says of it. No `groups` means all instances."""

    name: str
    uri: str
    data_type: str
    distribution: str
    groups: tuple[str, ...]
    configuration: dict[str, str]


def read_channels(body: dict[str, Any]) -> list[Channel]:
    """Return a training job's channels. Raises JobFailed, naming the channel and the setting."""
    mode = body["AlgorithmSpecification"].get("TrainingInputMode", "File")
    return [_channel(item, mode) for item in body.get("InputDataConfig", [])]


def _channel(item: dict[str, Any], mode: str) -> Channel:
    name, mode = item["ChannelName"], item.get("InputMode", mode)
    what = f"ClientError: channel {name}"
    if mode not in MODES:
        raise JobFailed(f"{what}: input mode {mode} isn't supported here; use File or FastFile.")
    for setting in ("CompressionType", "RecordWrapperType"):
        if item.get(setting, "None") != "None":
            raise JobFailed(f"{what}: {setting} {item[setting]} can only be used with input mode Pipe.")
    source = item.get("DataSource", {}).get("S3DataSource")
    if source is None:
        raise JobFailed(f"{what}: only S3DataSource is supported here, not a file system.")
    data_type = source["S3DataType"]
    if data_type == "AugmentedManifestFile":
        raise JobFailed(f"{what}: S3DataType AugmentedManifestFile can only be used with input mode Pipe.")
    distribution = source.get("S3DataDistributionType", "FullyReplicated")
    configuration = {"TrainingInputMode": mode, "S3DistributionType": distribution, "RecordWrapperType": "None"}
    if "ContentType" in item:
        configuration["ContentType"] = item["ContentType"]
    return Channel(
        name, source["S3Uri"], data_type, distribution, tuple(source.get("InstanceGroupNames", ())), configuration
    )
