"""A relay's figures for `/metrics`, read on each scrape."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proto.priorities import Priority
from relay.relay import Relay
from relay.status import lane_bytes, lane_depths


class RelayCollector(Collector):
    """Shows what `relay` has carried, dropped and holds."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield from self._gauges()
        yield from self._traffic()
        yield self._drops()
        yield self._violations()

    def _gauges(self) -> Iterator[Metric]:
        forwarding = self._relay.forwarding
        for name, text, value in (
            ("nodes", "Nodes that are connected.", len(forwarding.peers)),
            ("rooms", "Rooms that some node wants.", len(forwarding.table)),
            ("requests", "Requests without an answer.", len(forwarding.admission)),
        ):
            yield GaugeMetricFamily(f"relaymesh_relay_{name}", text, value)
        for name, text, depths in (
            ("lane_depth", "Envelopes that wait on a lane.", lane_depths(self._relay)),
            ("lane_depth_bytes", "Bytes that wait on a lane.", lane_bytes(self._relay)),
        ):
            gauge = GaugeMetricFamily(f"relaymesh_relay_{name}", text, labels=["priority"])
            for label, depth in depths.items():
                gauge.add_metric([label], depth)
            yield gauge

    def _traffic(self) -> Iterator[Metric]:
        for what in ("batches", "envelopes", "bytes"):
            family = CounterMetricFamily(
                f"relaymesh_relay_{what}", f"{what.title()} by lane.", labels=["priority", "way"]
            )
            for priority in Priority:
                for way in ("in", "out"):
                    value = getattr(self._relay.traffic[priority], f"{what}_{way}")
                    family.add_metric([priority.label, way], value)
            yield family
        holds = CounterMetricFamily(
            "relaymesh_relay_holds", "Times that routers were pushed back.", labels=["priority"]
        )
        for priority in Priority:
            holds.add_metric([priority.label], self._relay.holding.holds[priority])
        yield holds

    def _drops(self) -> Metric:
        drops = CounterMetricFamily(
            "relaymesh_relay_drops", "Envelopes dropped.", labels=["reason", "priority"]
        )
        for (reason, priority), count in sorted(self._relay.drops.items()):
            drops.add_metric([reason, priority.label], count)
        return drops

    def _violations(self) -> Metric:
        cut = CounterMetricFamily("relaymesh_relay_links_cut", "Links cut.", labels=["reason"])
        for reason, count in sorted(self._relay.seating.violations.items()):
            cut.add_metric([reason], count)
        cut.add_metric(["bad_message"], self._relay.listening.bad_messages)
        return cut
