"""Odd files of one table, drawn from a grammar by a seed, with what is in them: for the test that all steps agree."""

import csv
import gzip
import io
import json
import math
import random
from dataclasses import dataclass, field

LABEL, FEATURES = "ill", ("age", "sex", "site", "size")
SEX, SITE, SIZE = ("male", "female", "diverse"), (7, 1, 4), ("small", "large")
SCHEMA = {
    "columns": [
        {"name": "age", "kind": "numeric", "minimum": 0, "maximum": 120},
        {"name": "sex", "kind": "categorical", "values": list(SEX)},
        {"name": "site", "kind": "categorical", "values": list(SITE)},
        {"name": "size", "kind": "ordinal", "values": list(SIZE)},
    ],
    "label": {"name": LABEL, "values": [0, 1]},
    "missing": "?",
}
ROWS = 60

NAMED = ("header", "jsonl", "array", "parquet")
CELL_FAULTS = {
    "old": "not a number",
    "nan": "not a number",
    "inf": "not a number",
    "4_0": "not a number",
    "0x1": "not a number",
}
FAULTS = {
    "csv": ("cell", "label", "short", "long", "latin", "tabs", "semicolons", "utf16", "zip", "cut", "quote"),
    "header": ("cell", "label", "short", "long", "latin", "lacking", "extra", "twice", "cut", "semicolons"),
    "jsonl": ("cell", "label", "extra", "twice", "nested", "list", "constant", "broken", "columns", "cut"),
    "array": ("cell", "label", "extra", "nested", "list", "broken"),
    "parquet": ("label", "lacking", "extra", "type", "broken"),
}

Row = dict[str, float | str | None]


@dataclass
class Odd:
    """A dataset: its files' contents by name (a list of rows is Parquet), its rows, or what is wrong with it.

    `order` is what files without names follow. `place` is how the sentence begins, and `what` a part of it.
    """

    seed: int
    form: str
    rows: list[Row]
    files: dict[str, "bytes | Parquet"] = field(default_factory=dict)
    place: str = ""
    what: str = ""


@dataclass(frozen=True)
class Parquet:
    """What a Parquet file is to hold: its columns' names and SQL literals, row by row, or bytes cut off at the end."""

    names: list[str]
    rows: list[list[str]]
    cut: bool = False


def draw(seed: int, order: tuple[str, ...] = (LABEL, *FEATURES)) -> Odd:
    """Return the dataset of a seed; files without names have the columns in the given order."""
    chance = random.Random(seed)
    form = chance.choice(("csv", "csv", "header", "header", "jsonl", "array", "parquet"))
    rows = [_row(chance) for _ in range(ROWS)]
    odd = Odd(seed, form, rows)
    fault = chance.choice(FAULTS[form]) if chance.random() < 0.5 else ""
    if fault == "label" and LABEL not in order:
        fault = ""
    parts = chance.randint(1, 3)
    bounds = [*sorted(chance.sample(range(1, ROWS), parts - 1)), ROWS]
    wrong, start = chance.randrange(parts), 0
    folder = chance.choice(("", "", "year=2026/", "ill=1/sex=male/"))
    for part, end in enumerate(bounds):
        name = f"{folder}part-{part}{chance.choice(('', '.csv', '.json', '.parquet', '.gz'))}"
        writer = _Writer(random.Random(f"{seed} {part}"), order, name)
        content = writer.write(form, rows[start:end], fault if part == wrong else "")
        odd.files[name] = content
        if writer.what:
            odd.place, odd.what = name + writer.place, writer.what
        start = end
    for name, content in (("_SUCCESS", b""), ("._x", b"x"), ("_log/0.json", b"{}"), ("a/empty", b""), ("zz", b"\r\n")):
        if chance.random() < 0.4:
            odd.files[name] = content
    return odd


def _row(chance: random.Random) -> Row:
    def some(value: float | str) -> float | str | None:
        return None if chance.random() < 0.15 else value

    return {
        LABEL: float(chance.randint(0, 1)),
        "age": some(chance.choice((float(chance.randint(0, 120)), chance.randint(0, 100) + 0.25))),
        "sex": some(chance.choice(SEX)),
        "site": some(float(chance.choice(SITE))),
        "size": some(chance.choice(SIZE)),
    }


class _Writer:
    """Writes one file; says where in it the fault is, and what is said of it."""

    def __init__(self, chance: random.Random, order: tuple[str, ...], name: str) -> None:
        self.chance, self.order, self.name = chance, order, name
        self.place = self.what = ""

    def write(self, form: str, rows: list[Row], fault: str) -> "bytes | Parquet":
        at = self.chance.randrange(len(rows))
        if form in ("csv", "header"):
            return self._csv(rows, form == "header", fault, at)
        if form == "parquet":
            return self._parquet(rows, fault, at)
        return self._json(rows, form == "array", fault, at)

    def _said(self, place: str, what: str) -> None:
        self.place, self.what = place, what

    def _csv(self, rows: list[Row], header: bool, fault: str, at: int) -> bytes:
        chance = self.chance
        order = chance.sample(sorted(self.order), len(self.order)) if header else list(self.order)
        table = [[self._cell(row[name]) for name in order] for row in rows]
        blank = chance.random() < 0.3
        line = at + 1 + header + (at + 1 + header) * blank  # Where blank lines are, one stands before each row.
        index = header and chance.random() < 0.3 and fault not in ("twice", "extra")
        head = list(order)
        if fault == "cell":
            name = chance.choice(("age", "site"))
            table[at][order.index(name)] = chance.choice(list(CELL_FAULTS))
            self._said(f", row {line}, column {name}", "not a number")
        elif fault == "label":
            table[at][order.index(LABEL)] = chance.choice(("2", "", "0.5"))
            self._said(f", row {line}, column {LABEL}", "not 0 or 1")
        elif fault in ("short", "long") and (at or header):  # The first row says how wide another table is.
            table[at] = table[at][:-1] if fault == "short" else [*table[at], ""]
            self._said(f", row {line}", f"{len(table[at]) + index} columns where {len(order) + index} belong")
        elif fault in ("lacking", "extra", "twice"):
            place = chance.randrange(len(order))
            if fault == "lacking":
                self._said(", header line", f"column {head.pop(place)} is missing")
                table = [row[:place] + row[place + 1 :] for row in table]
            else:
                new = head[place] if fault == "twice" else "weight"
                said = f"column {new} occurs twice" if fault == "twice" else f"column {new} is not among the table's"
                self._said(", header line", said)
                head, table = [*head, new], [[*row, "1"] for row in table]
        lines = [*([head] if header else []), *table]
        if index:
            own = chance.choice(("", "Unnamed: 0"))
            lines = [[own if not place else str(place), *row] for place, row in enumerate(lines)]
        sign = {"tabs": "\t", "semicolons": ";"}.get(fault, ",")
        if sign != ",":
            self._said(f", row {2 if blank else 1}", f"cells parted by {fault}, where commas belong")
        text = io.StringIO()
        ends = chance.choice(("\n", "\r\n"))
        quoting = chance.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)) if sign == "," else csv.QUOTE_MINIMAL
        for row in lines:
            text.write(ends * blank)
            csv.writer(text, lineterminator=ends, delimiter=sign, quoting=quoting).writerow(row)
        content = text.getvalue()
        if chance.random() < 0.3:
            content = content.removesuffix(ends)
        data = content.encode()
        if fault == "latin":
            parts = data.split(ends.encode())
            parts[line - 1] = b"\xe9" + parts[line - 1]
            data = ends.encode().join(parts)
            self._said(f", row {line}", "not UTF-8 text")
        if fault == "quote":
            data += b'"1,2' * (not data.endswith(b"\n")) + b'"' + b"1,2\n" * 40_000
            data = data if b'"1,2"' not in data else data.replace(b'"1,2"', b'\n"1,2')
            self._said("", "not readable as CSV; a quote isn't closed")
        if fault in ("utf16", "zip"):
            self._said("", "UTF-16 text" if fault == "utf16" else "a ZIP archive or an Excel workbook")
            return content.encode("utf-16") if fault == "utf16" else b"PK\x03\x04" + data
        return self._packed(data, fault)

    def _packed(self, data: bytes, fault: str) -> bytes:
        if self.chance.random() < 0.3:
            data = b"\xef\xbb\xbf" + data
        if fault == "cut":
            self._said("", "the gzip stream is damaged or cut off")
            return gzip.compress(data, mtime=0)[:-5]
        return gzip.compress(data, mtime=0) if self.chance.random() < 0.3 else data

    def _cell(self, value: float | str | None) -> str:
        chance = self.chance
        if value is None:
            return chance.choice(("", "?", " "))
        if isinstance(value, str):
            return chance.choice((value, value, f" {value} "))
        whole = value.is_integer()
        forms = [str(value), f"{value:e}", f" {value}", f"+{value}", *([str(int(value))] * 4 if whole else [])]
        return chance.choice(forms)

    def _json(self, rows: list[Row], array: bool, fault: str, at: int) -> bytes:
        chance = self.chance
        texts = [self._object(row) for row in rows]
        blank = not array and chance.random() < 0.3
        line = (at + 1) * (1 + blank)
        name = chance.choice(FEATURES)
        spoilt = dict(rows[at])
        place = f", row {line}"
        if fault == "cell":
            spoilt["age"] = chance.choice(("old", "nan", "4_0"))
            self._said(f"{place}, column age", "not a number")
        elif fault == "label":
            spoilt[LABEL] = chance.choice((2, None, "0.5"))
            self._said(f"{place}, column {LABEL}", "not 0 or 1")
        elif fault == "extra":
            spoilt["weight"] = 1
            self._said(place, "column weight is not among the table's")
        elif fault == "nested":
            spoilt["age"] = chance.choice(([1], {"a": 1}))  # type: ignore[assignment]
            self._said(f"{place}, column age", "holds nested values")
        if fault in ("cell", "label", "extra", "nested"):
            texts[at] = json.dumps(spoilt)
        elif fault == "twice":
            texts[at] = json.dumps(spoilt)[:-1] + f', "{name}": 1}}'
            self._said(place, f"key {name} occurs twice")
        elif fault == "list":
            texts[at] = json.dumps(list(spoilt.values()))
            self._said(place, "an array, where one object a line is expected")
        elif fault == "constant":
            texts[at] = json.dumps(spoilt | {"age": math.nan})
            self._said(place, "NaN isn't JSON")
        elif fault == "columns":
            texts = [json.dumps({key: [row[key] for row in rows] for key in spoilt})]
            line, blank = 1, False
            self._said(", row 1", "holds whole columns or a nested table")
        elif fault == "broken":
            texts[at] = texts[at][:-1]
            self._said("" if array else place, "not readable as JSON")
        ends = chance.choice(("\n", "\r\n"))
        if array:
            return self._packed((" [" + f",{ends}".join(texts) + "]").encode(), fault)
        return self._packed("".join(ends * blank + text + ends for text in texts).encode(), fault)

    def _object(self, row: Row) -> str:
        chance = self.chance
        found: dict[str, object] = {}
        for name in chance.sample(sorted(self.order), len(self.order)):
            value = row[name]
            if value is None:
                how = chance.choice(("absent", "null", "empty", "sign"))
                if how != "absent":
                    found[name] = {"null": None, "empty": "", "sign": "?"}[how]
            elif isinstance(value, str):
                found[name] = value
            else:
                found[name] = chance.choice((value, int(value) if value.is_integer() else value, str(value)))
        return json.dumps(found)

    def _parquet(self, rows: list[Row], fault: str, at: int) -> Parquet:
        chance = self.chance
        order = chance.sample(sorted(self.order), len(self.order))
        whole = {name: name == LABEL or chance.random() < 0.5 for name in order}
        table = [[self._literal(row[name], name, whole[name]) for name in order] for row in rows]
        if fault == "label":
            table[at][order.index(LABEL)] = "3"
            self._said(f", row {at + 1}, column {LABEL}", "not 0 or 1")
        elif fault == "lacking":
            place = chance.randrange(len(order))
            self._said("", f"column {order.pop(place)} is missing")
            table = [row[:place] + row[place + 1 :] for row in table]
        elif fault == "extra":
            order, table = [*order, "weight"], [[*row, "1"] for row in table]
            self._said("", "column weight is not among the table's")
        elif fault == "type":
            place = order.index("age")
            for row in table:
                row[place] = "DATE '2026-01-01'"
            self._said(", column age", "DATE, not numbers")
        elif fault == "broken":
            self._said("", "truncated, or not Parquet")
        if chance.random() < 0.3:
            order, table = [*order, "__index_level_0__"], [[*row, str(place)] for place, row in enumerate(table)]
        return Parquet(order, table, fault == "broken")

    def _literal(self, value: float | str | None, name: str, whole: bool) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, str):
            return f"'{value}'"
        return f"{int(value)}::BIGINT" if whole and name != "age" else f"{value}::DOUBLE"
