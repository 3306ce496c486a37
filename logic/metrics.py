"""A logic node's figures for `/metrics`, read on each scrape."""

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from logic.counters import Counters
from logic.dispatch import Dispatch
from logic.outgoing import Outgoing
from logic.rooms.capacity import Capacity


class LogicCollector(Collector):
    """Shows what was published, what waits for the bus, and how long requests take."""

    def __init__(
        self, counters: Counters, outgoing: Outgoing, dispatch: Dispatch, capacity: Capacity
    ) -> None:
        self._counters = counters
        self._capacity = capacity
        self._outgoing = outgoing
        self._dispatch = dispatch

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield self._published()
        yield from self._outgoing_metrics()
        yield from self._plain()
        yield self._totals()
        yield self._errors()
        yield self._latency()

    def _published(self) -> Metric:
        family = CounterMetricFamily(
            "relaymesh_logic_published",
            "Room messages that the room log keeps.",
            labels=["kind", "priority"],
        )
        for (kind, priority), count in self._counters.published.items():
            family.add_metric([kind, priority.label], count)
        return family

    def _outgoing_metrics(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily(
            "relaymesh_logic_outgoing_depth",
            "Records that the bus does not have yet.",
            labels=["priority", "way"],
        )
        sent = CounterMetricFamily(
            "relaymesh_logic_outgoing_records",
            "Records that the bus has.",
            labels=["priority", "way"],
        )
        drops = CounterMetricFamily(
            "relaymesh_logic_outgoing_drops",
            "Records dropped before the bus.",
            labels=["reason", "priority", "way"],
        )
        for way in self._outgoing.ways:
            labels = [way.priority.label, way.name]
            depth.add_metric(labels, way.depth)
            sent.add_metric(labels, way.sent)
            drops.add_metric(["full", *labels], way.queue.dropped)
        yield from (depth, sent, drops)

    def _plain(self) -> Iterator[Metric]:
        counters = self._counters
        for name, text, value in (
            ("repeated", "Messages whose mid was known.", counters.repeated),
            ("rate_limited", "Urgent messages over a user's limit.", counters.rate_limited),
            ("over_capacity", "Messages beyond what the instance takes.", self._capacity.refused),
            ("direct_pushed", "Users whom back ends sent messages.", counters.direct_pushed),
            ("fetched", "Frames given for repair or history.", counters.fetched),
            ("census_rooms", "Room counts reported by nodes.", counters.census_rooms),
            ("like_reports", "Like counts accepted from nodes.", counters.like_reports),
            ("likes_merged", "Like counts taken from the bus.", counters.likes_merged),
            ("likes_written", "Atomic writes of likes.", counters.likes_written),
            ("likes_poisoned", "Deliveries of likes that were buried.", counters.likes_poisoned),
        ):
            yield CounterMetricFamily(f"relaymesh_logic_{name}", text, value)

    def _totals(self) -> Metric:
        family = CounterMetricFamily(
            "relaymesh_logic_totals_pushed", "Pushes of totals.", labels=["kind"]
        )
        for kind, count in self._counters.totals_pushed.items():
            family.add_metric([kind], count)
        return family

    def _errors(self) -> Metric:
        family = CounterMetricFamily(
            "relaymesh_logic_request_errors", "Requests refused.", labels=["code"]
        )
        for code, count in self._dispatch.errors.items():
            family.add_metric([code.value], count)
        return family

    def _latency(self) -> Metric:
        family = HistogramMetricFamily(
            "relaymesh_logic_request_seconds", "Time to handle a request.", labels=["method"]
        )
        for method, latency in self._dispatch.latency.items():
            family.add_metric([method], latency.buckets(), latency.sum_s)
        return family
