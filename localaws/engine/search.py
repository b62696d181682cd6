"""Which hyperparameters a tuning job tries next: pure functions of the ranges, the seed and what was seen.

Random and Grid are what SageMaker does. For Bayesian, SageMaker uses a Gaussian process; here it is a
tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011,
section 4), which needs no matrix: a value is good if it is likely among the best of the results and unlikely
among the rest.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Point = dict[str, str]
"""Name → value of the hyperparameters that are tuned, as the training job gets them."""

_FIRST = 8
"""Results that Bayesian needs before it prefers anything."""
_GOOD = 0.15
"""Share of the results that count as good."""
_CANDIDATES = 24
_TRIES = 100


class InvalidRanges(Exception):
    """Ranges that can't be searched; the text is one sentence."""


@dataclass(frozen=True)
class Axis:
    """One hyperparameter: its categories, or its numeric range with a scale; a position on it is in [0, 1]."""

    name: str
    categories: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    scale: str = "Linear"

    def value(self, position: float) -> str:
        """The hyperparameter's value at a position."""
        if self.categories:
            return self.categories[min(int(position * len(self.categories)), len(self.categories) - 1)]
        low, high = self._scaled(self.low), self._scaled(self.high)
        found = min(max(self._unscaled(low + position * (high - low)), self.low), self.high)
        return str(round(found)) if self.whole else repr(found)

    def position(self, value: str) -> float:
        """Where a value lies; a category in the middle of its share."""
        if self.categories:
            return (self.categories.index(value) + 0.5) / len(self.categories)
        low, high = self._scaled(self.low), self._scaled(self.high)
        return (self._scaled(float(value)) - low) / (high - low) if high > low else 0.5

    @property
    def size(self) -> float:
        """How many values there are."""
        if self.categories:
            return len(self.categories)
        if self.whole:
            return self.high - self.low + 1
        return math.inf if self.high > self.low else 1

    def _scaled(self, value: float) -> float:
        if self.scale == "Logarithmic":
            return math.log(value)
        return -math.log1p(-value) if self.scale == "ReverseLogarithmic" else value

    def _unscaled(self, value: float) -> float:
        if self.scale == "Logarithmic":
            return math.exp(value)
        return -math.expm1(-value) if self.scale == "ReverseLogarithmic" else value


def axes(ranges: Mapping[str, Any]) -> list[Axis]:
    """The axes of a ParameterRanges member. Raises InvalidRanges."""
    if ranges.get("AutoParameters"):
        raise InvalidRanges("AutoParameters are not supported by localaws: give the hyperparameters' ranges.")
    found = [Axis(item["Name"], tuple(item["Values"])) for item in ranges.get("CategoricalParameterRanges", [])]
    for kind, whole in (("IntegerParameterRanges", True), ("ContinuousParameterRanges", False)):
        found += [_numeric(item, whole) for item in ranges.get(kind, [])]
    names = [axis.name for axis in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidRanges(f"The hyperparameter {twice[0]} has more than one range.")
    return found


def _numeric(item: Mapping[str, str], whole: bool) -> Axis:
    name, kind = item["Name"], "whole number" if whole else "number"
    try:
        low, high = (int(item[end]) if whole else float(item[end]) for end in ("MinValue", "MaxValue"))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError
    except ValueError:
        raise InvalidRanges(f"MinValue and MaxValue of the hyperparameter {name} must each be a {kind}.") from None
    if low > high:
        raise InvalidRanges(f"MinValue of the hyperparameter {name} is greater than its MaxValue.")
    scale = item.get("ScalingType", "Auto")
    if scale == "Auto":
        scale = "Logarithmic" if low > 0 and high / low >= 1000 else "Linear"
    if scale == "Logarithmic" and low <= 0:
        raise InvalidRanges(f"Logarithmic scaling of the hyperparameter {name} needs values greater than 0.")
    if scale == "ReverseLogarithmic" and (whole or low < 0 or high >= 1):
        raise InvalidRanges(
            f"ReverseLogarithmic scaling of the hyperparameter {name} needs continuous values from 0 up to, "
            "but not including, 1."
        )
    return Axis(name, (), low, high, whole, scale)


def combinations(space: Sequence[Axis]) -> float:
    """How many different points there are."""
    return math.prod(axis.size for axis in space)


def grid(space: Sequence[Axis]) -> Iterator[Point]:
    """Every combination of categories, the last hyperparameter changing fastest."""
    for values in itertools.product(*(axis.categories for axis in space)):
        yield dict(zip((axis.name for axis in space), values, strict=True))


def propose(
    strategy: str,
    space: Sequence[Axis],
    number: int,
    seed: str,
    tried: Sequence[Point],
    results: Sequence[tuple[Point, float]],
) -> Point:
    """The point of training job `number` (from 0).

    The same arguments give the same point. `tried` are all earlier points; none is tried again while others
    are left to be found. `results` are (point, loss), smaller being better; only Bayesian looks at them.
    """
    if strategy == "Grid":
        return next(itertools.islice(grid(space), number, None))
    chance = random.Random(f"{seed}/{number}")
    model = _Parzen(space, results) if strategy == "Bayesian" and len(results) >= _FIRST else None
    seen = {tuple(sorted(point.items())) for point in tried}
    point: Point = {}
    for _ in range(_TRIES):
        positions = model.choose(chance) if model else [chance.random() for _ in space]
        point = {axis.name: axis.value(position) for axis, position in zip(space, positions, strict=True)}
        if tuple(sorted(point.items())) not in seen:
            return point
        model = None
    left = combinations(space)
    if len(seen) < left <= 100_000:
        return next(other for other in _all(space) if tuple(sorted(other.items())) not in seen)
    return point


def _all(space: Sequence[Axis]) -> Iterator[Point]:
    choices = [axis.categories or [str(v) for v in range(int(axis.low), int(axis.high) + 1)] for axis in space]
    for values in itertools.product(*choices):
        yield dict(zip((axis.name for axis in space), values, strict=True))


class _Parzen:
    """Two densities per axis, one of the good results and one of the others; the axes are chosen one by one."""

    def __init__(self, space: Sequence[Axis], results: Sequence[tuple[Point, float]]) -> None:
        ordered = [point for point, _ in sorted(results, key=lambda result: result[1])]
        count = max(2, math.ceil(_GOOD * len(ordered)))
        self._axes = [(_Density(axis, ordered[:count]), _Density(axis, ordered[count:])) for axis in space]

    def choose(self, chance: random.Random) -> list[float]:
        """Per axis, the position among some drawn from the good density that is least likely under the other."""
        return [
            max((good.draw(chance) for _ in range(_CANDIDATES)), key=lambda position: good(position) / rest(position))
            for good, rest in self._axes
        ]


class _Density:
    """The density of some points on an axis, mixed with a uniform share, so that nothing is ever ruled out."""

    def __init__(self, axis: Axis, points: Sequence[Point]) -> None:
        self._axis = axis
        self._values = [point[axis.name] for point in points]
        places = sorted(axis.position(value) for value in self._values)
        least = 1 / (len(places) + 2)
        # Each kernel reaches as far as its farther neighbour: narrow where points are dense, wide where they aren't.
        ends = zip([0.0, *places], places, [*places[1:], 1.0], strict=False)
        self._kernels = [(place, max(place - left, right - place, least)) for left, place, right in ends]

    def draw(self, chance: random.Random) -> float:
        """A position."""
        number = chance.randrange(len(self._kernels) + 1)
        if number == len(self._kernels):
            return chance.random()
        place, width = self._kernels[number]
        found = place
        if not self._axis.categories:
            while not 0 <= (found := chance.gauss(place, width)) <= 1:
                pass
        return found

    def __call__(self, position: float) -> float:
        if self._axis.categories:
            same = self._values.count(self._axis.value(position))
            return (same + 1) / (len(self._values) + len(self._axis.categories))
        normals = (_truncated(position, place, width) for place, width in self._kernels)
        return (1 + math.fsum(normals)) / (len(self._kernels) + 1)


def _truncated(position: float, mean: float, width: float) -> float:
    """The density of the normal distribution that is cut off at 0 and 1."""
    inside = 0.5 * (math.erf((1 - mean) / (width * math.sqrt(2))) + math.erf(mean / (width * math.sqrt(2))))
    return math.exp(-0.5 * ((position - mean) / width) ** 2) / (width * math.sqrt(2 * math.pi) * inside)
