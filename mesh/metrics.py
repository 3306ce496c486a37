"""The figures of a node's end of the mesh for `/metrics`, read on each scrape."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mesh.lives import Lives
from mesh.node import MeshNode
from mesh.serving import Serving
from proto.priorities import Priority

Family = TypeVar("Family", CounterMetricFamily, GaugeMetricFamily)


class MeshCollector(Collector):
    """Shows what `mesh` has carried, what waits and what was dropped."""

    def __init__(self, mesh: MeshNode) -> None:
        self._mesh = mesh

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield GaugeMetricFamily("relaymesh_mesh_relays_up", "Relays.", len(self._mesh.up))
        yield CounterMetricFamily(
            "relaymesh_mesh_connects", "Times that a relay came up.", self._mesh.connects
        )
        yield GaugeMetricFamily(
            "relaymesh_mesh_unplaced",
            "Interests of the hot way that no relay which is up carries.",
            self._mesh.unplaced,
        )
        yield from self._lanes()
        yield from self._traffic()
        yield from self._requests()
        yield self._drops()

    def _lanes(self) -> Iterator[Metric]:
        labels = ["relay", "priority"]
        depth = GaugeMetricFamily("relaymesh_mesh_lane_depth", "Envelopes waiting.", labels=labels)
        size = GaugeMetricFamily("relaymesh_mesh_lane_depth_bytes", "Bytes waiting.", labels=labels)
        trip = GaugeMetricFamily("relaymesh_mesh_round_trip_ms", "Ping to pong.", labels=labels)
        for relay, connection in self._mesh.up.items():
            for lane in connection.lanes:
                names = [relay, lane.priority.label]
                depth.add_metric(names, lane.outbox.depth)
                size.add_metric(names, lane.outbox.depth_bytes)
                trip.add_metric(names, lane.round_trip_ms)
        yield from (depth, size, trip)

    def _traffic(self) -> Iterator[Metric]:
        traffic = self._mesh.traffic
        for what in ("batches", "envelopes", "bytes"):
            family = CounterMetricFamily(
                f"relaymesh_mesh_{what}", f"{what.title()} by lane.", labels=["priority", "way"]
            )
            for priority in Priority:
                for way in ("in", "out"):
                    value = getattr(traffic[priority], f"{what}_{way}")
                    family.add_metric([priority.label, way], value)
            yield family

    def _requests(self) -> Iterator[Metric]:
        requests = self._mesh.requests
        yield GaugeMetricFamily("relaymesh_mesh_requests", "Without an answer.", len(requests))
        for name, text, value in (
            ("requests_refused", "Requests beyond the bound.", requests.refused),
            ("replies_unmatched", "Answers that nobody waits for.", requests.unmatched),
        ):
            yield CounterMetricFamily(f"relaymesh_mesh_{name}", text, value)

    def _drops(self) -> Metric:
        drops = CounterMetricFamily(
            "relaymesh_mesh_drops", "Envelopes dropped.", labels=["reason", "priority"]
        )
        for (reason, priority), count in sorted(self._mesh.drops.items()):
            drops.add_metric([reason, priority.label], count)
        return drops


class ServingCollector(Collector):
    """Shows how the requests fare that a node serves, by service."""

    def __init__(self, serving: Mapping[bytes, Serving]) -> None:
        self._serving = {key.decode(): each for key, each in serving.items()}

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        for name, text, value in (
            ("at_work", "Requests at work.", lambda each: each.turns.at_work),
            ("waiting", "Requests waiting.", lambda each: each.turns.waiting),
        ):
            yield self._filled(GaugeMetricFamily, name, text, value)
        for name, text, value in (
            ("answered", "Requests answered, errors included.", lambda each: each.answered),
            ("failed", "Answers that are errors.", lambda each: each.failed),
            ("broken", "Requests that ended in an exception.", lambda each: each.broken),
            ("refused", "Requests beyond the bound.", lambda each: each.turns.refused),
            ("expired", "Requests whose askers had given up.", lambda each: each.turns.expired),
            ("bad", "Requests that can't be read.", lambda each: each.bad),
            ("undelivered", "Answers whose relay was down.", lambda each: each.undelivered),
        ):
            yield self._filled(CounterMetricFamily, name, text, value)

    def _filled(
        self, kind: type[Family], name: str, text: str, value: Callable[[Serving], int]
    ) -> Family:
        family = kind(f"relaymesh_serving_{name}", text, labels=["service"])
        for service, serving in self._serving.items():
            family.add_metric([service], value(serving))
        return family


class LivesCollector(Collector):
    """Shows what is known of the nodes of other regions."""

    def __init__(self, lives: Lives) -> None:
        self._lives = lives

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        known = GaugeMetricFamily(
            "relaymesh_lives", "Access nodes of other regions that live.", labels=["region"]
        )
        for region, nodes in Counter(self._lives.region_of.values()).items():
            known.add_metric([region], nodes)
        yield known
        yield GaugeMetricFamily(
            "relaymesh_lives_unsettled",
            "Other regions whose nodes may live though they are not known to.",
            len(self._lives.unsettled()),
        )
        yield CounterMetricFamily(
            "relaymesh_lives_failures", "Questions without an answer.", self._lives.failures
        )
        yield CounterMetricFamily(
            "relaymesh_lives_name_clashes", "Names of two regions' nodes.", self._lives.name_clashes
        )
