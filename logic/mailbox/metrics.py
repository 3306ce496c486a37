"""Mailboxes' figures for `/metrics`, read on each scrape."""

from collections.abc import Callable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from logic.mailbox.counters import MailboxCounters


class MailboxCollector(Collector):
    """Shows how fast mailboxes are filled, how late, and what could not be done."""

    def __init__(self, counters: MailboxCounters, waiting: Callable[[], int]) -> None:
        self._counters = counters
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield from self._totals()
        yield GaugeMetricFamily(
            "relaymesh_logic_mailbox_waiting",
            "Conversations with events that are not done.",
            self._waiting(),
        )
        yield GaugeMetricFamily(
            "relaymesh_logic_mailbox_lag_seconds",
            "Age of the oldest message of the last transaction.",
            self._counters.lag_ms / 1000,
        )
        family = HistogramMetricFamily(
            "relaymesh_logic_mailbox_seconds",
            "Time from a message's commit to its mailbox rows'.",
        )
        latency = self._counters.latency
        family.add_metric([], latency.buckets(), latency.sum_s)
        yield family

    def _totals(self) -> Iterator[Metric]:
        counters = self._counters
        for name, text, value in (
            ("rows", "Rows put into mailboxes.", counters.rows),
            ("messages", "Messages diffused.", counters.messages),
            ("batches", "Transactions that diffused something.", counters.batches),
            ("streamed", "Messages put on hot streams.", counters.streamed),
            ("switches", "Groups that became hot, or cooled.", counters.switches),
            ("failures", "Transactions that some message broke.", counters.failures),
            ("passed_over", "Messages that could not be diffused.", counters.passed_over),
            ("buried", "Deliveries with records that are no events.", counters.buried),
            ("trimmed", "Rows that left mailboxes for their age.", counters.trimmed),
            ("opened", "Devices that began to take messages.", counters.opened),
            ("synced", "Frames given for pages of streams.", counters.synced),
        ):
            yield CounterMetricFamily(f"relaymesh_logic_mailbox_{name}", text, value)
