"""Commands that go together over one connection, scripts taught to a store that lacks them."""

from collections.abc import Sequence

from redis.exceptions import NoScriptError, RedisError

from backends.redis.connection import Connection, Exchange, Reply, pack
from backends.redis.scripts import Command, text_of
from backends.redis.settings import StoreSettings


class Pipeline:
    """Sends a list of commands at once and reads their replies."""

    def __init__(self, connection: Exchange) -> None:
        self._connection = connection

    @classmethod
    def to(cls, settings: StoreSettings) -> "Pipeline":
        """Return a pipeline to the store; raises `ValueError` for a URL that can't be read."""
        return cls(Connection(settings.url, settings.timeout_s))

    async def run(self, commands: Sequence[Command], packed: bytes) -> tuple[list[Reply], str]:
        """Send `packed`, which is `pack(commands)`.

        Return the replies, in order, and "" or why there are fewer replies than commands.
        """
        replies: list[Reply] = []
        try:
            await self._connection.exchange(packed, len(commands), replies)
            await self._teach(commands, replies)
        except (RedisError, OSError) as error:
            self._connection.close()
            return replies, str(error) or type(error).__name__
        return replies, ""

    def close(self) -> None:
        """Close the connection; the next `run` opens it again."""
        self._connection.close()

    async def _teach(self, commands: Sequence[Command], replies: list[Reply]) -> None:
        """Run the scripts that the store did not know, with their text this time."""
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if not unknown:
            return
        taught: list[Reply] = []
        first, replies[:] = list(replies), replies[: unknown[0]]
        packed = pack([_with_text(commands[i]) for i in unknown])
        await self._connection.exchange(packed, len(unknown), taught)
        for index, reply in zip(unknown, taught, strict=True):
            first[index] = reply
        replies[:] = first


def _with_text(command: Command) -> Command:
    text = text_of(command)
    return command if text is None else ("EVAL", text, *command[2:])
