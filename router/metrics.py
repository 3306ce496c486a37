"""The router's metrics, made from its counters on each scrape."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from proto.topics import Topic
from router.counters import LATENCY_BOUNDS_MS, Counters, Latency
from router.gateway.gateway import Gateway

_BY_TOPIC = (
    ("consumed", "Records taken from the bus."),
    ("duplicates", "Records that came again and were known."),
    ("buried", "Records kept on the dead-letter topic because they can't be routed."),
    ("settle_failures", "Deliveries that the bus did not take back: they come again."),
)
_BY_MODE = (
    ("routed", "Records handed to the relays."),
    ("envelopes", "Envelopes handed to the relays."),
)
_TOTALS = (
    ("lookups", "Uids looked up in the route map."),
    ("lookup_failures", "Lookups that failed; what they were for was broadcast."),
    ("offline", "Users' records of which no receiver was connected."),
    ("failovers", "Sends that found a relay down and took the next."),
    ("relayless_waits", "Waits of 50 ms because no relay was up."),
    ("send_waits", "Sends that waited for a relay longer than 1 ms."),
    ("heads_sent", "Heads of rooms handed to the relays."),
    ("heads_dropped", "Heads dropped at a full or broken lane; the next second repeats them."),
)
_OF_GATEWAY = (
    ("connects", "Answers to clients that asked where to connect."),
    ("pushes", "Messages of back ends that logic has published."),
    ("refused", "Calls of back ends refused because too many waited."),
    ("limited", "Calls refused since their API key had called too often."),
    ("turned_away", "Requests sent away: too much from an address, or from all."),
    ("replayed", "Calls answered with the first answer of their idempotency key."),
)


class RouterCollector(Collector):
    """Reads the counters when it is scraped; the hot path only adds to plain numbers."""

    def __init__(self, counters: Counters, gateway: Gateway) -> None:
        self._counters = counters
        self._gateway = gateway

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the router and its gateway."""
        counters = self._counters
        for name, text in _BY_TOPIC:
            yield _labelled(f"relaymesh_router_{name}", text, "topic", getattr(counters, name))
        for name, text in _BY_MODE:
            yield _labelled(f"relaymesh_router_{name}", text, "mode", getattr(counters, name))
        for name, text in _TOTALS:
            yield CounterMetricFamily(f"relaymesh_router_{name}", text, getattr(counters, name))
        yield from _of_gateway(self._gateway)
        yield _gauge(
            "relaymesh_router_bus_lag", "Records or packs that wait on the bus.", counters.lag
        )
        yield _gauge(
            "relaymesh_router_in_flight", "Deliveries not settled yet.", counters.in_flight
        )
        yield _histogram(counters)


def _of_gateway(gateway: Gateway) -> Iterator[Metric]:
    counters = gateway.counters
    for name, text in _OF_GATEWAY:
        yield CounterMetricFamily(f"relaymesh_gateway_{name}", text, getattr(counters, name))
    text = "Clients refused because the rules of hot rooms were not known."
    yield CounterMetricFamily("relaymesh_gateway_lapses", text, gateway.lapses)
    text = "Requests of the HTTP API that were refused, by the code of their error."
    yield _labelled("relaymesh_gateway_errors", text, "code", counters.errors)
    text = "Calls of the HTTP API that succeeded, by operation."
    yield _labelled("relaymesh_gateway_calls", text, "operation", counters.calls)
    text = "Calls that wait for the cluster."
    yield GaugeMetricFamily("relaymesh_gateway_pending", text, counters.pending)


def _labelled(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family


def _gauge(name: str, text: str, values: dict[Topic, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["topic"])
    for topic, value in values.items():
        family.add_metric([topic.value], value)
    return family


def _histogram(counters: Counters) -> Metric:
    text = "Seconds from logic's acceptance until the relays had the record."
    family = HistogramMetricFamily("relaymesh_router_latency_seconds", text, labels=["priority"])
    for priority, latency in counters.latency.items():
        family.add_metric([priority.label], _buckets(latency), latency.sum_ms / 1000)
    return family


def _buckets(latency: Latency) -> list[tuple[str, float]]:
    bounds = [str(bound / 1000) for bound in LATENCY_BOUNDS_MS] + ["+Inf"]
    return list(zip(bounds, map(float, accumulate(latency.counts)), strict=True))
