"""What a router counts: plain numbers, read by the metrics collector on each scrape."""

from bisect import bisect_left

from proto.priorities import Priority
from proto.topics import Topic
from router.plan import Mode

LATENCY_BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 60_000)
"""A hop takes about 0.2 ms and the bus about 2 ms; a backlog shows in the upper ones."""

TOPICS = (Topic.URGENT, Topic.NORMAL, Topic.BULK)


class Latency:
    """A histogram in milliseconds: counts of observations up to each bound, and beyond all."""

    __slots__ = ("counts", "sum_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BOUNDS_MS) + 1)
        self.sum_ms = 0

    def observe(self, value_ms: int) -> None:
        """Count one observation; clocks that differ may give a negative one, counted as 0."""
        value_ms = max(0, value_ms)
        self.counts[bisect_left(LATENCY_BOUNDS_MS, value_ms)] += 1
        self.sum_ms += value_ms


class Counters:
    """The totals of one router since it started."""

    def __init__(self) -> None:
        self.consumed = dict.fromkeys(TOPICS, 0)
        self.lag = dict.fromkeys(TOPICS, 0)
        self.in_flight = dict.fromkeys(TOPICS, 0)
        self.duplicates = dict.fromkeys(TOPICS, 0)
        self.buried = dict.fromkeys(TOPICS, 0)
        self.settle_failures = dict.fromkeys(TOPICS, 0)
        self.routed = dict.fromkeys(Mode, 0)
        """Records handed to the mesh, by mode."""
        self.envelopes = dict.fromkeys(Mode, 0)
        self.offline = 0
        """Users' records of whom nobody was connected."""
        self.lookups = 0
        self.lookup_failures = 0
        self.failovers = 0
        self.relayless_waits = 0
        self.send_waits = 0
        self.heads_sent = 0
        self.heads_dropped = 0
        self.latency = {priority: Latency() for priority in Priority}
