"""The calls of one subscription: again and again while Redis is away."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis
import structlog
import trio

from backends.bus.backoff import backoff_s
from backends.bus.settings import BusSettings

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

BLOCK_MS = 100
"""A read waits so long at the server, and closing waits so long for a read."""


class Calls:
    """Runs calls for one subscription.

    `failures` counts the calls that Redis did not answer; whoever sees it grow knows that
    an answer may be lost.
    """

    def __init__(self, settings: BusSettings, name: str) -> None:
        self.failures = 0
        self._settings = settings
        self._name = name

    async def once(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Run `call`; raises what it raises. A cancelled caller waits for its end: what a read
        was given must not be thrown away with the connection."""
        with trio.CancelScope(shield=True):
            result = await call()
        await trio.lowlevel.checkpoint_if_cancelled()
        return result

    async def until_done(
        self,
        call: Callable[[], Awaitable[Result]],
        heal: Callable[[], Awaitable[object]] | None = None,
    ) -> Result:
        """Run `call` until Redis answers, with backoff. `heal` runs when the group is gone."""
        attempt = 1
        while True:
            try:
                return await self.once(call)
            except (redis.RedisError, OSError) as error:
                self.failures += 1
                if heal is not None and str(error).startswith("NOGROUP"):
                    await heal()
                await self._back_off(attempt, error)
                attempt += 1

    async def _back_off(self, attempt: int, error: Exception) -> None:
        log.warning("bus_call_failed", subscription=self._name, attempt=attempt, problem=str(error))
        first_s, most_s = self._settings.backoff_first_s, self._settings.backoff_most_s
        await trio.sleep(backoff_s(attempt, first_s, most_s, random.random))
