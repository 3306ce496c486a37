"""What the access node counts: plain integers, read when metrics are scraped."""

from bisect import bisect_left
from collections import Counter

LATENCY_BUCKETS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


class Histogram:
    """How long messages took, in milliseconds, by upper bound."""

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BUCKETS_MS) + 1)
        self.sum_ms = 0

    def observe(self, ms: int, times: int = 1) -> None:
        """Count `times` messages that took `ms`."""
        self.counts[bisect_left(LATENCY_BUCKETS_MS, ms)] += times
        self.sum_ms += ms * times


class AccessCounters:
    """All counts above the edge since the start; lists are indexed by priority."""

    def __init__(self) -> None:
        self.room_messages = [0, 0, 0]
        """Room messages handed to the fan-out, once a room."""
        self.deliveries = [0, 0, 0]
        """The same, once for each member."""
        self.rounds = [0, 0, 0]
        self.latency = (Histogram(), Histogram(), Histogram())
        """From logic's acceptance to the hand-over to the fan-out."""
        self.drops: Counter[tuple[str, int]] = Counter()
        """Messages not delivered, by (reason, priority)."""
        self.direct_deliveries = 0
        self.direct_duplicates = 0
        self.direct_elsewhere = 0
        """USERS envelopes with no receiver on this node."""
        self.bad_envelopes = 0
        self.requests: Counter[str] = Counter()
        """Frames of clients, by `op` (`bad` for those that can't be read)."""
        self.errors: Counter[str] = Counter()
        """Error replies, by code."""
        self.closes: Counter[int] = Counter()
        """Connections that ended, by close code."""
        self.removed: Counter[str] = Counter()
        """Members sent out of rooms, by `reason`: `kicked`, `banned`."""
        self.upstream_fetches = 0
        self.upstream_fetches_joined = 0
        """Fetches that another one in flight answered too."""
        self.upstream_fetch_errors = 0
        self.catch_ups = 0
        self.likes_in = 0
        self.likes_acknowledged = 0
        self.like_flushes = 0
        self.like_flush_errors = 0
        self.census_reports = 0
        self.census_errors = 0
        self.route_writes = 0
        self.route_errors = 0
        self.moves_told = 0
        self.moves_overdue = 0
        """Clients closed since they did not move."""
        self.resumes_accepted = 0
        self.resumes_refused = 0
        self.tokens_expiring = 0
        """Clients told that their token nears its end."""
        self.tokens_refreshed = 0
        self.internal_errors = 0
