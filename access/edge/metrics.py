"""The edge's metrics, made from its counters on each scrape."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from access.edge.server import Server
from proto.priorities import LABELS, Priority

PREFIX = "relaymesh_edge_"
TOTALS = (
    ("accepted", "Sockets taken from the listener."),
    ("opened", "Handshakes that succeeded."),
    ("opened_deflating", "Handshakes that agreed to compression."),
    ("accept_pauses", "Times that accepting rested because file descriptors had run out."),
    ("messages_in", "Text messages of clients."),
    ("bytes_in", "Bytes from clients behind their handshakes."),
    ("frames_out", "Frames handed to sockets or queues, once a member."),
    ("bytes_out", "Bytes of those frames."),
    ("fallbacks", "Unusual frames read through wsproto, on connections that are gone."),
    ("stalls", "Times that a socket was full and left the fast path."),
    ("pings", "Pings to quiet clients."),
    ("handler_errors", "Connections closed by a mistake of ours."),
)
BY_PRIORITY = (
    ("rounds", "Rounds of joined messages written to the end, one an encoding."),
    ("deliveries", "Messages written or queued, once a member."),
    ("thinned", "Messages left out for slow clients, and told to them as skipped."),
)
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class RoundTimes:
    """A histogram a priority of how long rounds take; an `Observe` for the server."""

    def __init__(self) -> None:
        self.counts = [[0] * (len(BUCKETS_S) + 1) for _ in LABELS]
        self.sums_s = [0.0] * len(LABELS)

    def __call__(self, priority: Priority, seconds: float) -> None:
        """Count a round that took `seconds` from hand-over to its last write."""
        self.counts[priority][bisect_left(BUCKETS_S, seconds)] += 1
        self.sums_s[priority] += seconds

    def family(self) -> Metric:
        """Return the histogram as Prometheus wants it."""
        text = "From a round's hand-over to its last write."
        family = HistogramMetricFamily(PREFIX + "round_seconds", text, labels=["priority"])
        bounds = [f"{bound:g}" for bound in BUCKETS_S] + ["+Inf"]
        for label, counts, sum_s in zip(LABELS, self.counts, self.sums_s, strict=True):
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric([label], buckets, sum_value=sum_s)
        return family


class EdgeCollector(Collector):
    """Reads the server's counters; `times` is what the server was given as `observe`."""

    def __init__(self, server: Server, times: RoundTimes) -> None:
        self._server = server
        self._times = times

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the edge."""
        counters = self._server.counters
        for name, text in TOTALS:
            yield CounterMetricFamily(PREFIX + name, text, getattr(counters, name))
        for name, text in BY_PRIORITY:
            numbers = dict(zip(LABELS, getattr(counters, name), strict=True))
            yield _by_label(name, "priority", text, numbers)
        refused = "Handshakes that failed, by reason."
        yield _by_label("handshake_errors", "reason", refused, counters.handshake_errors)
        yield _by_label("closes", "code", "Connections gone, by close code.", counters.closes)
        yield from self._gauges()
        yield self._times.family()

    def _gauges(self) -> Iterator[Metric]:
        server, paces = self._server, self._server.paces
        opens = sum(int(pace.per_turn) for pace in paces)
        waiting_s = max((pace.standing_s(server.clock()) for pace in paces), default=0.0)
        gauges = (
            ("connections", "Connections behind their handshakes.", len(server.clients)),
            ("openings", "Connections in their handshakes.", len(server.openings)),
            ("opening", "Accepted, and their hello not answered yet.", len(server.places)),
            ("opens_per_turn", "How many may open at a turn of the loop.", opens),
            ("waiting_seconds", "How long somebody waited to be accepted.", waiting_s),
            ("stalled", "Connections whose sockets are full.", len(server.stalled)),
            ("queued_bytes", "Bytes that wait for slow clients.", server.queued_bytes),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(PREFIX + name, text, value)
        text = "Rounds that wait or are being written."
        family = GaugeMetricFamily(PREFIX + "rounds_waiting", text, labels=["priority"])
        for priority in Priority:
            family.add_metric([priority.label], server.fanout.waiting(priority))
        yield family
        text = "The write path in use: 1 for the one that the label names."
        family = GaugeMetricFamily(PREFIX + "write_path", text, labels=["write_path"])
        family.add_metric([server.write_path.name], 1)
        yield family


def _by_label(
    name: str, label: str, text: str, numbers: Mapping[str, int] | Mapping[int, int]
) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=[label])
    for key, value in numbers.items():
        family.add_metric([str(key)], value)
    return family
