"""A member of a group: reads, claims from dead members, acknowledges in batches."""

from functools import partial

import trio

from backends.bus.counters import TopicCounters
from backends.bus.dead_letters import DeadLetter
from backends.bus.inbox import Inbox
from backends.bus.interface import Delivery
from backends.bus.redis_streams.calls import BLOCK_MS, Calls
from backends.bus.redis_streams.stream import TRIM_EVERY_S, Group, Stream
from backends.bus.settings import BusSettings
from proto.topics import Topic

LEAVE_WITHIN_S = 2.0
REPORTS_PER_CLAIM = 3


class GroupSubscription:
    """See `interface.Subscription`; also the broker's side of its inbox.

    Four tasks: one reads and claims, one acknowledges what was settled, one tells the server that
    this member lives, one trims the stream.
    """

    def __init__(
        self,
        topic: Topic,
        group: Group,
        dead: Stream,
        settings: BusSettings,
        counters: TopicCounters,
        nursery: trio.Nursery,
    ) -> None:
        self._group = group
        self._dead = dead
        self._settings = settings
        self._counters = counters
        self._calls = Calls(settings, f"{topic}/{group.name}")
        self._inbox = Inbox[str](topic, group.name, settings, counters, self, nursery)
        self._settled: set[str] = set()
        self._attempts: dict[str, int] = {}
        self._news = trio.Event()
        self._failures_seen = 0
        self._next_claim = trio.current_time()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def receive(self) -> Delivery:
        """See `interface.Subscription.receive`."""
        return await self._inbox.receive()

    async def lag(self) -> int:
        """See `interface.Subscription.lag`: packs."""
        self._counters.lag = await self._calls.until_done(self._group.lag)
        return self._counters.lag

    def settle(self, key: str) -> None:
        """See `inbox.Settler.settle`."""
        self._settled.add(key)
        self._news.set()

    def count_attempt(self, key: str, attempt: int) -> None:
        """See `inbox.Settler.count_attempt`."""
        self._attempts[key] = attempt
        self._news.set()

    async def bury(self, letter: DeadLetter) -> None:
        """See `inbox.Settler.bury`."""
        await self._calls.until_done(lambda: self._dead.append_dead_letter(letter.encode()))

    async def join(self) -> None:
        """Make the group where it is new."""
        await self._calls.until_done(lambda: self._group.create("$"))

    async def run(self) -> None:
        """Work until `leave`."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for task in (self._read, self._acknowledge, self._report, self._trim):
                        nursery.start_soon(task)
        finally:
            self._ended.set()

    async def leave(self) -> None:
        """Stop, and let others have at once what was not settled."""
        self._scope.cancel()
        with trio.move_on_after(LEAVE_WITHIN_S, shield=True):
            await self._ended.wait()
            if self._settled:
                await self._acknowledge_once()
            unsettled = self._inbox.abandon()
            await self._calls.until_done(lambda: self._group.leave(unsettled))

    async def _read(self) -> None:
        while True:
            free = await self._inbox.wait_for_space()
            for entry_id, body, attempt in await self._next(free):
                self._inbox.put(entry_id, body, attempt)

    async def _next(self, free: int) -> list[tuple[str, bytes, int]]:
        if self._failures_seen != self._calls.failures:
            self._failures_seen = self._calls.failures
            pending = await self._calls.until_done(self._group.read_pending, self._recreate)
            return [(i, body, 1) for i, body in pending if not self._knows(i)][:free]
        if trio.current_time() >= self._next_claim:
            self._next_claim = trio.current_time() + self._settings.claim_after_s / 2
            idle_ms = int(self._settings.claim_after_s * 1000)
            claimed = await self._calls.until_done(
                lambda: self._group.claim(idle_ms, free), self._recreate
            )
            if claimed := [entry for entry in claimed if not self._knows(entry[0])]:
                return claimed
        entries = await self._calls.until_done(
            lambda: self._group.read(free, BLOCK_MS), self._recreate
        )
        return [(entry_id, body, 1) for entry_id, body in entries]

    def _knows(self, entry_id: str) -> bool:
        return entry_id in self._inbox.held or entry_id in self._settled

    async def _recreate(self) -> None:
        """The server lost its data: whatever it has now came after that."""
        await self._calls.until_done(lambda: self._group.create("0"))

    async def _acknowledge(self) -> None:
        while True:
            await self._news.wait()
            self._news = trio.Event()
            if self._attempts:
                attempts, self._attempts = self._attempts, {}
                await self._calls.until_done(partial(self._group.set_attempts, attempts))
            if self._settled:
                await self._acknowledge_once()

    async def _acknowledge_once(self) -> None:
        settled = list(self._settled)
        await self._calls.until_done(lambda: self._group.acknowledge(settled))
        self._settled.difference_update(settled)

    async def _report(self) -> None:
        while True:
            await trio.sleep(self._settings.claim_after_s / REPORTS_PER_CLAIM)
            if held := list(self._inbox.held):
                await self._calls.until_done(lambda: self._group.keep(held), self._recreate)

    async def _trim(self) -> None:
        trim = partial(self._group.stream.trim, self._settings.retention_s)
        while True:
            await trio.sleep(TRIM_EVERY_S)
            await self._calls.until_done(trim)
