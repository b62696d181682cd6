"""What is kept of a table: counts per value, of bounded size, that merge in any order to the same result.

A number is counted under its leading bits. As long as a column has at most `MAX_KEYS` different values, all
52 bits of the mantissa are kept and the counts are exact; beyond that, as few trailing bits are cut from all
keys as bring their number back under the limit (the idea of DDSketch's uniform collapse, arXiv:2004.08604,
with the float's own exponent and mantissa for buckets). Text is counted per value, and beyond the limit per
bucket of a hash. What is cut depends only on the set of values, so a table's sketch is the same however its
files were spread over hosts.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAX_KEYS = 4096
ALL_BITS = 52
HASH_BUCKETS = 1024


@dataclass
class Moments:
    """Count, mean, sum of squared deviations, smallest and largest of the present numbers."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf

    @classmethod
    def of(cls, values: NDArray[np.float64], counts: NDArray[np.int64]) -> "Moments":
        """Return the moments of values that occur `counts` times each."""
        count = int(counts.sum())
        if not count:
            return cls()
        mean = math.fsum((values * counts).tolist()) / count
        squares = math.fsum(((values - mean) ** 2 * counts).tolist())
        return cls(count, mean, squares, float(values.min()), float(values.max()))

    def merged(self, other: "Moments") -> "Moments":
        """Return the moments of both samples together (Chan, Golub and LeVeque 1983)."""
        count = self.count + other.count
        if not self.count or not other.count:
            return other if other.count else self
        gap = other.mean - self.mean
        return Moments(
            count,
            self.mean + gap * other.count / count,
            self.squares + other.squares + gap**2 * self.count * other.count / count,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )

    @property
    def deviation(self) -> float:
        """The standard deviation of the present numbers, divided by their count, as Spark's stddev_pop."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0


@dataclass
class Numbers:
    """A numeric column: ascending keys, rows per key, and how many bits of the mantissa a key holds."""

    keys: NDArray[np.float64]
    counts: NDArray[np.int64]
    bits: int
    missing: int
    mistyped: int
    moments: Moments
    fractional: int = 0

    @classmethod
    def of(
        cls,
        keys: NDArray[np.float64],
        counts: NDArray[np.int64],
        bits: int = ALL_BITS,
        missing: int = 0,
        mistyped: int = 0,
        moments: Moments | None = None,
        fractional: int | None = None,
    ) -> "Numbers":
        """Sort and cut keys to the limit; moments default to those of the keys."""
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], counts[order].astype(np.int64)
        if fractional is None:
            fractional = int(counts[keys != np.floor(keys)].sum())
        moments = moments or Moments.of(keys, counts)
        keys, counts, bits = _within(*_cut(keys, counts, bits), bits)
        return cls(keys, counts, bits, missing, mistyped, moments, fractional)

    @property
    def present(self) -> int:
        """Rows that hold a finite number."""
        return int(self.counts.sum())

    def cut(self, bits: int) -> "Numbers":
        """Return the same column with at most this many bits per key."""
        if bits >= self.bits:
            return self
        keys, counts = _cut(self.keys, self.counts, bits)
        return Numbers(keys, counts, bits, self.missing, self.mistyped, self.moments, self.fractional)

    def merged(self, other: "Numbers") -> "Numbers":
        """Return the sketch of both columns' rows together."""
        bits = min(self.bits, other.bits)
        one, two = self.cut(bits), other.cut(bits)
        return Numbers.of(
            np.concatenate([one.keys, two.keys]),
            np.concatenate([one.counts, two.counts]),
            bits,
            self.missing + other.missing,
            self.mistyped + other.mistyped,
            None if bits == ALL_BITS else self.moments.merged(other.moments),
            self.fractional + other.fractional,
        )


def truncate(values: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    """Keep the leading bits of each mantissa: values move towards zero by less than one part in 2**bits."""
    if bits >= ALL_BITS:
        return values + 0.0
    mask = np.int64(-(1 << (ALL_BITS - bits)))
    return (np.ascontiguousarray(values).view(np.int64) & mask).view(np.float64)


def _cut(
    keys: NDArray[np.float64], counts: NDArray[np.int64], bits: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    keys, positions = np.unique(truncate(keys, bits), return_inverse=True)
    return keys, np.bincount(positions, weights=counts, minlength=len(keys)).astype(np.int64)


def bits_within(values: NDArray[np.float64]) -> int:
    """Return how many bits of each mantissa leave as many different values as a sketch keeps."""
    return _within(values, np.ones(len(values), dtype=np.int64), ALL_BITS)[2]


def _within(
    keys: NDArray[np.float64], counts: NDArray[np.int64], bits: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    while len(keys) > MAX_KEYS and bits > 0:
        bits -= 1
        keys, counts = _cut(keys, counts, bits)
    return keys, counts, bits


@dataclass
class Texts:
    """A text column: rows per value or, where `hashed`, per bucket of the values' hash.

    How many different values a hashed column has is estimated from `registers`, one per bucket, as HyperLogLog does
    (Flajolet, Fusy, Gandouet and Meunier 2007, hal-00406166); its standard error is 3 %.
    """

    counts: dict[str, int]
    missing: int = 0
    distinct: int = 0
    hashed: bool = False
    registers: bytes = b""

    @classmethod
    def of(cls, counts: Mapping[str, int], missing: int = 0) -> "Texts":
        """Count per value, or per bucket where there are too many values."""
        return cls(dict(sorted(counts.items())), missing, len(counts))._within()

    @classmethod
    def of_cells(cls, cells: NDArray[np.int64], rows: NDArray[np.int64], missing: int) -> "Texts":
        """Return the hashed column of counts per cell (see `cell_of`)."""
        buckets, ranks = cells % HASH_BUCKETS, cells // HASH_BUCKETS
        registers = np.zeros(HASH_BUCKETS, dtype=np.uint8)
        np.maximum.at(registers, buckets, ranks.astype(np.uint8))
        counts = np.bincount(buckets, rows, HASH_BUCKETS).astype(np.int64)
        named = {f"#{position}": int(count) for position, count in enumerate(counts.tolist()) if count}
        return cls(dict(sorted(named.items())), missing, _distinct(registers), True, registers.tobytes())

    def _within(self) -> "Texts":
        return self if self.hashed or len(self.counts) <= MAX_KEYS else self.as_hashed()

    @property
    def present(self) -> int:
        """Rows that hold a value."""
        return sum(self.counts.values())

    def as_hashed(self) -> "Texts":
        """Return the same column with its counts per bucket."""
        if self.hashed:
            return self
        cells = np.array([cell_of(value) for value in self.counts], dtype=np.int64)
        return Texts.of_cells(cells, np.array(list(self.counts.values()), dtype=np.int64), self.missing)

    def merged(self, other: "Texts") -> "Texts":
        """Return the sketch of both columns' rows together."""
        hashed = self.hashed or other.hashed
        one, two = (self.as_hashed(), other.as_hashed()) if hashed else (self, other)
        names = sorted(one.counts.keys() | two.counts.keys())
        counts = {name: one.counts.get(name, 0) + two.counts.get(name, 0) for name in names}
        missing = self.missing + other.missing
        if not hashed:
            return Texts(counts, missing, len(counts))._within()
        registers = np.maximum(np.frombuffer(one.registers, np.uint8), np.frombuffer(two.registers, np.uint8))
        return Texts(counts, missing, _distinct(registers), True, registers.tobytes())


def _distinct(registers: NDArray[np.uint8]) -> int:
    """Return HyperLogLog's estimate, or that of linear counting where many registers are still empty."""
    size = len(registers)
    estimate = 0.7213 / (1 + 1.079 / size) * size**2 / float(np.exp2(-registers.astype(float)).sum())
    empty = int((registers == 0).sum())
    return round(size * math.log(size / empty) if empty and estimate <= 2.5 * size else estimate)


def cell_of(value: str) -> int:
    """Return a value's bucket and, times HASH_BUCKETS, the rank of its hash: where its first one bit stands.

    It is the same on every host and in every release, and in SQL (see `steps.monitor.scan`).
    """
    digest = hashlib.md5(value.encode(), usedforsecurity=False).digest()
    low, high = int.from_bytes(digest[8:], "little"), int.from_bytes(digest[:8], "little") >> 12
    return low % HASH_BUCKETS + HASH_BUCKETS * (53 - high.bit_length())


Column = Numbers | Texts


@dataclass
class Table:
    """A table's rows and the sketch of each of its columns, by name, in order.

    A baseline's table also keeps the codes of some rows (see `steps.monitor.drift.multivariate`), one list per row.
    """

    rows: int
    columns: dict[str, Column] = field(default_factory=dict)
    codes: list[list[int]] = field(default_factory=list)

    def merged(self, other: "Table") -> "Table":
        """Return the sketch of both tables' rows together; they have the same columns."""
        return Table(
            self.rows + other.rows,
            {name: _merged(column, other.columns[name]) for name, column in self.columns.items()},
        )


def _merged(one: Column, two: Column) -> Column:
    if isinstance(one, Numbers) and isinstance(two, Numbers):
        return one.merged(two)
    if isinstance(one, Texts) and isinstance(two, Texts):
        return one.merged(two)
    raise TypeError("a column of numbers doesn't merge with a column of text")
