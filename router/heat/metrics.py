"""The metrics of hot rooms, made from the counters on each scrape."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from router.heat.counters import PHASE_BOUNDS_S, HeatCounters


class HeatCollector(Collector):
    """Reads the counters when it is scraped."""

    def __init__(self, counters: HeatCounters) -> None:
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the heat of rooms."""
        counters = self._counters
        text = "Rooms that this router keeps, by state: hot ones, and those that were a minute ago."
        rooms = GaugeMetricFamily("relaymesh_heat_rooms", text, labels=["state"])
        for state, count in counters.rooms.items():
            rooms.add_metric([state.value], count)
        yield rooms
        yield self._transitions()
        yield self._phases()
        text = "Calls of the provisioner that failed or had no answer, by operation."
        errors = CounterMetricFamily("relaymesh_heat_provisioner_errors", text, labels=["op"])
        for op in ("provide", "release"):
            errors.add_metric([op], counters.provisioner_errors[op])
        yield errors
        text = "Transitions that another router had made before."
        yield CounterMetricFamily("relaymesh_heat_refused", text, counters.refused)
        text = "Looks at rooms that the store cut short; the next second repeats them."
        yield CounterMetricFamily("relaymesh_heat_failures", text, counters.failures)

    def _transitions(self) -> Metric:
        text = "Transitions of rooms, by the states and the reason."
        labels = ["from", "to", "reason"]
        family = CounterMetricFamily("relaymesh_heat_transitions", text, labels=labels)
        for (before, to, reason), count in self._counters.transitions.items():
            family.add_metric([before.value, to.value, reason.value], count)
        return family

    def _phases(self) -> Metric:
        text = "Seconds that rooms were in a state, when they left it."
        family = HistogramMetricFamily("relaymesh_heat_phase_seconds", text, labels=["state"])
        bounds = [str(float(bound)) for bound in PHASE_BOUNDS_S] + ["+Inf"]
        for state, (*counts, sum_s) in self._counters.phases_s.items():
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric([state.value], buckets, sum_s)
        return family
