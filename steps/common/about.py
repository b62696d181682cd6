"""What a processing job is about, as SageMaker tells its container."""

from __future__ import annotations

import json
from html import escape

from steps.common import paths


def facts() -> dict[str, str]:
    """Return the job's name and where each of its inputs lies; nothing outside of a job.

    Source: `/opt/ml/config/processingjobconfig.json`, which has the form of DescribeProcessingJob's answer.
    """
    file = paths.root() / "config" / "processingjobconfig.json"
    if not file.exists():
        return {}
    content = json.loads(file.read_text())
    found = {"job": content["ProcessingJobName"]} if "ProcessingJobName" in content else {}
    for each in content.get("ProcessingInputs") or []:
        if uri := (each.get("S3Input") or {}).get("S3Uri"):
            found[each["InputName"]] = uri
    return found


def section(**more: str) -> str:
    """Return the part of a report's page that says what it is about; `more` stands behind what SageMaker tells."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in (facts() | more).items())
    return f'<dl class="about">{items}</dl>' if items else ""
