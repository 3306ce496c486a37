"""A subscription: the inbox over a native consumer."""

import itertools
from collections.abc import Awaitable, Callable

import trio

from backends.bus.counters import TopicCounters
from backends.bus.dead_letters import DeadLetter
from backends.bus.inbox import Inbox
from backends.bus.interface import Delivery
from backends.bus.rocketmq.consumer import Consumer, Handed
from backends.bus.settings import BusSettings
from proto.packs import EMPTY_PACK
from proto.topics import Topic

SHUT_DOWN_WITHIN_S = 10.0


class RocketMQSubscription:
    """See `interface.Subscription`; also the broker's side of its inbox.

    `ask_lag` and `keep_letter` wait out a broker that is away.
    """

    def __init__(
        self,
        topic: Topic,
        group: str,
        consumer: Consumer,
        ask_lag: Callable[[], Awaitable[int]],
        keep_letter: Callable[[DeadLetter], Awaitable[None]],
        settings: BusSettings,
        counters: TopicCounters,
        nursery: trio.Nursery,
    ) -> None:
        self._consumer = consumer
        self._ask_lag = ask_lag
        self._keep_letter = keep_letter
        self._counters = counters
        self._inbox = Inbox[int](topic, group, settings, counters, self, nursery)
        self._handed: dict[int, Handed] = {}
        self._keys = itertools.count()
        self._open = True
        self.probed_queues: set[int] = set()

    async def receive(self) -> Delivery:
        """See `interface.Subscription.receive`."""
        return await self._inbox.receive()

    async def lag(self) -> int:
        """See `interface.Subscription.lag`: packs, as committed, which is up to 5 s late."""
        self._counters.lag = await self._ask_lag()
        return self._counters.lag

    def settle(self, key: int) -> None:
        """See `inbox.Settler.settle`."""
        self._handed.pop(key).settle(done=True)

    def count_attempt(self, key: int, attempt: int) -> None:
        """See `inbox.Settler.count_attempt`: the broker counts only what was given back."""

    async def bury(self, letter: DeadLetter) -> None:
        """See `inbox.Settler.bury`."""
        await self._keep_letter(letter)

    def arrive(self, handed: Handed) -> None:
        """Take a message from a native thread."""
        if not self._open:
            handed.settle(done=False)
            return
        if handed.body == EMPTY_PACK:
            self.probed_queues.add(handed.order[0])
        key = next(self._keys)
        self._handed[key] = handed
        self._inbox.put(key, handed.body, handed.attempt)

    def start(self, topic_name: str, token: trio.lowlevel.TrioToken) -> None:
        """Start the native consumer. Blocks: call it in a worker thread."""
        self._consumer.start(topic_name, self.arrive, token)

    async def leave(self) -> None:
        """Give everything unsettled back and end the consumer."""
        self._open = False
        self._consumer.refuse()
        self._inbox.abandon()
        for handed in self._handed.values():
            handed.settle(done=False)
        self._handed.clear()
        with trio.move_on_after(SHUT_DOWN_WITHIN_S, shield=True):
            await trio.to_thread.run_sync(self._consumer.shut_down, abandon_on_cancel=True)
