"""The metrics of a group of workers: who runs, and how often each was started again."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ops.processes.supervisor import Supervisor


class WorkersCollector(Collector):
    """Reads the supervisor when it is scraped."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        text = "Whether the worker does its work."
        ready = GaugeMetricFamily("relaymesh_worker_ready", text, labels=["worker"])
        text = "Times that the worker was started again."
        restarts = CounterMetricFamily("relaymesh_worker_restarts", text, labels=["worker"])
        for name, child in self._supervisor.children.items():
            ready.add_metric([name], child.ready.is_set())
            restarts.add_metric([name], child.restarts)
        yield ready
        yield restarts
