import math
import statistics

import pytest

from localaws.engine.search import Axis, InvalidRanges, axes, combinations, grid, propose

RANGES = {
    "CategoricalParameterRanges": [{"Name": "booster", "Values": ["gbtree", "dart"]}],
    "IntegerParameterRanges": [{"Name": "depth", "MinValue": "1", "MaxValue": "6"}],
    "ContinuousParameterRanges": [
        {"Name": "eta", "MinValue": "0.0001", "MaxValue": "0.5"},
        {"Name": "keep", "MinValue": "0.9", "MaxValue": "0.9999", "ScalingType": "ReverseLogarithmic"},
    ],
}


def tried(strategy, space, count, loss=None, seed="seed"):
    """The points of a tuning job whose training jobs run one after the other."""
    points, results = [], []
    for number in range(count):
        point = propose(strategy, space, number, seed, points, results)
        points.append(point)
        if loss:
            results.append((point, loss(point)))
    return points


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_points_lie_in_their_ranges_as_texts(strategy):
    for point in tried(strategy, axes(RANGES), 60, lambda point: float(point["eta"])):
        assert set(point) == {"booster", "depth", "eta", "keep"}
        assert point["booster"] in ("gbtree", "dart")
        assert 1 <= int(point["depth"]) <= 6
        assert 0.0001 <= float(point["eta"]) <= 0.5
        assert 0.9 <= float(point["keep"]) <= 0.9999


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_the_same_seed_tries_the_same(strategy):
    space = axes(RANGES)

    def loss(point):
        return float(point["eta"])

    assert tried(strategy, space, 15, loss) == tried(strategy, space, 15, loss)
    assert tried(strategy, space, 15, loss) != tried(strategy, space, 15, loss, seed="another")


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_nothing_is_tried_twice_while_something_is_left(strategy):
    space = axes({"IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "40"}],
                  "CategoricalParameterRanges": [{"Name": "c", "Values": ["a", "b"]}]})  # fmt: skip
    points = tried(strategy, space, 80, lambda point: int(point["n"]))
    assert len({tuple(sorted(point.items())) for point in points}) == 80


def test_a_grid_has_every_combination_once():
    space = axes(
        {"CategoricalParameterRanges": [{"Name": "a", "Values": ["1", "2"]}, {"Name": "b", "Values": ["x", "y", "z"]}]}
    )
    points = tried("Grid", space, 6)
    assert points == list(grid(space))
    assert points[:2] == [{"a": "1", "b": "x"}, {"a": "1", "b": "y"}]
    assert combinations(space) == 6


def test_a_logarithmic_scale_spreads_over_the_powers():
    low = {"Name": "x", "MinValue": "1e-6", "MaxValue": "1"}
    for item, share in (
        (low, 0.5),
        (low | {"ScalingType": "Logarithmic"}, 0.5),
        (low | {"ScalingType": "Linear"}, 0.001),
    ):
        points = tried("Random", axes({"ContinuousParameterRanges": [item]}), 400)
        small = sum(float(point["x"]) < 1e-3 for point in points) / len(points)
        assert small == pytest.approx(share, abs=0.08)


@pytest.mark.parametrize("scale", ["Linear", "Logarithmic", "ReverseLogarithmic"])
def test_positions_and_values_belong_together(scale):
    axis = Axis("x", (), 0.01, 0.99, False, scale)
    for position in (0.0, 0.1, 0.5, 0.93, 1.0):
        assert axis.position(axis.value(position)) == pytest.approx(position)


def test_a_range_of_one_value_is_one_value():
    space = axes({"IntegerParameterRanges": [{"Name": "n", "MinValue": "3", "MaxValue": "3"}]})
    assert tried("Bayesian", space, 8, lambda _: 1.0) == [{"n": "3"}] * 8


def bowl(point):
    """A loss with its smallest value, 0, at eta 0.1, depth 4 and dart."""
    return (
        math.log10(float(point["eta"]) / 0.1) ** 2
        + (int(point["depth"]) - 4) ** 2 / 4
        + (point["booster"] != "dart")
        + (float(point["keep"]) - 0.99) ** 2
    )


def test_bayesian_finds_better_than_random():
    space = axes(RANGES)

    def best(strategy, seed):
        return min(bowl(point) for point in tried(strategy, space, 40, bowl, seed))

    seeds = [str(seed) for seed in range(12)]
    random = statistics.median(best("Random", seed) for seed in seeds)
    bayesian = statistics.median(best("Bayesian", seed) for seed in seeds)
    assert bayesian < random / 10


@pytest.mark.parametrize(
    ("ranges", "sentence"),
    [
        ({"IntegerParameterRanges": [{"Name": "n", "MinValue": "1.5", "MaxValue": "2"}]}, "n must each be a whole"),
        ({"ContinuousParameterRanges": [{"Name": "x", "MinValue": "a", "MaxValue": "2"}]}, "x must each be a number"),
        ({"ContinuousParameterRanges": [{"Name": "x", "MinValue": "nan", "MaxValue": "2"}]}, "x must each be a number"),
        ({"ContinuousParameterRanges": [{"Name": "x", "MinValue": "3", "MaxValue": "2"}]}, "x is greater than its"),
        ({"ContinuousParameterRanges": [
            {"Name": "x", "MinValue": "0", "MaxValue": "2", "ScalingType": "Logarithmic"}]}, "x needs values greater"),
        ({"ContinuousParameterRanges": [
            {"Name": "x", "MinValue": "0", "MaxValue": "1", "ScalingType": "ReverseLogarithmic"}]}, "x needs contin"),
        ({"IntegerParameterRanges": [
            {"Name": "n", "MinValue": "0", "MaxValue": "0", "ScalingType": "ReverseLogarithmic"}]}, "n needs contin"),
        ({"CategoricalParameterRanges": [{"Name": "c", "Values": ["a"]}] * 2}, "c has more than one range"),
        ({"AutoParameters": [{"Name": "c", "ValueHint": "1"}]}, "AutoParameters are not supported"),
    ],
)  # fmt: skip
def test_ranges_that_can_t_be_searched_are_named(ranges, sentence):
    with pytest.raises(InvalidRanges, match=sentence):
        axes(ranges)
