"""Instant messaging's figures for `/metrics`, read on each scrape."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backends.database.database import Database
from backends.database.group_commit import GroupCommit
from logic.im.events import Events
from logic.im.sweeper import Sweeper
from logic.signals import Signals


class ImCollector(Collector):
    """Shows what is committed and how many share a commit, what waits, and what was repaired."""

    def __init__(
        self,
        commits: dict[str, GroupCommit[Any, Any]],
        events: Events,
        sweeper: Sweeper,
        signals: Signals,
        database: Database,
    ) -> None:
        self._commits = commits
        self._events = events
        self._sweeper = sweeper
        self._signals = signals
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield from self._group_commits()
        yield from self._depths()
        for name, text, value in (
            ("im_events_published", "Events put on the bus.", self._events.published),
            ("im_events_dropped", "Events dropped: the sweeper repairs.", self._events.dropped),
            ("im_swept", "Conversations that a sweep found late.", self._sweeper.swept),
            ("im_signals", "Users told of typing, reading or presence.", self._signals.sent),
            ("database_writes", "Transactions that write.", self._database.writes),
            ("database_reads", "Transactions that read.", self._database.reads),
            ("database_failures", "Transactions that failed.", self._database.failures),
        ):
            yield CounterMetricFamily(f"relaymesh_logic_{name}", text, value)

    def _group_commits(self) -> Iterator[Metric]:
        commits = CounterMetricFamily(
            "relaymesh_logic_im_commits", "Transactions of group commits.", labels=["of"]
        )
        requests = CounterMetricFamily(
            "relaymesh_logic_im_committed",
            "Requests done by group commits; over the commits it is how many share one.",
            labels=["of"],
        )
        depth = GaugeMetricFamily(
            "relaymesh_logic_im_commit_depth",
            "Requests that wait for a transaction.",
            labels=["of"],
        )
        for name, each in self._commits.items():
            commits.add_metric([name], each.commits)
            requests.add_metric([name], each.requests)
            depth.add_metric([name], each.depth)
        yield from (commits, requests, depth)

    def _depths(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "relaymesh_logic_im_events_depth",
            "Conversations whose events the bus does not have yet.",
            self._events.depth,
        )
        yield GaugeMetricFamily(
            "relaymesh_logic_im_outbox_overdue",
            "Conversations that the last sweep found late in the outbox.",
            self._sweeper.overdue,
        )
