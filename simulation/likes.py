"""The real like merger of one access node, in virtual time."""

from random import Random
from typing import NamedTuple

from access.likes import LikeMerger
from access.settings.room import RoomSettings
from proto.errors import ErrorBody
from simulation.sampling import poisson

FLUSHES = 20
"""Flushes that are run; each is like the others."""


class Merged(NamedTuple):
    """What one node makes of its clients' likes, in a second."""

    frames: float
    """Frames with likes that clients send."""
    reports: float
    """Messages that go up: each has the counts of many rooms."""
    counts: float
    """Counts in them."""


def merged(rooms: list[float], random: Random) -> Merged:
    """Run the merger of a node for some flushes; `rooms` has for each room the frames a second."""
    flush_s = RoomSettings().like_flush_ms / 1000
    merger = LikeMerger("1", max_waiting=1 << 60)
    rate = sum(rooms)
    frames = reports = counts = 0
    if not rooms or not rate:
        return Merged(0.0, 0.0, 0.0)
    cumulative = _cumulative(rooms)
    for _ in range(FLUSHES):
        taps = poisson(random, rate * flush_s)
        for number in random.choices(range(len(rooms)), cum_weights=cumulative, k=taps):
            merger.count(str(number), 1, _answered)
        frames += taps
        while (body := merger.flush()) is not None:
            reports += 1
            counts += len(body.counts)
            merger.acknowledged()
    seconds = FLUSHES * flush_s
    return Merged(frames / seconds, reports / seconds, counts / seconds)


def _cumulative(rooms: list[float]) -> list[float]:
    total, sums = 0.0, []
    for rate in rooms:
        total += rate
        sums.append(total)
    return sums


def _answered(_: ErrorBody | None) -> None:
    """A client's like is counted."""
