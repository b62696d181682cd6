"""Entry point of the preprocess image: a processing job's container."""

import json
import sys

import pandas as pd

from steps.common import failure, paths
from steps.common.atomic import folder_of_outputs
from steps.common.failure import StepFailed
from steps.common.schema import Schema
from steps.preprocess import table as tables


@failure.entry_point(failure.message_file)
def main() -> int:
    """Read every CSV file below the input and write the splits, the baseline's rows and a report."""
    schema = Schema.read()
    host, hosts = paths.hosts()
    source = paths.processing_input("data")
    files = paths.files_below(source)
    if not files:
        if len(hosts) > 1:
            print(f"{host}: no file of the shards fell to this host.")
            return 0
        raise StepFailed(f"{source}: no file to read.")

    table = pd.concat([tables.read_labelled(file, schema) for file in files], ignore_index=True)
    if len(hosts) == 1:
        tables.require_both_classes(table, schema)
    splits = tables.assign_splits(table, schema)
    table, outside = tables.blank_outside_domain(table, schema)
    report = {
        "files": [file.name for file in files],
        "rows": len(table),
        "rows_per_split": {name: int((splits == name).sum()) for name in tables.SHARES},
        "missing": {name: int(table[name].isna().sum()) for name in schema.names},
        "outside_domain": outside,
    }
    with folder_of_outputs(paths.root() / "processing" / "output") as output:
        for name in tables.SHARES:
            _write(output / name / f"part-{host}.csv", tables.label_first_csv(table[splits == name], schema))
        _write(
            output / "baseline" / f"part-{host}.csv", tables.features_csv(table[splits == "train"], schema)
        )
        _write(output / "report" / f"report-{host}.json", json.dumps(report, indent=1))
    print(f"{report['rows']} rows: {report['rows_per_split']}; outside their domain: {outside}")
    return 0


def _write(path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
