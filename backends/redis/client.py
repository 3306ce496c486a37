"""The store as the rest of the code sees it: commands in, replies out, failures as one error."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from zlib import crc32

import structlog
import trio
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)

from backends.errors import StoreRefusedError, StoreUnavailableError
from backends.redis.connection import Reply
from backends.redis.lane import Counters, Lane
from backends.redis.pipeline import Pipeline
from backends.redis.scripts import Command
from backends.redis.settings import StoreSettings

_PASSING = (ClusterDownError, MasterDownError, OutOfMemoryError, ReadOnlyError, TryAgainError)
log = structlog.get_logger()


class RedisClient:
    """A few lanes to one store; all that is said about one `key` goes down the same, in order.

    Every command given here must be safe to repeat: a lost answer means that it is sent again.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self.counters = Counters()
        self._lanes = [
            Lane(Pipeline.to(settings), settings, self.counters)
            for _ in range(settings.connections)
        ]

    @property
    def depth(self) -> int:
        """How many commands wait for a pipeline."""
        return sum(lane.depth for lane in self._lanes)

    async def call(self, key: str, command: Command) -> Reply:
        """Run one command and return its reply; raises `StoreUnavailableError`."""
        return (await self.call_many(key, [command]))[0]

    async def call_many(self, key: str, commands: Sequence[Command]) -> list[Reply]:
        """Run `commands` in one pipeline; a reply each.

        Raises `StoreUnavailableError`, also when the store refuses one of them: the others are
        done all the same.
        """
        if not commands:
            return []
        return _accepted(await self._lane_of(key).submit(commands))

    async def call_spread(self, commands: Sequence[Command]) -> list[Reply]:
        """Run many commands that need no order among them, over all lanes; a reply each."""
        size = self._settings.pipeline_commands
        chunks = [commands[start : start + size] for start in range(0, len(commands), size)]
        if len(chunks) == 1:
            return await self.call_many(str(commands[0][1]), chunks[0])
        parts: list[list[Reply]] = [[] for _ in chunks]
        reasons: list[str] = []
        try:
            await self._run_chunks(chunks, parts)
        except* StoreUnavailableError as errors:
            # Not raised from here: before Python 3.11.4 it would come in a group of its own.
            reasons += map(str, errors.exceptions)
        if reasons:
            raise StoreUnavailableError(reasons[0])
        return [reply for part in parts for reply in part]

    async def _run_chunks(
        self, chunks: Sequence[Sequence[Command]], parts: list[list[Reply]]
    ) -> None:
        async def run(index: int) -> None:
            lane = self._lanes[index % len(self._lanes)]
            parts[index] = _accepted(await lane.submit(chunks[index]))

        async with trio.open_nursery() as nursery:
            for index in range(len(chunks)):
                nursery.start_soon(run, index)

    async def run(self) -> None:
        """Run the lanes until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                for lane in self._lanes:
                    nursery.start_soon(lane.run)
        finally:
            for lane in self._lanes:
                lane.close()

    def _lane_of(self, key: str) -> Lane:
        return self._lanes[crc32(key.encode()) % len(self._lanes)]


def _accepted(replies: list[Reply]) -> list[Reply]:
    for reply in replies:
        if isinstance(reply, ResponseError):
            log.error("store_refused", reason=str(reply))
            raise _error_for(reply)
    return replies


def _error_for(reply: ResponseError) -> StoreUnavailableError:
    """Tell a store that can do nothing at the moment from a command that is wrong."""
    text = str(reply)
    if isinstance(reply, _PASSING) or text.startswith("MISCONF"):
        return StoreUnavailableError(text)
    return StoreRefusedError(text)


@asynccontextmanager
async def open_redis(settings: StoreSettings) -> AsyncIterator[RedisClient]:
    """Give a client that works until the block ends; a store that is away is no error here."""
    client = RedisClient(settings)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        yield client
        nursery.cancel_scope.cancel()
