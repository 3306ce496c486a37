"""Mailboxes as one part of a logic node: its subjects put together, and their tasks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import trio
from prometheus_client.registry import Collector

from backends.bus.interface import Bus
from backends.database.database import Database
from logic.dispatch import Handle as Serve
from logic.im.service import Handle
from logic.mailbox.consumer import MailboxConsumer
from logic.mailbox.counters import MailboxCounters
from logic.mailbox.cursors import CursorsHandler
from logic.mailbox.hot_groups import Committed, HotGroups
from logic.mailbox.metrics import MailboxCollector
from logic.mailbox.opening import OpenHandler
from logic.mailbox.pages import SyncHandler
from logic.mailbox.settings import MailboxSettings
from logic.mailbox.tails import TailsHandler
from logic.mailbox.trimming import Trimming
from logic.outgoing import Outgoing
from proto.requests.messages import Sync
from proto.services import Method

WORKERS = 2
"""Transactions at once, where the database has more than one writer."""


class Mailboxes:
    """What a logic node runs of mailboxes."""

    def __init__(
        self,
        settings: MailboxSettings,
        bus: Bus,
        database: Database,
        outgoing: Outgoing,
        *,
        committed: Committed,
        now_ms: Callable[[], int],
    ) -> None:
        self.counters = MailboxCounters()
        self._hot = HotGroups(database, settings.hot, committed, now_ms)
        self._trimming = Trimming(database, settings.keep, self.counters)
        self.consumer = MailboxConsumer(
            bus,
            database,
            outgoing,
            settings,
            now_ms=now_ms,
            counters=self.counters,
            told=(self._hot, self._trimming),
            workers=1 if database.is_sqlite else WORKERS,
        )
        self._open = OpenHandler(database, settings, now_ms=now_ms, counters=self.counters)
        self._sync = SyncHandler(database, self.counters)
        self._tails = TailsHandler(database)
        self._cursors = CursorsHandler(database, now_ms)

    def reconfigured(self, settings: MailboxSettings) -> None:
        """Take over the keys that reload."""
        self._hot.reconfigured(settings.hot)
        self._open.settings = settings

    def methods(self) -> Mapping[Method, Serve]:
        """Return what answers the access nodes."""
        return {
            Method.OPEN: self._open.handle,
            Method.SYNC: self._sync.handle,
            Method.TAILS: self._tails.handle,
            Method.CURSORS: self._cursors.handle,
        }

    def handlers(self) -> Mapping[type, Handle]:
        """Return what answers clients."""
        return {Sync: self._sync.sync}

    def collectors(self) -> Sequence[Collector]:
        """Return the collectors of its figures."""
        return [MailboxCollector(self.counters, lambda: self.consumer.waiting)]

    def status(self) -> dict[str, Any]:
        """Return what goes on now."""
        return {"waiting": self.consumer.waiting, "rows": self.counters.rows}

    async def serve(self) -> None:
        """Do what requests wait for, until cancelled."""
        await self._open.run()

    async def run(self) -> None:
        """Do what nobody waits for, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.consumer.run)
            nursery.start_soon(self._hot.run)
            nursery.start_soon(self._trimming.run)
