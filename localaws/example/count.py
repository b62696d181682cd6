"""A step: counts the lines of its input files. It knows nothing of AWS, only SageMaker's folders."""

import json
import os
from pathlib import Path

base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
lines = sum(len(file.read_text().splitlines()) for file in (base / "processing" / "input").rglob("*") if file.is_file())
(base / "processing" / "output").mkdir(parents=True, exist_ok=True)
(base / "processing" / "output" / "count.json").write_text(json.dumps({"lines": lines}))
print(f"{lines} lines")
