"""The metrics of a node's config: what came of reloads, and what waits for a restart."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ops.config.reloading import OUTCOMES, Reloading


class ReloadCollector(Collector):
    """Reads `Reloading` when it is scraped."""

    def __init__(self, reloading: Reloading) -> None:
        self._reloading = reloading

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        text = "Times that the config was read anew, by what came of it."
        reloads = CounterMetricFamily("relaymesh_config_reloads", text, labels=["outcome"])
        for outcome in OUTCOMES:
            reloads.add_metric([outcome], self._reloading.outcomes[outcome])
        yield reloads
        text = "Keys whose value in the config takes a restart."
        waiting = len(self._reloading.waiting)
        yield GaugeMetricFamily("relaymesh_config_restart_needed", text, waiting)
        text = "Whether the config as it is now was refused; the node runs with the one before."
        refused = bool(self._reloading.refused)
        yield GaugeMetricFamily("relaymesh_config_refused", text, refused)
