"""Instant messaging as one part of a logic node: its subjects put together, and their tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
import trio
from prometheus_client.registry import Collector

from backends.database.group_commit import GroupCommit
from backends.database.preparing import prepare
from backends.errors import StoreUnavailableError
from logic.dispatch import Handle as Serve
from logic.im import committing, reading
from logic.im.events import Events
from logic.im.history import HistoryHandler
from logic.im.metrics import ImCollector
from logic.im.placeholder import not_yet
from logic.im.read import ReadHandler
from logic.im.recall import RecallHandler
from logic.im.send import SendHandler
from logic.im.service import Handle, ImHandler
from logic.im.settings import ImSettings
from logic.im.sweeper import Sweeper
from logic.im.typing import TypingHandler
from logic.living import Living
from logic.outgoing import Outgoing
from logic.parts import Parts
from logic.signals import Signals
from proto.client_requests import IM_REQUESTS
from proto.requests.messages import History, Read, Recall, Send, Typing
from proto.services import Method

PREPARE_RETRY_S = 1.0
EMPTY_WITHIN_S = 2.0
"""A node that stops gives the bus so long; the sweepers of the others do the rest."""
log = structlog.get_logger()


class InstantMessages:
    """What a logic node runs of instant messaging.

    Other subjects plug in here: their handlers in `_handlers` and `methods`, what they do by
    themselves in `run`, their figures in `collectors`.
    """

    def __init__(
        self, settings: ImSettings, parts: Parts, outgoing: Outgoing, living: Living
    ) -> None:
        self._settings = settings
        self._parts = parts
        self.events = Events(parts.bus, settings.events_waiting)
        self.signals = Signals(outgoing, now_ms=parts.now_ms, random_bits=parts.random_bits)
        self.sweeper = Sweeper(
            parts.database,
            self.events,
            settings,
            living,
            now_ms=parts.now_ms,
            random_bits=parts.random_bits,
        )
        self.sends: GroupCommit[committing.Sending, committing.Outcome] = GroupCommit(
            parts.database,
            lambda connection, sendings: committing.commit(connection, sendings, parts.now_ms()),
            most=settings.commit_most,
        )
        self.reads: GroupCommit[reading.Reading, reading.Outcome] = GroupCommit(
            parts.database,
            lambda connection, reads: reading.commit(connection, reads, settings.receipts_members),
            most=settings.commit_most,
        )

    def methods(self) -> Mapping[Method, Serve]:
        """Return what answers the methods of instant messaging."""
        return {Method.IM: ImHandler(self._handlers()).handle}

    def collectors(self) -> Sequence[Collector]:
        """Return the collectors of its figures."""
        commits: dict[str, GroupCommit[Any, Any]] = {"sends": self.sends, "reads": self.reads}
        return [ImCollector(commits, self.events, self.sweeper, self.signals, self._parts.database)]

    def status(self) -> dict[str, Any]:
        """Return what goes on now."""
        return {
            "waiting": self.sends.depth + self.reads.depth,
            "events": self.events.depth,
            "outbox_overdue": self.sweeper.overdue,
        }

    async def serve(self) -> None:
        """Do what requests wait for, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._prepare)
            nursery.start_soon(self.events.run)
            nursery.start_soon(self.sends.run)
            nursery.start_soon(self.reads.run)

    async def run(self) -> None:
        """Do what nobody waits for, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.sweeper.run)

    async def drained(self) -> None:
        """Give the bus what it does not have yet, for a while."""
        with trio.move_on_after(EMPTY_WITHIN_S):
            await self.events.drained()

    def _handlers(self) -> dict[type, Handle]:
        parts, settings, now_ms = self._parts, self._settings, self._parts.now_ms
        committed = self.events.committed
        return dict.fromkeys(IM_REQUESTS, not_yet) | {
            Send: SendHandler(self.sends, committed).handle,
            Recall: RecallHandler(parts.database, committed, settings.recall_s, now_ms).handle,
            Read: ReadHandler(self.reads, self.signals, now_ms).handle,
            Typing: TypingHandler(
                parts.database, self.signals, settings.typing_members, now_ms
            ).handle,
            History: HistoryHandler(parts.database).handle,
        }

    async def _prepare(self) -> None:
        while True:
            try:
                await self._parts.database.write(prepare)
                return
            except StoreUnavailableError as error:
                log.warning("database_not_prepared", reason=str(error))
            await trio.sleep(PREPARE_RETRY_S)
