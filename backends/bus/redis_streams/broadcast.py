"""A consumer of everything: no group, only a cursor of its own, which outlives reconnects."""

from functools import partial

import trio

from backends.bus.counters import TopicCounters
from backends.bus.dead_letters import DeadLetter
from backends.bus.inbox import Inbox
from backends.bus.interface import Delivery
from backends.bus.redis_streams.calls import BLOCK_MS, Calls
from backends.bus.redis_streams.stream import TRIM_EVERY_S, Stream
from backends.bus.settings import BusSettings
from proto.topics import Topic


class BroadcastSubscription:
    """See `interface.Subscription`; also the broker's side of its inbox.

    A crash forgets what was not settled: who comes back starts with what is published then.
    """

    def __init__(
        self,
        topic: Topic,
        name: str,
        streams: tuple[Stream, Stream],
        settings: BusSettings,
        counters: TopicCounters,
        nursery: trio.Nursery,
    ) -> None:
        self._stream, self._dead = streams
        self._retention_s = settings.retention_s
        self._counters = counters
        self._calls = Calls(settings, f"{topic}/{name}")
        self._inbox = Inbox[str](topic, name, settings, counters, self, nursery)
        self._cursor = "0-0"
        self._scope = trio.CancelScope()

    async def receive(self) -> Delivery:
        """See `interface.Subscription.receive`."""
        return await self._inbox.receive()

    async def lag(self) -> int:
        """See `interface.Subscription.lag`: packs, counted up to 100,000."""
        cursor = self._cursor
        self._counters.lag = await self._calls.until_done(lambda: self._stream.count_after(cursor))
        return self._counters.lag

    def settle(self, key: str) -> None:
        """See `inbox.Settler.settle`: the cursor has passed it already."""

    def count_attempt(self, key: str, attempt: int) -> None:
        """See `inbox.Settler.count_attempt`: nobody takes over from this consumer."""

    async def bury(self, letter: DeadLetter) -> None:
        """See `inbox.Settler.bury`."""
        await self._calls.until_done(lambda: self._dead.append_dead_letter(letter.encode()))

    async def join(self) -> None:
        """Start behind what the stream has now."""
        self._cursor = await self._calls.until_done(self._stream.last_id)

    async def run(self) -> None:
        """Read until `leave`."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._trim)
                while True:
                    free = await self._inbox.wait_for_space()
                    for entry_id, body in await self._read(free):
                        self._inbox.put(entry_id, body, 1)
                        self._cursor = entry_id

    def leave(self) -> None:
        """Stop."""
        self._scope.cancel()
        self._inbox.abandon()

    async def _trim(self) -> None:
        """Where all consume like this, no group's member is there to do it."""
        while True:
            await trio.sleep(TRIM_EVERY_S)
            await self._calls.until_done(partial(self._stream.trim, self._retention_s))

    async def _read(self, free: int) -> list[tuple[str, bytes]]:
        cursor = self._cursor
        return await self._calls.until_done(lambda: self._stream.read_after(cursor, free, BLOCK_MS))
