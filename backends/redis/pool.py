"""Connections for commands that may block at the server: one caller at a time on each."""

from collections.abc import Sequence

import trio
from redis.exceptions import ResponseError

from backends.redis.connection import Connection, Reply, pack
from backends.redis.scripts import Argument, Command

MOST_CONNECTIONS = 64
"""Beyond it callers wait. A subscription uses three at once, a publisher one for each topic."""


class Pool:
    """Opens connections as they are needed and keeps them for the next caller."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """As `Connection`; raises `ValueError` for a URL that can't be one."""
        self._url = url
        self._timeout_s = timeout_s
        self._places = trio.CapacityLimiter(MOST_CONNECTIONS)
        self._idle: list[Connection] = [Connection(url, timeout_s)]

    async def execute(self, *command: Argument) -> Reply:
        """Run one command; raises `redis.RedisError` or `OSError`."""
        return (await self.execute_many([command]))[0]

    async def execute_many(self, commands: Sequence[Command]) -> list[Reply]:
        """Run `commands` in one exchange; raises the first error among their replies."""
        replies: list[Reply] = []
        async with self._places:
            connection = self._idle.pop() if self._idle else Connection(self._url, self._timeout_s)
            try:
                await connection.exchange(pack(commands), len(commands), replies)
            finally:
                self._idle.append(connection)
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for connection in self._idle:
            connection.close()
