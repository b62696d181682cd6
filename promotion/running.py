"""What an environment's pipelines really run, read back and held against a release."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.names import PIPELINES
from pipeline.release import Release
from promotion.accounts import Account
from promotion.errors import DeployFailed
from promotion.manifest import Manifest


@dataclass(frozen=True)
class Running:
    """What one pipeline runs.

    Attributes:
        definition: as SageMaker keeps it.
        images: step → digest.
        functions: function → published version.
        code: function → digest of the version's archive.
    """

    definition: Any
    images: Mapping[str, str]
    functions: Mapping[str, str]
    code: Mapping[str, str] = field(default_factory=dict)


def read(account: Account, pipeline: str) -> Running | None:
    """Return what a pipeline runs; None if it isn't there."""
    sagemaker, aws = account.client("sagemaker"), account.client("lambda")
    try:
        described = sagemaker.describe_pipeline(PipelineName=account.names.name(pipeline))
    except sagemaker.exceptions.ResourceNotFound:
        return None
    definition = json.loads(described["PipelineDefinition"])
    release = Release.of_definition(definition)
    code = {
        name: code_digest(
            aws.get_function_configuration(FunctionName=account.names.name(name), Qualifier=version)["CodeSha256"]
        )
        for name, version in release.functions.items()
    }
    return Running(definition, release.images, release.functions, code)


def images(account: Account) -> dict[str, str]:
    """Return step → digest over all pipelines of the environment.

    Raises:
        DeployFailed: two pipelines run different images of one step.
    """
    found: dict[str, str] = {}
    for pipeline in PIPELINES:
        here = read(account, pipeline)
        for step, digest in (here.images if here else {}).items():
            if found.setdefault(step, digest) != digest:
                raise DeployFailed(f"{account.environment} runs {step} {found[step]} and {digest}: two releases.")
    return found


def demand(account: Account, manifest: Manifest, folder: Path) -> None:
    """Demand that every pipeline runs exactly what the release's files in `folder` say.

    Raises:
        DeployFailed: a pipeline is missing or one too many, or a definition, an image's digest or a function's code
            is another; the message names it.
    """
    wanted = manifest.pipelines(account.environment)
    for pipeline in dict.fromkeys((*PIPELINES, *wanted)):
        here, name = read(account, pipeline), account.names.name(pipeline)
        if pipeline not in wanted:
            if here is not None:
                raise DeployFailed(f"{name} is in {account.environment}, and release {manifest.version} has none.")
            continue
        if here is None:
            raise DeployFailed(f"{name} isn't in {account.environment}.")
        for step, digest in here.images.items():
            if digest != manifest.images[step]:
                raise DeployFailed(f"{name} runs {step} {digest}, not {manifest.images[step]}.")
        for function, digest in here.code.items():
            if digest != manifest.function_code:
                called = f"{function}:{here.functions[function]}"
                raise DeployFailed(f"{name} calls {called}, whose code isn't that of release {manifest.version}.")
        if here.definition != json.loads(definition(folder, account.environment, pipeline, here.functions)):
            raise DeployFailed(f"{name} isn't as release {manifest.version} defines it.")


def definition(folder: Path, environment: str, pipeline: str, versions: Mapping[str, str]) -> str:
    """Return a release's definition with the account's own versions of the functions."""
    text = (folder / "definitions" / environment / f"{pipeline}.json").read_text()
    for name, version in versions.items():
        text = text.replace(f"${{{name}_version}}", version)
    return text


def code_digest(code_sha256: str) -> str:
    """Return Lambda's CodeSha256 as a digest, sha256:…"""
    return "sha256:" + base64.b64decode(code_sha256).hex()
