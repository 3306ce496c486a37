"""The access node's metrics, made from its counters on each scrape."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from access.counters import LATENCY_BUCKETS_MS, Histogram
from access.im import metrics as im_metrics
from access.node import AccessNode
from proto.priorities import LABELS

PREFIX = "relaymesh_access_"
TOTALS = (
    ("direct_deliveries", "Messages to users, handed to their connections."),
    ("direct_duplicates", "Messages to users that had been delivered already."),
    ("direct_elsewhere", "Messages to users of whom none is connected here."),
    ("bad_envelopes", "Mesh envelopes that could not be read."),
    ("upstream_fetches", "Questions to room logs."),
    ("upstream_fetches_joined", "Questions answered by another one in flight."),
    ("upstream_fetch_errors", "Questions to room logs without an answer."),
    ("catch_ups", "Streams that a member entered behind their end."),
    ("likes_in", "Likes taken from clients."),
    ("likes_acknowledged", "Likes whose clients were told that they are counted."),
    ("like_flushes", "Reports of merged likes."),
    ("like_flush_errors", "Reports of merged likes without an answer; counts go up again."),
    ("census_reports", "Reports of members."),
    ("census_errors", "Reports of members without an answer."),
    ("route_writes", "Routes written or removed."),
    ("route_errors", "Routes that the store did not take; they are tried again."),
    ("moves_told", "Clients told to move to other nodes."),
    ("moves_overdue", "Clients closed since they were told to move and stayed."),
    ("resumes_accepted", "Clients that came by a move."),
    ("resumes_refused", "Resume tokens that were not accepted."),
    ("tokens_expiring", "Clients told that their token nears its end."),
    ("tokens_refreshed", "Tokens taken on connections that went on."),
    ("internal_errors", "Tasks that failed by a mistake of ours."),
)
CURSOR_TOTALS = (
    ("duplicates", "Room messages that had been delivered already."),
    ("gaps", "Gaps that were acted upon."),
    ("repaired", "Room messages that came by a fetch."),
    ("skipped", "Room messages given up on purpose and told as skipped."),
    ("resets", "Resets told to members."),
    ("stale_epoch", "Messages or heads of an epoch that is over."),
    ("held_full", "Messages not held because too many were; they are fetched."),
)
BY_PRIORITY = (
    ("room_messages", "Room messages handed to the fan-out, once a room."),
    ("deliveries", "Room messages handed to the fan-out, once a member."),
    ("rounds", "Writes of joined messages."),
)
BY_NAME = (
    ("requests", "op", "Frames of clients by `op`."),
    ("errors", "code", "Error replies by code."),
    ("closes", "code", "Connections that ended, by close code."),
    ("removed", "reason", "Members sent out of rooms, by reason."),
)


class AccessCollector(Collector):
    """Reads the counters when it is scraped; the hot path only adds to plain numbers."""

    def __init__(self, node: AccessNode) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """Yield every metric above the edge."""
        node, counters = self._node, self._node.counters
        for name, text in TOTALS:
            yield CounterMetricFamily(PREFIX + name, text, getattr(counters, name))
        for name, text in CURSOR_TOTALS:
            numbers = [getattr(each, name) for each in node.cursor_counters]
            yield _by_priority(PREFIX + name, text, numbers)
        for name, text in BY_PRIORITY:
            yield _by_priority(PREFIX + name, text, getattr(counters, name))
        for name, label, text in BY_NAME:
            yield _by_name(PREFIX + name, label, text, getattr(counters, name))
        yield CounterMetricFamily(
            PREFIX + "revoked", "Connections closed by a revocation.", node.revoking.closed
        )
        yield self._drops()
        yield from self._gauges()
        yield from im_metrics.collect(node.messaging)
        yield _histogram(counters.latency)

    def _drops(self) -> Metric:
        text = "Room messages that were dropped, by reason and priority."
        family = CounterMetricFamily(PREFIX + "drops", text, labels=["reason", "priority"])
        for (reason, priority), count in self._node.counters.drops.items():
            family.add_metric([reason, LABELS[priority]], count)
        return family

    def _gauges(self) -> Iterator[Metric]:
        node = self._node
        gauges: Iterable[tuple[str, str, float]] = (
            ("connections", "Connections of clients.", node.sessions.connections),
            ("max_connections", "Connections that it takes.", node.status.max_connections),
            ("users", "Users with a connection.", len(node.users)),
            ("rooms", "Rooms with members.", node.rooms.with_members),
            ("rooms_open", "Rooms open, with or without members.", len(node.rooms)),
            ("joining", "Joins that wait for their room to open.", node.rooms.joining),
            ("likes_waiting", "Clients that wait for their likes' answer.", node.likes.waiting),
            ("routes_waiting", "Routes still to be written.", node.routes.waiting),
            ("moving", "Members that still have to move.", node.moving.left),
            ("tasks", "Requests, repairs and catch-ups under way.", node.tasks.running),
            ("lease_held", "Whether the last renewal of the lease succeeded.", node.lease.held),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(PREFIX + name, text, value)
        family = GaugeMetricFamily(
            PREFIX + "pending", "Room messages that wait in this node.", labels=["priority"]
        )
        for label, value in zip(LABELS, node.rooms.pending, strict=True):
            family.add_metric([label], value)
        yield family


def _by_priority(name: str, text: str, numbers: Iterable[int]) -> Metric:
    return _by_name(name, "priority", text, dict(zip(LABELS, numbers, strict=True)))


def _by_name(name: str, label: str, text: str, numbers: Mapping[object, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in numbers.items():
        family.add_metric([str(key)], value)
    return family


def _histogram(histograms: Iterable[Histogram]) -> Metric:
    family = HistogramMetricFamily(
        PREFIX + "latency_seconds",
        "From logic's acceptance of a room message to its hand-over to the fan-out.",
        labels=["priority"],
    )
    bounds = [f"{bound / 1000:g}" for bound in LATENCY_BUCKETS_MS] + ["+Inf"]
    for label, histogram in zip(LABELS, histograms, strict=True):
        counts = accumulate(histogram.counts)
        buckets = list(zip(bounds, counts, strict=True))
        family.add_metric([label], buckets, sum_value=histogram.sum_ms / 1000)
    return family
