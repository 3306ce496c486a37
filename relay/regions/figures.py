"""What a relay has to show of other regions, for `relaymesh status` and `/metrics`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mesh.figures import uplinks
from proto.priorities import Priority
from relay.lanes import LaneTraffic
from relay.regions.crossing import Crossing
from relay.regions.link import RegionLink

Arrivals = Mapping[str, list[LaneTraffic]]
"""What has come from each region, by lane."""

_Gauge = tuple[str, str, Callable[[RegionLink, Crossing], float]]

_GAUGES: tuple[_Gauge, ...] = (
    ("relays", "Relays that are dialled.", lambda link, _: link.dialled),
    ("up", "Relays that are up both ways.", lambda link, all_: len(_answering(link, all_))),
    ("interest", "Rooms of theirs that nodes here want.", lambda link, _: link.interest),
    ("wanted", "Rooms of ours, by relay.", lambda link, all_: all_.neighbours.wanted(link.region)),
    ("requests", "Requests without an answer.", lambda link, all_: all_.requests[link.region]),
)


def region_status(link: RegionLink, crossing: Crossing, came: list[LaneTraffic]) -> dict[str, Any]:
    """Return what there is to say of one region, as JSON-able values."""
    return {
        **{name: int(value(link, crossing)) for name, _, value in _GAUGES},
        "up_relays": sorted(_answering(link, crossing)),
        "uplinks": uplinks(link.up),
        "lane_depths": {p.label: _depth(link, p) for p in Priority},
        "envelopes_out": {p.label: link.traffic[p].envelopes_out for p in Priority},
        "room_messages": {p.label: crossing.came[link.region, p] for p in Priority},
        "envelopes_in": {p.label: came[p].envelopes_in for p in Priority},
        "drops": {f"{reason} {p.label}": n for (reason, p), n in sorted(link.drops.items()) if n},
    }


class RegionCollector(Collector):
    """Shows the links to other regions and what has crossed them."""

    def __init__(
        self, links: Mapping[str, RegionLink], crossing: Crossing, arrivals: Arrivals
    ) -> None:
        self._links = links
        self._crossing = crossing
        self._arrivals = arrivals

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics: none where there is but one region."""
        if self._links:
            yield from self._gauges()
            yield self._depths()
            yield from self._traffic()
            yield self._came()
            yield self._drops()

    def _gauges(self) -> Iterator[Metric]:
        for name, text, value in _GAUGES:
            gauge = GaugeMetricFamily(f"relaymesh_relay_region_{name}", text, labels=["region"])
            for region, link in self._links.items():
                gauge.add_metric([region], value(link, self._crossing))
            yield gauge

    def _depths(self) -> Metric:
        depth = GaugeMetricFamily(
            "relaymesh_relay_region_lane_depth",
            "Envelopes that wait for a region.",
            labels=["region", "priority"],
        )
        for region, link in self._links.items():
            for priority in Priority:
                depth.add_metric([region, priority.label], _depth(link, priority))
        return depth

    def _traffic(self) -> Iterator[Metric]:
        for what in ("envelopes", "bytes"):
            family = CounterMetricFamily(
                f"relaymesh_relay_region_{what}",
                f"{what.title()} to and from a region, by lane.",
                labels=["region", "priority", "way"],
            )
            for region, link in self._links.items():
                traffic = link.traffic
                for priority in Priority:
                    sent, came = traffic[priority], self._arrivals[region][priority]
                    labels = [region, priority.label]
                    family.add_metric([*labels, "out"], getattr(sent, f"{what}_out"))
                    family.add_metric([*labels, "in"], getattr(came, f"{what}_in"))
            yield family

    def _came(self) -> Metric:
        came = CounterMetricFamily(
            "relaymesh_relay_region_room_messages",
            "Room messages that have come from a region.",
            labels=["region", "priority"],
        )
        for region in self._links:
            for priority in Priority:
                came.add_metric([region, priority.label], self._crossing.came[region, priority])
        return came

    def _drops(self) -> Metric:
        drops = CounterMetricFamily(
            "relaymesh_relay_region_drops",
            "Envelopes for a region that were dropped.",
            labels=["region", "reason", "priority"],
        )
        for region, link in self._links.items():
            for (reason, priority), count in sorted(link.drops.items()):
                drops.add_metric([region, reason, priority.label], count)
        return drops


def _answering(link: RegionLink, crossing: Crossing) -> set[str]:
    return crossing.neighbours.answering(link.region)


def _depth(link: RegionLink, priority: Priority) -> int:
    return sum(connection.lanes[priority].outbox.depth for connection in link.up.values())
