"""Rooms with Zipf sizes: the largest one by one, and of the others some of each size."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

EXACT = 1024
"""So many of the largest rooms stand for themselves: they make most of the traffic, and differ."""

STEP = 1.05
"""A stratum's last rank by its first: rooms in it have nearly the same size."""

DRAWN = 16
"""Rooms drawn from a stratum."""

_SUMMED = 100_000


@dataclass(frozen=True, slots=True)
class Room:
    """A room, and how many such rooms it stands for."""

    name: str
    viewers: int
    weight: float


def rooms(clients: int, count: int, zipf: float, random: Random) -> list[Room]:
    """Return rooms that stand for `count` rooms among which `clients` are spread by Zipf's law.

    Where all stand for themselves their viewers add up to `clients`, else nearly.
    """
    share = clients / harmonic(count, zipf)
    picked = list(_ranks(count, random))
    sizes = [share * rank**-zipf for rank, _ in picked]
    if len(picked) == count:
        viewers = _rounded(sizes, clients)
    else:
        viewers = [math.floor(size + random.random()) for size in sizes]
    return [
        Room(f"room-{rank}", size, weight)
        for (rank, weight), size in zip(picked, viewers, strict=True)
        if size
    ]


def harmonic(count: int, zipf: float) -> float:
    """Return the sum of 1/r^zipf over ranks 1 to `count`, beyond 100,000 by the integral
    (Euler and Maclaurin; its error is below one part in a billion there)."""
    head = min(count, _SUMMED)
    total = math.fsum(rank**-zipf for rank in range(1, head + 1))
    if count > head:
        total += _integral(count, zipf) - _integral(head, zipf)
        total += (count**-zipf - head**-zipf) / 2
    return total


def _integral(rank: float, zipf: float) -> float:
    near_one = abs(zipf - 1.0) < 1e-9
    return math.log(rank) if near_one else float(rank ** (1.0 - zipf)) / (1.0 - zipf)


def _ranks(count: int, random: Random) -> Iterator[tuple[int, float]]:
    """Yield ranks, and how many ranks each stands for."""
    for rank in range(1, min(EXACT, count) + 1):
        yield rank, 1.0
    first = EXACT + 1
    while first <= count:
        beyond = min(count + 1, max(first + DRAWN, math.ceil(first * STEP)))
        drawn = min(DRAWN, beyond - first)
        for rank in sorted(random.sample(range(first, beyond), drawn)):
            yield rank, (beyond - first) / drawn
        first = beyond


def _rounded(sizes: list[float], total: int) -> list[int]:
    """Return whole sizes that add up to `total`: the largest remainders are rounded up."""
    whole = [math.floor(size) for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda n: whole[n] - sizes[n])
    for number in by_remainder[: total - sum(whole)]:
        whole[number] += 1
    return whole
