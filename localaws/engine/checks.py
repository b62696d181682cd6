"""QualityCheck and ClarifyCheck steps: a processing job that makes a new baseline, and a check against the one before.

Source: Amazon SageMaker AI developer guide, "Baseline calculation, drift detection and lifecycle with ClarifyCheck and
QualityCheck steps", and what botocore's model says of these steps' metadata. The job's container is told of the earlier
baseline as Model Monitor's is, by the variables `baseline_constraints` and `baseline_statistics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localaws.errors import Invalid
from localaws.store import Record

if TYPE_CHECKING:
    from localaws.engine.steps import Turn

TYPES = ("QualityCheck", "ClarifyCheck")
FOLDER = "/opt/ml/processing/baseline"
VIOLATIONS = "constraint_violations.json"
FILES = {
    "QualityCheck": {"Statistics": "statistics.json", "Constraints": "constraints.json"},
    "ClarifyCheck": {"Constraints": "analysis.json"},
}
"""The parts of a type's baseline, and the files in which its job leaves them."""

KEPT = {
    "DATA_QUALITY": ("ModelDataQuality", {"Statistics": "Statistics", "Constraints": "Constraints"}),
    "MODEL_QUALITY": ("ModelQuality", {"Statistics": "Statistics", "Constraints": "Constraints"}),
    "DATA_BIAS": ("Bias", {"Constraints": "PreTrainingConstraints"}),
    "MODEL_BIAS": ("Bias", {"Constraints": "PostTrainingConstraints"}),
    "MODEL_EXPLAINABILITY": ("Explainability", {"Constraints": "Constraints"}),
}
"""Where a model package's DriftCheckBaselines hold the baseline of a check."""


def check_request(turn: Turn) -> tuple[dict[str, Any], dict[str, Any]]:
    """The processing job of a check step and the step's metadata.

    Raises Invalid: the earlier baseline is needed, and there is none.
    """
    skips, registers = _switch(turn, "SkipCheck"), _switch(turn, "RegisterNewBaseline")
    metadata = {"CheckType": turn.setting("CheckType"), "SkipCheck": skips, "RegisterNewBaseline": registers}
    if group := turn.setting("ModelPackageGroupName"):
        metadata["ModelPackageGroupName"] = group
    before = {} if skips and registers else _earlier(turn, group)
    request = dict(turn.arguments)
    if not skips:
        request["Environment"] = dict(request.get("Environment") or {})
        request["ProcessingInputs"] = list(request.get("ProcessingInputs") or [])
        for part, uri in before.items():
            _hand_over(request, f"baseline_{part.lower()}", uri)
    metadata |= {f"CalculatedBaseline{part}": uri for part, uri in _calculated(turn, request).items()}
    used = _calculated(turn, request) if registers else before
    return request, metadata | {f"BaselineUsedForDriftCheck{part}": uri for part, uri in used.items()}


@dataclass(frozen=True)
class Verdict:
    """How many violations a check's job has found, where its report lies, and whether they are the step's failure."""

    violations: int = 0
    report: str = ""
    fails: bool = True


NONE = Verdict()


def verdict(turn: Turn, job: Record) -> Verdict:
    """Read what a check's job has left; it asks S3, so a transaction is no place for it."""
    report = f"{_place(job.body)}/{VIOLATIONS}"
    try:
        content = turn.scope.json_object(report)
    except LookupError:
        return NONE
    found = content.get("violations") if isinstance(content, Mapping) else None
    return Verdict(len(found or ()), report, _switch(turn, "FailOnViolation", True))


def conclude(metadata: dict[str, Any], verdict: Verdict, failure: str | None) -> tuple[str, str | None, dict[str, Any]]:
    """A check step's status, failure reason and properties once its job has ended; `metadata` gets the report."""
    if failure is None and verdict.violations and not metadata["SkipCheck"]:
        metadata["ViolationReport"] = verdict.report
        if verdict.fails:
            count = verdict.violations
            what = f"{count} violation{'s'[count == 1 :]} of the baseline"
            failure = f"ClientError: The check found {what}; see {verdict.report}."
    properties = {name: uri for name, uri in metadata.items() if "Baseline" in name and name != "RegisterNewBaseline"}
    return ("Failed" if failure else "Succeeded"), failure, properties


def _switch(turn: Turn, name: str, default: bool = False) -> bool:
    given = turn.setting(name)
    return default if given is None else str(given).lower() == "true"


def _earlier(turn: Turn, group: str | None) -> dict[str, str]:
    """The baseline before this one, part by part: what is supplied, or else the latest approved model's."""
    kind = turn.setting("CheckType")
    if kind not in KEPT:
        raise Invalid(f"CheckType {kind}: there are {', '.join(KEPT)}.")
    member, parts = KEPT[kind]
    kept = _of_latest(turn, group).get(member, {}) if group else {}
    found = {}
    for part in FILES[turn.step.type]:
        uri = turn.setting(f"SuppliedBaseline{part}") or kept.get(parts[part], {}).get("S3Uri")
        if not uri:
            raise Invalid(
                f"There is no earlier baseline ({part.lower()}) of {kind}: SuppliedBaseline{part} isn't given, and "
                f"{f'no approved model in the group {group} has one' if group else 'ModelPackageGroupName neither'}."
            )
        found[part] = uri
    return found


def _of_latest(turn: Turn, group: str) -> Mapping[str, Any]:
    asked = {"ModelPackageGroupName": group, "ModelApprovalStatus": "Approved", "MaxResults": 1}
    asked |= {"SortBy": "CreationTime", "SortOrder": "Descending"}
    listed = turn.invoke("ListModelPackages", asked)["ModelPackageSummaryList"]
    if not listed:
        return {}
    package = turn.invoke("DescribeModelPackage", {"ModelPackageName": listed[0]["ModelPackageArn"]})
    return package.get("DriftCheckBaselines") or {}


def _hand_over(request: dict[str, Any], name: str, uri: str) -> None:
    """Let the job's container find a file, at the path that a variable names."""
    folder = f"{FOLDER}/{name}"
    source = {"S3Uri": uri, "LocalPath": folder, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    request["ProcessingInputs"].append({"InputName": name, "S3Input": source})
    request["Environment"][name] = f"{folder}/{uri.rsplit('/', 1)[-1]}"


def _place(request: Mapping[str, Any]) -> str:
    outputs = (request.get("ProcessingOutputConfig") or {}).get("Outputs") or []
    return outputs[0]["S3Output"]["S3Uri"].rstrip("/") if outputs else ""


def _calculated(turn: Turn, request: Mapping[str, Any]) -> dict[str, str]:
    return {part: f"{_place(request)}/{file}" for part, file in FILES[turn.step.type].items()}
