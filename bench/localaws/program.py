"""The trivial container: it adds its name to the lines that came in. Runs in an image and as a plain process."""

import os
import sys
from pathlib import Path

root = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "processing"
lines = (root / "input" / "lines.txt").read_text()
(root / "output").mkdir(parents=True, exist_ok=True)
(root / "output" / "lines.txt").write_text(f"{lines}{sys.argv[1]}\n")
