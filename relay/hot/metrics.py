"""The figures of a relay's hot way for `/metrics`, read on each scrape."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proto.priorities import Priority
from relay.hot.consumer import HotConsumer
from relay.hot.counters import HotCounters
from relay.hot.wanted import Wanted

_TOTALS = (
    ("records", "Records taken from hot topics, whoever they are for."),
    ("forwarded", "Records of hot topics that some node here had asked for."),
    ("copies", "Copies of hot records that were handed to nodes."),
    ("bad_records", "Records of hot topics that are no room message."),
    ("holds", "Times that a hot topic had to wait for receivers that were behind."),
)


class HotCollector(Collector):
    """Shows what is wanted, listened to and forwarded; `consumer` is absent without a bus."""

    def __init__(self, wanted: Wanted, counters: HotCounters, consumer: HotConsumer | None) -> None:
        self._wanted = wanted
        self._counters = counters
        self._consumer = consumer

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        topics = self._consumer.topics if self._consumer else ()
        for name, text, value in (
            ("enabled", "Whether this relay carries the hot way.", self._consumer is not None),
            ("keys", "Pools and rooms that some node asks for.", len(self._wanted)),
            ("topics_wanted", "Hot topics of them.", len(self._wanted.shards) * len(Priority)),
            ("subscriptions", "Hot topics that are listened to.", len(topics)),
        ):
            yield GaugeMetricFamily(f"relaymesh_relay_hot_{name}", text, float(value))
        yield from self._totals()
        yield CounterMetricFamily(
            "relaymesh_relay_hot_failures",
            "Times that a hot topic could not be listened to.",
            self._counters.failures,
        )
        yield self._lag()

    def _totals(self) -> Iterator[Metric]:
        for name, text in _TOTALS:
            family = CounterMetricFamily(f"relaymesh_relay_hot_{name}", text, labels=["priority"])
            for priority, count in getattr(self._counters, name).items():
                family.add_metric([priority.label], count)
            yield family

    def _lag(self) -> Metric:
        lag = GaugeMetricFamily(
            "relaymesh_relay_hot_lag", "Packs that wait on the bus.", labels=["topic"]
        )
        for topic, packs in self._counters.lag.items():
            lag.add_metric([topic.value], packs)
        return lag
