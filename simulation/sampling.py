"""Random numbers that the standard library of Python 3.11 does not have."""

import math
from random import Random

_EXACT = 60
"""Up to so many trials, or expected successes, are drawn one by one; beyond, the normal curve is
as good: its error is far below what the drawing itself varies."""


def binomial(random: Random, trials: int, chance: float) -> int:
    """Return how many of `trials` succeed, each with `chance`."""
    if chance > 0.5:
        return trials - binomial(random, trials, 1.0 - chance)
    mean = trials * chance
    if trials <= _EXACT:
        return sum(random.random() < chance for _ in range(trials))
    if mean < _EXACT:
        return min(trials, poisson(random, mean))
    drawn = random.gauss(mean, math.sqrt(mean * (1.0 - chance)))
    return min(trials, max(0, round(drawn)))


def poisson(random: Random, mean: float) -> int:
    """Return how many events happen where `mean` are expected."""
    if mean > _EXACT:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    # Knuth, "The Art of Computer Programming", 3.4.1: multiply until it falls below e^-mean.
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


def spread(random: Random, balls: int, bins: int) -> list[int]:
    """Return how many of `balls` fall into each of `bins`, all alike (a multinomial draw)."""
    counts = []
    for left in range(bins, 0, -1):
        count = binomial(random, balls, 1.0 / left)
        counts.append(count)
        balls -= count
    return counts


def whole(random: Random, value: float) -> int:
    """Return `value` rounded up or down, so that its mean stays."""
    return math.floor(value) + (random.random() < value % 1.0)


def occupied(random: Random, balls: int, bins: int) -> list[int]:
    """Return which of `bins` hold something after `balls` fell into them at random."""
    if balls >= bins * 20:  # one that stays empty: once in e^20
        return list(range(bins))
    if balls >= bins:  # each by itself: bins do not know of each other where balls are many
        empty = (1.0 - 1.0 / bins) ** balls
        found = [number for number in range(bins) if random.random() >= empty]
        return found or [random.randrange(bins)]
    return sorted({random.randrange(bins) for _ in range(balls)})


def lognormal(random: Random, p50: float, p99: float) -> float:
    """Return a draw from the log-normal distribution with these quantiles."""
    return p50 * math.exp(random.gauss(0.0, 1.0) * math.log(p99 / p50) / 2.326)


def quantile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the sorted `values` lie; 0.0 of none."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0
