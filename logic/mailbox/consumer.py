"""Takes events from the bus and diffuses their conversations; tells the access nodes.

Events only wake. What is new, and in which order, the database says: so an event that comes twice,
late or not at all changes nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import structlog
import trio

from backends.bus.interface import Bus, BusUnavailableError, Delivery, Subscription
from backends.database import poison
from backends.database.database import Database
from backends.errors import StoreRefusedError, StoreUnavailableError
from logic.mailbox.bounds import Bounds
from logic.mailbox.counters import MailboxCounters
from logic.mailbox.diffusion import Diffused, diffuse
from logic.mailbox.records import records
from logic.mailbox.settings import MailboxSettings
from logic.mailbox.waiting import Waiting
from logic.outgoing import Outgoing
from proto.conversations import is_conversation
from proto.priorities import Priority
from proto.records import RecordHeader
from proto.topics import Topic

GROUP = "mailboxes"
MESSAGES_EACH = 100
"""Of one conversation in a transaction: its messages are read with their bodies."""
MESSAGES = 500
RETRY_S = 0.5
PAUSE_S = 0.01
MAX_TRACES = 20_000
log = structlog.get_logger()

Traces = dict[tuple[str, int], str]


class BrokenError(Exception):
    """A transaction broke by what it had to do; the text says how."""


class Notice(Protocol):
    """Whoever wants to know what was diffused: quick, and never waits."""

    def __call__(self, diffused: Diffused) -> None:
        """Take what was just committed."""


class MailboxConsumer:
    """Consumes `CONVERSATIONS`: some conversations in each transaction, by `workers` at once.

    While the database is away it waits with what it has, and the bus holds the rest. What breaks
    a transaction is found by doing each conversation alone, and message by message; the message
    that breaks it `settings.attempts` times is passed over.
    """

    def __init__(
        self,
        bus: Bus,
        database: Database,
        outgoing: Outgoing,
        settings: MailboxSettings,
        *,
        now_ms: Callable[[], int],
        counters: MailboxCounters,
        told: Sequence[Notice] = (),
        workers: int = 1,
    ) -> None:
        self._bus = bus
        self._database = database
        self._outgoing = outgoing
        self._settings = settings
        self._now_ms = now_ms
        self._counters = counters
        self._told = told
        self._workers = workers
        self._waiting: Waiting[Delivery] = Waiting()
        self._traces: Traces = {}
        self._wake = trio.Event()
        self._bounds = Bounds(MESSAGES_EACH, MESSAGES, settings.rows)

    @property
    def waiting(self) -> int:
        """How many conversations have events that are not done."""
        return len(self._waiting)

    async def run(self) -> None:
        """Consume until cancelled; what was not settled comes again, elsewhere."""
        async with (
            self._bus.subscribe(Topic.CONVERSATIONS, GROUP) as subscription,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._receive, subscription)
            for _ in range(self._workers):
                nursery.start_soon(self._work, nursery)

    async def _receive(self, subscription: Subscription) -> None:
        """Take events; the bus gives no more while `bus.in_flight` deliveries are not done."""
        while True:
            delivery = await subscription.receive()
            headers = [record.header for record in delivery.records]
            if not all(map(_is_event, headers)):
                self._counters.buried += 1
                await self._settle(partial(delivery.bury, "a record is no event"))
            elif headers:
                self._waiting.add(delivery, [(each.room, each.seq) for each in headers])
                self._note_traces(headers)
                self._wake.set()
            else:
                await self._settle(delivery.ack)

    def _note_traces(self, headers: Sequence[RecordHeader]) -> None:
        if len(self._traces) > MAX_TRACES:
            self._traces.clear()
        self._traces.update(((each.room, each.seq), each.trace) for each in headers if each.trace)

    async def _work(self, nursery: trio.Nursery) -> None:
        behind = False
        while True:
            await self._wake.wait()
            if not behind and self._waiting.ready < self._settings.conversations:
                await trio.sleep(self._settings.gather_s)
            convs = self._waiting.take(self._settings.conversations)
            if not self._waiting.ready:
                self._wake = trio.Event()
            if convs:
                await self._room_for_records()
                behind = await self._diffuse(convs, nursery)

    async def _room_for_records(self) -> None:
        while self._outgoing.depth(Priority.NORMAL) > self._settings.records_waiting:
            await trio.sleep(PAUSE_S)

    async def _diffuse(self, convs: list[str], nursery: trio.Nursery) -> bool:
        """Diffuse `convs`; returns whether more of them is known to be left."""
        try:
            diffused = await self._transact(convs, self._bounds)
            await self._done(diffused)
            return bool(diffused.unfinished)
        except StoreUnavailableError:
            # The database has warned.
            self._again(convs)
            await trio.sleep(RETRY_S)
        except BrokenError as error:
            self._counters.failures += 1
            log.warning("diffusion_failed", conversations=len(convs), reason=str(error))
            for conv in convs:
                await self._alone(conv, nursery)
        return False

    async def _transact(self, convs: Sequence[str], bounds: Bounds) -> Diffused:
        """Diffuse in one transaction. Raises `StoreUnavailableError` where it may be tried again as
        it is, `BrokenError` where some message is in the way."""
        due_ms = self._now_ms() + round(self._settings.notify_after_s * 1000)
        try:
            return await self._database.write(
                lambda connection: diffuse(connection, convs, bounds, due_ms)
            )
        except StoreRefusedError as error:
            raise BrokenError(_said(error)) from error
        except StoreUnavailableError:
            raise
        except Exception as error:
            raise BrokenError(_said(error)) from error

    async def _alone(self, conv: str, nursery: trio.Nursery) -> None:
        """Diffuse `conv` message by message up to the one that breaks, which is counted."""
        one = self._bounds._replace(each=1)
        try:
            for _ in range(MESSAGES_EACH):
                diffused = await self._transact([conv], one)
                self._tell(diffused)
                if conv not in diffused.unfinished:
                    break
        except StoreUnavailableError:
            nursery.start_soon(self._rest, conv)
        except BrokenError as error:
            await self._count_failure(conv, str(error))
            nursery.start_soon(self._rest, conv)
        else:
            await self._settle_all(diffused)

    async def _rest(self, conv: str) -> None:
        """Leave a conversation alone for a while; the others go on."""
        await trio.sleep(RETRY_S)
        self._again([conv])

    def _again(self, convs: list[str]) -> None:
        self._waiting.again(convs)
        self._wake.set()

    async def _count_failure(self, conv: str, reason: str) -> None:
        self._counters.failures += 1
        try:
            failures = await self._database.write(
                lambda connection: poison.count_failure(connection, conv)
            )
            log.warning("diffusion_failed", conv=conv, attempt=failures, reason=reason)
            if failures >= self._settings.attempts:
                await self._pass_over(conv, reason)
        except StoreUnavailableError as away:
            log.debug("failure_not_counted", conv=conv, reason=str(away))

    async def _pass_over(self, conv: str, reason: str) -> None:
        now_ms = self._now_ms()
        seq = await self._database.write(
            lambda connection: poison.pass_over(connection, conv, reason, now_ms)
        )
        self._counters.passed_over += seq is not None
        log.error("message_passed_over", conv=conv, seq=seq, reason=reason)

    async def _done(self, diffused: Diffused) -> None:
        self._tell(diffused)
        await self._settle_all(diffused)

    def _tell(self, diffused: Diffused) -> None:
        for record in records(diffused, self._traces):
            self._outgoing.put(Priority.NORMAL, record)
        self._count(diffused)
        for told in self._told:
            told(diffused)

    def _count(self, diffused: Diffused) -> None:
        counters, now_ms = self._counters, self._now_ms()
        messages = [each.message for each in diffused.posted]
        messages += [each.message for each in diffused.streamed]
        counters.batches += bool(messages)
        counters.messages += len(messages)
        counters.streamed += len(diffused.streamed)
        counters.rows += sum(len(each.numbers) for each in diffused.posted)
        counters.switches += diffused.switches
        for message in messages:
            counters.latency.observe(max(0, now_ms - message.ts_ms) / 1000)
            self._traces.pop((message.conv, message.seq), None)
        counters.lag_ms = max((now_ms - each.ts_ms for each in messages), default=0)

    async def _settle_all(self, diffused: Diffused) -> None:
        for conv, seq in diffused.reached.items():
            finished = conv not in diffused.unfinished
            for delivery in self._waiting.reached(conv, seq, finished):
                await self._settle(delivery.ack)
        if self._waiting.ready:
            self._wake.set()

    async def _settle(self, how: Callable[[], Awaitable[None]]) -> None:
        try:
            await how()
        except BusUnavailableError as error:
            # It comes again, and there is nothing left to do for it.
            log.debug("event_not_settled", reason=str(error))


def _is_event(header: RecordHeader) -> bool:
    return header.kind == "conversation" and is_conversation(header.room) and header.seq >= 0


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
