"""Instant messaging as one part of a logic node: its subjects put together, and their tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
import trio
from prometheus_client.registry import Collector

from backends.database.group_commit import GroupCommit
from backends.database.versions import prepare
from logic.contacts.service import ContactsService
from logic.dispatch import Handle as Serve
from logic.groups.service import GroupsService
from logic.im import committing, reading
from logic.im.events import Events
from logic.im.history import HistoryHandler
from logic.im.metrics import ImCollector
from logic.im.read import ReadHandler
from logic.im.recall import RecallHandler
from logic.im.send import SendHandler
from logic.im.service import Handle, ImHandler
from logic.im.sweeper import Sweeper
from logic.im.typing import TypingHandler
from logic.living import Living
from logic.mailbox.wiring import Mailboxes
from logic.notify.wiring import OfflinePush
from logic.outgoing import Outgoing
from logic.parts import Parts
from logic.sessions import handlers as sessions
from logic.settings import Settings
from logic.signals import Signals
from proto.requests.messages import History, Read, Recall, Send, Typing
from proto.services import Method

EMPTY_WITHIN_S = 2.0
"""A node that stops gives the bus so long; the sweepers of the others do the rest."""
log = structlog.get_logger()


class InstantMessages:
    """What a logic node runs of instant messaging.

    Other subjects plug in here: their handlers in `_handlers` and `methods`, what they do by
    themselves in `run`, their figures in `collectors`.
    """

    def __init__(self, whole: Settings, parts: Parts, outgoing: Outgoing, living: Living) -> None:
        settings = self._settings = whole.im
        self._whole = whole
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
            pace_s=settings.commit_pace_s,
        )
        self.reads: GroupCommit[reading.Reading, reading.Outcome] = GroupCommit(
            parts.database,
            lambda connection, reads: reading.commit(
                connection, reads, self._settings.receipts_members
            ),
            most=settings.commit_most,
            pace_s=settings.commit_pace_s,
        )

        self.mailboxes = Mailboxes(
            whole.mailbox,
            parts.bus,
            parts.database,
            outgoing,
            committed=self.events.committed,
            now_ms=parts.now_ms,
        )
        self.push = OfflinePush(whole, parts, living)
        self._contacts = ContactsService(
            parts.database,
            self.events.committed,
            whole.contacts,
            now_ms=parts.now_ms,
            random_bits=parts.random_bits,
        )
        self._groups = GroupsService(
            parts.database,
            self.events.committed,
            whole.groups,
            now_ms=parts.now_ms,
            random_bits=parts.random_bits,
        )
        self._prepared = trio.Event()
        """Set when the tables are there."""

    def reconfigured(self, whole: Settings) -> None:
        """Take over the keys that reload."""
        self._whole, self._settings = whole, whole.im
        self.mailboxes.reconfigured(whole.mailbox)
        self.push.reconfigured(whole)
        self._contacts.settings, self._groups.settings = whole.contacts, whole.groups

    def methods(self) -> Mapping[Method, Serve]:
        """Return what answers the methods of instant messaging."""
        return {
            Method.IM: ImHandler(self._handlers()).handle,
            **self.mailboxes.methods(),
            **self.push.methods(),
        }

    def collectors(self) -> Sequence[Collector]:
        """Return the collectors of its figures."""
        commits: dict[str, GroupCommit[Any, Any]] = {"sends": self.sends, "reads": self.reads}
        own = ImCollector(commits, self.events, self.sweeper, self.signals, self._parts.database)
        return [own, *self.mailboxes.collectors(), *self.push.collectors()]

    def status(self) -> dict[str, Any]:
        """Return what goes on now."""
        return {
            "waiting": self.sends.depth + self.reads.depth,
            "events": self.events.depth,
            "outbox_overdue": self.sweeper.overdue,
            "mailboxes": self.mailboxes.status(),
        }

    async def serve(self) -> None:
        """Bring the tables to their version, and do what requests wait for, until cancelled.

        Raises as `backends.database.versions.prepare`.
        """
        async with trio.open_nursery() as nursery:
            # Beside the others: while the database is away, they refuse what comes.
            nursery.start_soon(self._prepare)
            nursery.start_soon(self.mailboxes.serve)
            nursery.start_soon(self.events.run)
            nursery.start_soon(self.sends.run)
            nursery.start_soon(self.reads.run)

    async def run(self) -> None:
        """Do what nobody waits for, once the tables are there, until cancelled."""
        await self._prepared.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.sweeper.run)
            nursery.start_soon(self.mailboxes.run)
            nursery.start_soon(self.push.run)

    async def _prepare(self) -> None:
        await prepare(self._parts.database, may_migrate=self._whole.database.migrate)
        self._prepared.set()

    async def drained(self) -> None:
        """Give the bus what it does not have yet, for a while."""
        with trio.move_on_after(EMPTY_WITHIN_S):
            await self.events.drained()

    def _handlers(self) -> dict[type, Handle]:
        database, now_ms, committed = (
            self._parts.database,
            self._parts.now_ms,
            self.events.committed,
        )
        recall = RecallHandler(database, committed, lambda: self._settings.recall_s, now_ms)
        typing = TypingHandler(
            database, self.signals, lambda: self._settings.typing_members, now_ms
        )
        return {
            Send: SendHandler(self.sends, committed).handle,
            Recall: recall.handle,
            Read: ReadHandler(self.reads, self.signals, now_ms).handle,
            Typing: typing.handle,
            History: HistoryHandler(database).handle,
            **self._contacts.handlers(),
            **self._groups.handlers(),
            **sessions.handlers(database),
            **self.mailboxes.handlers(),
            **self.push.handlers(),
        }
