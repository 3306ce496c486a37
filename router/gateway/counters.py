"""What the gateway counts: plain numbers, read when metrics are scraped."""

from collections import Counter


class GatewayCounters:
    """The totals of one gateway since it started."""

    def __init__(self) -> None:
        self.pending = 0
        """Calls that wait for the cluster now."""
        self.refused = 0
        """Calls refused because too many waited."""
        self.connects = 0
        self.pushes = 0
        self.replayed = 0
        """Calls answered with the first answer of their idempotency key."""
        self.limited = 0
        """Calls refused since their API key had called too often."""
        self.turned_away = 0
        """Requests sent away by the guard: too much from an address, or from all."""
        self.calls: Counter[str] = Counter()
        """Calls answered with success, by operation."""
        self.errors: Counter[str] = Counter()
        """Requests refused, by the code of their error."""
