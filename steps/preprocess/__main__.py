"""Entry point of the preprocess image: a processing job's container."""

import json

import numpy as np

from steps.common import failure, log, paths
from steps.common.atomic import write_all
from steps.common.ending import end
from steps.common.failure import StepFailed
from steps.common.schema import Schema
from steps.preprocess import table


@failure.entry_point(failure.message_file)
def main() -> int:
    """Read every CSV file below the input and write the splits, the baseline's rows and a report."""
    schema = Schema.read()
    host, hosts = paths.hosts()
    files = paths.files_below(paths.processing_input("data"))
    if not files:
        if len(hosts) == 1:
            raise StepFailed("input data: no file to read.")
        log.info(f"{host}: no file of the shards fell to this host.")
        return 0
    rows = np.concatenate([table.read_labelled(file, schema) for file in files])
    splits = table.assign_splits(rows[:, :-1])
    # A host that sees one shard can't tell what the others hold; training checks the whole.
    if len(hosts) == 1:
        table.require_enough(rows, splits, schema)
    rows, outside = table.blank_outside_domain(rows, schema)
    report = {
        "files": [file.name for file in files],
        "rows": len(rows),
        "rows_per_split": {name: int((splits == name).sum()) for name in table.SHARES},
        "missing": dict(zip(schema.names, np.isnan(rows[:, :-1]).sum(axis=0).tolist(), strict=True)),
        "outside_domain": outside,
    }
    output = paths.processing_output
    write_all(
        {output(name) / f"part-{host}.csv": table.label_first_csv(rows[splits == name]) for name in table.SHARES}
        | {
            output("baseline") / f"part-{host}.csv": table.features_csv(rows[splits == "train", :-1], schema.names),
            output("report") / f"report-{host}.json": json.dumps(report, indent=1) + "\n",
        }
    )
    log.info(f"{report['rows']} rows: {report['rows_per_split']}; outside their domain: {outside}")
    return 0


if __name__ == "__main__":
    end(main())
