"""Entry point of the preprocess image: a processing job's container."""

from typing import Any

import numpy as np

from steps.common import failure, jsontext, log, paths, reader
from steps.common.atomic import Together
from steps.common.ending import end
from steps.common.failure import StepFailed
from steps.common.files import File
from steps.common.schema import Schema
from steps.preprocess import labels, table


@failure.entry_point(failure.message_file)
def main() -> int:
    """Read every file below the input and write the splits, the baseline's rows and a report."""
    schema = Schema.read()
    host, hosts = paths.hosts()
    files = reader.listed(paths.processing_input("data"))
    if not files:
        if len(hosts) == 1:
            raise StepFailed("input data: no file to read.")
        log.info(f"{host}: no file of the shards fell to this host.")
        return 0
    output = paths.processing_output
    with Together() as together:
        streams = {name: together.open(output(name) / f"part-{host}.csv") for name in table.SHARES}
        baseline = together.open(output("baseline") / f"part-{host}.csv")
        baseline.write((",".join(schema.names) + "\n").encode())
        counts = Counts(schema)
        known = reader.Table(schema.layout([*schema.names, schema.label]))
        for file in files:
            for rows in known.batches([file]):
                found = table.split(rows, schema, {name: known.texts(name) for name in schema.texts})
                for name, stream in streams.items():
                    stream.write(found.label_first(name).encode())
                baseline.write(found.features("train").encode())
                counts.add(found)
            counts.labels.end_of_file()
        known.finish()
        # A host that sees one shard can't tell what the others hold; training checks the whole.
        if len(hosts) == 1:
            counts.require_enough()
        report = counts.report(files)
        together.open(output("report") / f"report-{host}.json").write((jsontext.dumps(report) + "\n").encode())
    log.info(f"{report['rows']} rows: {report['rows_per_split']}; outside their domain: {report['outside_domain']}")
    return 0


class Counts:
    """What is counted of all files."""

    def __init__(self, schema: Schema) -> None:
        self.labels = labels.Labels()
        self._schema = schema
        self._splits = dict.fromkeys(table.SHARES, 0)
        self._missing = np.zeros(len(schema.names), np.int64)
        self._outside = np.zeros(len(schema.names), np.int64)
        self._classes = dict.fromkeys(schema.label_values, 0)

    def add(self, found: table.Split) -> None:
        """Take a piece of a file."""
        for name, count in found.counts().items():
            self._splits[name] += count
        self._missing += found.missing
        self._outside += found.outside
        times = np.bincount(found.of, minlength=len(found.values))
        for value in self._classes:
            self._classes[value] += int(times[found.values == value].sum())
        values = np.array(self._schema.label_values)
        if len(values):
            places = (found.values[:, None] == values).argmax(axis=1)
            self.labels.add(found.hashes, places, times)

    def require_enough(self) -> None:
        """Check that a model can be trained and measured.

        Raises:
            StepFailed: a value of the label doesn't occur, or a split got no row.
        """
        for value, count in self._classes.items():
            if not count:
                raise StepFailed(
                    f"input data, column {self._schema.label}: no row has the label {value:g}; "
                    f"{'both' if len(self._classes) == 2 else 'all'} classes are needed."
                )
        rows = sum(self._splits.values())
        for name, count in self._splits.items():
            if not count:
                raise StepFailed(f"input data: {rows} rows are too few, none falls to the split {name}.")

    def report(self, files: list[File]) -> dict[str, Any]:
        """Return the report.

        Raises:
            StepFailed: more labels contradict each other, or more files are the same, than a setting allows.
        """
        same = labels.same_files(files)
        labels.require_few(self.labels.contradicting, self.labels.against_earlier, same)
        names = self._schema.names
        return {
            "files": [file.name for file in files],
            "rows": sum(self._splits.values()),
            "rows_per_split": self._splits,
            "missing": dict(zip(names, self._missing.tolist(), strict=True)),
            "outside_domain": dict(zip(names, self._outside.tolist(), strict=True)),
            "contradicting_labels": {
                "kinds_of_equal_rows": self.labels.contradicting,
                "rows_against_earlier_files": self.labels.against_earlier,
            },
            "same_files": same,
        }


if __name__ == "__main__":
    end(main())
