"""Derive the example's labelled parts and batches from the published table: `python -m data.make --out DIR`."""

import argparse
import hashlib
import random
import sys
from pathlib import Path

TABLE = Path(__file__).with_name("mammographic_masses.data")
SHA256 = "4146aaf17c64f43e21af6c85218b4206d25199032a9e411675b94339201e9cd8"
SEED = 20071101
BATCH = 48
FIRST_PART = 600
BI_RADS, AGE, SHAPE, MARGIN = range(4)


class DamagedTable(Exception):
    """The table isn't the published one."""


def read_table(file: Path = TABLE) -> list[list[str]]:
    """Return the published rows, six texts each: five features and the label.

    Raises:
        DamagedTable: the file's SHA-256 isn't that of the published table.
    """
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DamagedTable(f"{file}: its SHA-256 isn't that of the published table.")
    return [line.split(",") for line in content.decode("ascii").splitlines()]


def derive(rows: list[list[str]]) -> dict[str, list[list[str]]]:
    """Return the rows of every file by its key; batches carry no label, and the clean one has a file of its labels.

    The rows are shuffled once; the batches' rows are in no labelled part.
    """
    rows = [list(row) for row in rows]
    random.Random(SEED).shuffle(rows)
    clean, shifted, labelled = rows[:BATCH], rows[BATCH : 2 * BATCH], rows[2 * BATCH :]
    # The shifted batch has no labels: its rows are nobody's.
    return {
        "labelled/part-1.csv": labelled[:FIRST_PART],
        "labelled/part-2.csv": labelled[FIRST_PART:],
        "batches/clean.csv": [row[:-1] for row in clean],
        "labels/clean.csv": [row[-1:] for row in clean],
        "batches/shifted.csv": shift([row[:-1] for row in shifted], random.Random(SEED + 1)),
    }


def ground_truth(batch: str, labels: list[str]) -> list[list[str]]:
    """Return the labels of a scored batch as a clinic would send them: batch, row and label, with a header line.

    One row in eight has no label yet, and the first has come twice.

    Args:
        batch: the batch's identity.
        labels: of its rows, in their order.
    """
    told = [[batch, str(row), label] for row, label in enumerate(labels, 1) if row % 8]
    return [["batch", "row", "label"], *told, told[0]]


def shift(rows: list[list[str]], chance: random.Random) -> list[list[str]]:
    """Return a batch as another clinic with a careless keyboard would send it.

    Every age is 15 years higher, margins are coded the other way round, and one row in eight has a typing
    error: a BI-RADS assessment or a shape typed twice (5 becomes 55).
    """
    shifted = []
    for number, row in enumerate(rows):
        row = list(row)
        if row[AGE] != "?":
            row[AGE] = str(int(row[AGE]) + 15)
        if row[MARGIN] != "?":
            row[MARGIN] = str(6 - int(row[MARGIN]))
        if number % 8 == 0:
            column = chance.choice((BI_RADS, SHAPE))
            row[column] = row[column] * 2 if row[column] != "?" else "55"
        shifted.append(row)
    return shifted


def main(arguments: list[str] | None = None) -> int:
    """Write every file below the folder given with --out."""
    parser = argparse.ArgumentParser(prog="python -m data.make", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".baton/data"))
    out = parser.parse_args(arguments).out
    try:
        for key, rows in derive(read_table()).items():
            print(f"{_write(out / key, rows)}: {len(rows)} rows")
    except (OSError, DamagedTable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _write(target: Path, rows: list[list[str]]) -> Path:
    """Write a file by rename, so that it is there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}")
    part.write_text("".join(",".join(row) + "\n" for row in rows), encoding="ascii")
    return part.replace(target)


if __name__ == "__main__":
    sys.exit(main())
