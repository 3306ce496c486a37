"""The store client's figures for `/metrics`, read on each scrape."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backends.redis.client import RedisClient


class StoreCollector(Collector):
    """Shows what `client` has done and how much waits for it."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        counters = self._client.counters
        yield GaugeMetricFamily(
            "relaymesh_store_queue_depth", "Commands that wait.", self._client.depth
        )
        for name, text, value in (
            ("commands", "Commands that the store answered.", counters.commands),
            ("pipelines", "Round trips to the store.", counters.pipelines),
            ("retries", "Calls sent again after a failure.", counters.retries),
            ("failures", "Calls given up after their patience.", counters.failures),
            ("refused", "Calls refused because the queue was full.", counters.refused),
        ):
            yield CounterMetricFamily(f"relaymesh_store_{name}", text, value)
