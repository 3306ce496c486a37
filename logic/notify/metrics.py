"""The figures of offline push for `/metrics`."""

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backends.push.interface import Verdict
from logic.notify.counters import NotifyCounters
from logic.notify.gate import Gate


class NotifyCollector(Collector):
    """Shows what waits, what was sent, cancelled and dropped, and what failed by which provider."""

    def __init__(self, counters: NotifyCounters, gates: Mapping[str, Gate]) -> None:
        self._counters = counters
        self._gates = gates

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        counters = self._counters
        yield GaugeMetricFamily(
            "relaymesh_logic_notifications_pending",
            "Conversations of users that may have to be notified of (at most 10,000 are counted).",
            counters.pending,
        )
        yield self._sent()
        yield self._failed()
        for name, text, counts in (
            ("cancelled", "Notifications that had become needless.", counters.cancelled),
            ("postponed", "Looks that were too early for a notification.", counters.postponed),
            ("dropped", "Notifications given up.", counters.dropped),
        ):
            yield _by_reason(f"relaymesh_logic_notifications_{name}", text, counts)

    def _sent(self) -> Metric:
        family = CounterMetricFamily(
            "relaymesh_logic_notifications_sent",
            "Notifications that a provider has taken.",
            labels=["provider"],
        )
        for name, gate in self._gates.items():
            sent = (n for (verdict, _), n in gate.outcomes.items() if verdict is Verdict.SENT)
            family.add_metric([name], sum(sent))
        return family

    def _failed(self) -> Metric:
        family = CounterMetricFamily(
            "relaymesh_logic_notifications_failed",
            "Notifications that a provider has not taken: `later` are tried again, with `gone` the"
            " device's token is forgotten.",
            labels=["provider", "verdict", "reason"],
        )
        for name, gate in self._gates.items():
            for (verdict, reason), count in gate.outcomes.items():
                if verdict is not Verdict.SENT:
                    family.add_metric([name, verdict.value, reason], count)
        return family


def _by_reason(name: str, text: str, counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(name, text, labels=["reason"])
    for reason, count in counts.items():
        family.add_metric([reason], count)
    return family
