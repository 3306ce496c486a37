"""The bus's figures for `/metrics`, read on each scrape."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backends.bus.counters import BusCounters

_TOTALS = (
    ("published", "Records that the bus confirmed."),
    ("publish_failures", "Records whose publishers were told that the bus is away."),
    ("publish_retries", "Sends to the bus that were tried again."),
    ("delivered", "Records handed to consumers, redeliveries included."),
    ("acknowledged", "Deliveries settled as done."),
    ("retried", "Deliveries given back to come again."),
    ("buried", "Packs put on the dead-letter topic, for whatever reason."),
    ("unreadable", "Packs put there because they were no packs."),
)
_DEPTHS = (
    ("waiting", "Records that wait to be sent to the bus."),
    ("in_flight", "Deliveries that are not settled yet."),
)


class BusCollector(Collector):
    """Shows what this process has published and consumed."""

    def __init__(self, counters: BusCounters) -> None:
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, each by topic."""
        for name, text in _TOTALS:
            total = CounterMetricFamily(f"relaymesh_bus_{name}", text, labels=["topic"])
            yield self._by_topic(total, name)
        for name, text in _DEPTHS:
            depth = GaugeMetricFamily(f"relaymesh_bus_{name}", text, labels=["topic"])
            yield self._by_topic(depth, name)

    def _by_topic(
        self, family: CounterMetricFamily | GaugeMetricFamily, name: str
    ) -> CounterMetricFamily | GaugeMetricFamily:
        for topic, counters in self._counters.topics.items():
            family.add_metric([topic.value], getattr(counters, name))
        return family
