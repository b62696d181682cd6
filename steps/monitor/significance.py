"""p-values that hold for any number of rows: exact or by permutation, and Holm's correction over all of them.

Every test here compares two samples, the baseline and the batch, through counts alone, and conditions on the
pooled counts: under the hypothesis that nothing changed, which of the pooled rows are the batch's is a draw
without replacement. Nothing is assumed about the distribution, so the tests are right for 5 rows and for 5
million.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

SEED = 20_071_101
FIRST_DRAWS = 250
MAX_DRAWS = 20_000
ENOUGH_EXCEEDANCES = 20
MIN_DRAWS_FOR_TAIL = 1_000
"""Draws without any as extreme as the batch, after which the tail alone may end the drawing."""

MAX_ROWS = 400_000_000
"""numpy draws from fewer than 1e9 rows; larger pools are scaled down, which only makes p-values larger."""

NORMAL = NormalDist()
LARGEST_T = 1e6

Counts = NDArray[np.int64]
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def more_than_baseline(hits: int, rows: int, baseline_hits: int, baseline_rows: int) -> float:
    """Return the one-sided mid-p value of Fisher's exact test: has the batch a larger share of hits?

    The hypergeometric tail P(X > hits) + P(X = hits) / 2. The mid-p value keeps the test's size near its
    nominal level where counts are small (Lancaster 1961, doi:10.1080/01621459.1961.10482105).
    """
    if not rows or not baseline_rows or not hits:
        return 1.0
    pooled, total = hits + baseline_hits, rows + baseline_rows
    here = _hypergeometric(hits, rows, pooled, total)
    if hits <= rows * pooled / total:
        below, term, k = 0.0, here, hits
        while k > 0 and term > 1e-18:
            term *= k * (total - pooled - rows + k) / ((rows - k + 1) * (pooled - k + 1))
            below, k = below + term, k - 1
        return min(1.0, max(0.0, 1 - below - here / 2))
    above, term, k = 0.0, here, hits
    while k < min(rows, pooled) and term > 1e-18 * here:
        term *= (rows - k) * (pooled - k) / ((k + 1) * (total - pooled - rows + k + 1))
        above, k = above + term, k + 1
    return min(1.0, above + here / 2)


def _hypergeometric(k: int, draws: int, successes: int, total: int) -> float:
    def log_choose(n: int, r: int) -> float:
        return math.lgamma(n + 1) - math.lgamma(r + 1) - math.lgamma(n - r + 1)

    return math.exp(log_choose(successes, k) + log_choose(total - successes, draws - k) - log_choose(total, draws))


def unseen_values(batch: Counts, baseline: Counts) -> float:
    """Return how likely as many rows as these would hold values that the baseline hasn't, by chance alone.

    Both arrays hold a count per value. A pooled value seen c times is unseen in the baseline when all c rows
    are the batch's: probability C(n, c) / C(N + n, c). The number of such rows is the sum of these nearly
    independent variables; its upper tail is their convolution. Rare values that exist but weren't in the
    baseline yet are what the pooled singletons measure (Good 1953, doi:10.1093/biomet/40.3-4.237).
    """
    rows, total = int(batch.sum()), int(batch.sum() + baseline.sum())
    unseen = int(batch[baseline == 0].sum())
    if not unseen or rows == total:
        return 1.0
    sizes, many = np.unique(batch + baseline, return_counts=True)
    chances = np.zeros(unseen + 1)
    chances[0] = 1.0
    for size, repeats in zip(sizes.tolist(), many.tolist(), strict=True):
        if not 0 < size <= min(rows, 60):
            continue
        share = math.exp(sum(math.log((rows - i) / (total - i)) for i in range(size)))
        if share < 1e-12:
            continue
        chances = _repeat(chances, size, share, repeats)
    return float(min(1.0, chances[-1]))


def _repeat(chances: NDArray[np.float64], step: int, share: float, repeats: int) -> NDArray[np.float64]:
    """Convolve with `repeats` independent steps; the last cell gathers everything from there on."""
    top = len(chances) - 1
    most = min(repeats, -(-top // step))
    odds = [math.exp(_log_binomial(k, repeats, share)) for k in range(most)]
    odds.append(max(0.0, 1 - sum(odds)))
    result = np.zeros_like(chances)
    for k, odd in enumerate(odds):
        shift = min(k * step, top)
        result[shift:] += odd * chances[: top + 1 - shift]
        result[top] += odd * chances[top + 1 - shift :].sum()
    return result


def _log_binomial(k: int, n: int, share: float) -> float:
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(share)
    return log + (n - k) * math.log1p(-share) if share < 1 else (0.0 if k == n else -math.inf)


def categories_differ(batch: Counts, baseline: Counts) -> float:
    """Return the permutation p-value of the chi-square statistic over categories without order.

    Categories of which less than one row is expected in the batch count as one: their large weights would
    drown the others (Cochran 1954, doi:10.2307/3001616).
    """
    rows, total = batch.sum(), batch.sum() + baseline.sum()
    rare = (batch + baseline) * rows < total
    if rare.sum() > 1:
        batch = np.append(batch[~rare], batch[rare].sum())
        baseline = np.append(baseline[~rare], baseline[rare].sum())

    def statistic(pooled: NDArray[np.float64], n: float) -> Statistic:
        expected = pooled * (n / pooled.sum())
        return lambda draws: ((draws - expected) ** 2 / pooled).sum(axis=-1)

    return _permutation(batch, baseline, statistic)


def order_differs(batch: Counts, baseline: Counts) -> float:
    """Return the permutation p-value of the two-sample Anderson-Darling statistic over ordered values.

    The arrays count the rows at each value, in ascending order; ties are treated as in equation 6 of Scholz
    and Stephens 1987 (doi:10.1080/01621459.1987.10478517). It sees shifts, changes of spread and of tails.
    """

    def statistic(pooled: NDArray[np.float64], n: float) -> Statistic:
        total = pooled.sum()
        up_to = np.cumsum(pooled)[:-1]
        weights = pooled[:-1] / (up_to * (total - up_to))
        return lambda draws: ((np.cumsum(draws, axis=-1)[..., :-1] - n / total * up_to) ** 2 * weights).sum(axis=-1)

    return _permutation(batch, baseline, statistic)


def _permutation(batch: Counts, baseline: Counts, prepare: Callable[[NDArray[np.float64], float], Statistic]) -> float:
    """Return the p-value of a statistic of the batch's counts, given the pooled counts."""
    some = (batch + baseline) > 0
    batch, baseline = _within_limit(batch[some], baseline[some])
    rows = int(batch.sum())
    if len(batch) < 2 or not rows or not baseline.sum():
        return 1.0
    pooled = batch + baseline
    statistic = prepare(pooled.astype(float), rows)
    rng = np.random.default_rng(SEED)

    def draw(size: int) -> NDArray[np.float64]:
        return statistic(rng.multivariate_hypergeometric(pooled, rows, size=size).astype(float))

    return permutation(float(statistic(batch.astype(float))), draw)


def permutation(observed: float, draw: Callable[[int], NDArray[np.float64]], most: int = MAX_DRAWS) -> float:
    """Return a permutation p-value, drawing until it is plain (Besag and Clifford 1991).

    Drawing stops at 20 draws as extreme as what was seen (doi:10.1093/biomet/78.2.301). Where hardly any is,
    the tail is that of a Pearson type III distribution with the draws' first three moments.

    Args:
        seen: the statistic of the batch; larger is more extreme.
        draw: gives that many values of the statistic under the hypothesis that nothing changed.
        most: after how many draws to stop at the latest.
    """
    drawn: list[NDArray[np.float64]] = []
    count = exceeding = 0
    size = FIRST_DRAWS
    while count < most:
        values = draw(size)
        drawn.append(values)
        exceeding += int((values >= observed - 1e-12 * abs(observed)).sum())
        count += size
        size = min(count, most - count)
        if exceeding >= ENOUGH_EXCEEDANCES:
            return (exceeding + 1) / (count + 1)
        if count >= MIN_DRAWS_FOR_TAIL and not exceeding and pearson_tail(np.concatenate(drawn), observed) < 1e-8:
            break
    return min((exceeding + 1) / (count + 1), max(pearson_tail(np.concatenate(drawn), observed), 1e-300))


def _within_limit(batch: Counts, baseline: Counts) -> tuple[Counts, Counts]:
    total = int(batch.sum() + baseline.sum())
    if total <= MAX_ROWS:
        return batch, baseline
    scale = MAX_ROWS / total
    return np.floor(batch * scale).astype(np.int64), np.floor(baseline * scale).astype(np.int64)


def pearson_tail(draws: NDArray[np.float64], observed: float) -> float:
    """Return P(X >= seen) of the Pearson type III distribution with the draws' first three moments."""
    mean, deviation = float(draws.mean()), float(draws.std())
    if deviation == 0:
        return 1.0 if observed <= mean else 1 / (len(draws) + 1)
    skew = float((((draws - mean) / deviation) ** 3).mean())
    if skew < 0.02:
        return 0.5 * math.erfc((observed - mean) / deviation / math.sqrt(2))
    shape = 4 / skew**2
    return upper_gamma(shape, max(0.0, shape + 2 / skew * (observed - mean) / deviation))


def upper_gamma(shape: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function Q(shape, x) (DLMF 8.7.1 and 8.9.2)."""
    if x <= 0:
        return 1.0
    prefactor = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        k = shape
        while term > total * 1e-16:
            k += 1
            term *= x / k
            total += term
        return max(0.0, 1 - prefactor * total)
    tiny = 1e-300
    b = x + 1 - shape
    c, d = 1 / tiny, 1 / b
    fraction = d
    for i in range(1, 1000):
        a = -i * (i - shape)
        b += 2
        d = 1 / (a * d + b or tiny)
        c = b + a / c or tiny
        fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return prefactor * fraction


def upper_tail(value: float, deviation: float, freedom: float = math.inf) -> float:
    """Return the chance of a normal variable this far above 0, or of Student's t with degrees of freedom.

    Student's t as a normal variable: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.8.
    """
    if deviation <= 0:
        return 0.0 if value > 0 else 1.0
    # Beyond this nothing changes, and its square is finite.
    t = max(-LARGEST_T, min(LARGEST_T, value / deviation))
    return NORMAL.cdf(-t * (1 - 1 / (4 * freedom)) / math.sqrt(1 + t * t / (2 * freedom)))


def holm(p_values: Sequence[float], level: float, weights: Sequence[float] | None = None) -> list[float]:
    """Return the threshold each p-value has to stay below, so that any false alarm has probability <= level.

    Holm's step-down procedure (1979, jstor.org/stable/4615733), valid however the tests depend on each other, with
    weights as in Benjamini and Hochberg 1997 (doi:10.1111/1467-9469.00072): a test with twice the weight of another
    gets twice its share of the level. Once a p-value misses its threshold, all that come after it miss theirs.

    Args:
        p_values: one per test.
        level: the probability of any false alarm.
        weights: one per test, none negative; equal if not given.
    """
    weights = weights or [1.0] * len(p_values)
    ratio = [p / weight if weight > 0 else math.inf for p, weight in zip(p_values, weights, strict=True)]
    thresholds = [0.0] * len(p_values)
    remaining, share = sum(weights), 0.0
    missed = False
    for index in sorted(range(len(p_values)), key=lambda i: ratio[i]):
        if not missed and remaining > 0:
            share = level / remaining
            missed = ratio[index] > share
        thresholds[index] = share * weights[index]
        remaining -= weights[index]
    return thresholds
