"""One blocking connection: sends a list of commands at once and reads their replies."""

from collections.abc import Callable, Sequence
from typing import Any

from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.connection import ConnectionInterface, ConnectionPool
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from backends.redis.scripts import Command, text_of
from backends.redis.settings import StoreSettings

# hiredis' own annotation says a tuple of one.
_pack_command: Callable[[Any], bytes] = pack_command

Reply = Any
"""`bytes`, `int`, `None`, a list of them, or the `ResponseError` of this one command."""


def pack(commands: Sequence[Command]) -> bytes:
    """Return `commands` as the store reads them; raises `TypeError` for what is no `Argument`."""
    return b"".join([_pack_command(tuple(command)) for command in commands])


class Pipeline:
    """A connection that is opened when it is first used, and again after a failure."""

    def __init__(self, connection: ConnectionInterface) -> None:
        self._connection: Any = connection

    @classmethod
    def to(cls, settings: StoreSettings) -> "Pipeline":
        """Return a pipeline to the store; raises `ValueError` for a URL that can't be read."""
        pool = ConnectionPool.from_url(
            settings.url,
            protocol=2,
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            # The lane tries again by itself: it knows how long its callers wait.
            retry=Retry(NoBackoff(), 0),
        )
        return cls(pool.make_connection())

    def run(self, commands: Sequence[Command], packed: bytes) -> tuple[list[Reply], str]:
        """Send `packed`, which is `pack(commands)`.

        Return the replies, in order, and "" or why there are fewer replies than commands.
        """
        replies: list[Reply] = []
        try:
            self._exchange(packed, len(commands), replies)
            self._teach(commands, replies)
        except (RedisError, OSError) as error:
            self._connection.disconnect()
            return replies, str(error) or type(error).__name__
        return replies, ""

    def close(self) -> None:
        """Close the connection; the next `run` opens it again."""
        self._connection.disconnect()

    def _exchange(self, packed: bytes, count: int, replies: list[Reply]) -> None:
        self._connection.connect()
        self._connection.send_packed_command([packed], check_health=False)
        while len(replies) < count:
            replies.append(self._read())

    def _read(self) -> Reply:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return error

    def _teach(self, commands: Sequence[Command], replies: list[Reply]) -> None:
        """Run the scripts that the store did not know, with their text this time."""
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if not unknown:
            return
        taught: list[Reply] = []
        first, replies[:] = list(replies), replies[: unknown[0]]
        packed = pack([_with_text(commands[i]) for i in unknown])
        self._exchange(packed, len(unknown), taught)
        for index, reply in zip(unknown, taught, strict=True):
            first[index] = reply
        replies[:] = first


def _with_text(command: Command) -> Command:
    text = text_of(command)
    return command if text is None else ("EVAL", text, *command[2:])
