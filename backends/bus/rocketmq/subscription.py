"""A subscription: the inbox over a native consumer."""

import itertools
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from backends.bus.counters import TopicCounters
from backends.bus.dead_letters import DeadLetter
from backends.bus.inbox import Inbox
from backends.bus.interface import Delivery
from backends.bus.rocketmq.consumer import Consumer, Handed
from backends.bus.rocketmq.in_order import QueueInOrder
from backends.bus.settings import BusSettings
from proto.topics import Topic

SHUT_DOWN_WITHIN_S = 10.0
FIRST_PATIENCE_S = 0.25
"""Native threads that wait for the interpreter were seen 30 ms late; a start costs this."""
PATIENCE_S = 2.0
"""A queue that comes back from another member stands still for this once. Less was seen to shuffle
where the machine was busy and a backlog filled all threads."""


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
        self._nursery = nursery
        self._queues = defaultdict[bytes, QueueInOrder[Handed]](
            partial(QueueInOrder, FIRST_PATIENCE_S, PATIENCE_S)
        )
        self._waiting = False
        self.read_to: dict[bytes, int] = {}

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
        elif handed.attempt > 1:  # came over the group's retry topic, which has its own order
            self._accept(handed)
        else:
            name, offset = handed.order
            queue = self._queues[name]
            for ready in queue.arrive(offset, handed, trio.current_time()):
                self._accept(ready)
            if not self._waiting and queue.due_at_s() is not None:
                self._waiting = True
                self._nursery.start_soon(self._accept_overdue)

    async def _accept_overdue(self) -> None:
        while due := [at for queue in self._queues.values() if (at := queue.due_at_s())]:
            await trio.sleep_until(min(due))
            for queue in self._queues.values():
                for handed in queue.wait_no_longer(trio.current_time()):
                    self._accept(handed)
        self._waiting = False

    def _accept(self, handed: Handed) -> None:
        if not self._open:
            handed.settle(done=False)
            return
        queue, offset = handed.order
        if handed.attempt == 1:
            self.read_to[queue] = max(offset + 1, self.read_to.get(queue, 0))
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
        held_back = [h for queue in self._queues.values() for h in queue.wait_no_longer(math.inf)]
        for handed in [*self._handed.values(), *held_back]:
            handed.settle(done=False)
        self._handed.clear()
        with trio.move_on_after(SHUT_DOWN_WITHIN_S, shield=True):
            await trio.to_thread.run_sync(self._consumer.shut_down, abandon_on_cancel=True)
