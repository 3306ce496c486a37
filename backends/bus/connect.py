"""The one way to a bus: `async with open_bus(settings) as bus`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import trio

from backends.bus.memory import MemoryBroker, MemoryBus
from backends.bus.redis_streams.bus import RedisBus
from backends.bus.redis_streams.stream import connect
from backends.bus.rocketmq.bus import RocketMQBus, open_rocketmq
from backends.bus.rocketmq.loader import load_client
from backends.bus.settings import BusSettings

AnyBus = MemoryBus | RedisBus | RocketMQBus


@asynccontextmanager
async def open_bus(
    settings: BusSettings, memory: MemoryBroker | None = None
) -> AsyncIterator[AnyBus]:
    """Open the bus that `settings` names, and close it in the end.

    Does not wait for the broker: publishing and subscribing do. `memory` is the broker of the kind
    `memory`; without it the bus has one of its own. Raises `ValueError` for a URL that can't be
    one, `RocketMQClientMissingError` where that client is not installed.
    """
    if settings.kind == "redis":
        with closing(connect(settings.url)) as pool:
            async with trio.open_nursery() as nursery:
                yield RedisBus(settings, pool, nursery)
                nursery.cancel_scope.cancel()
    elif settings.kind == "rocketmq":
        client = load_client()
        async with trio.open_nursery() as nursery, open_rocketmq(settings, client, nursery) as bus:
            yield bus
    else:
        async with trio.open_nursery() as nursery:
            yield MemoryBus(settings, memory or MemoryBroker(), nursery)
            nursery.cancel_scope.cancel()
