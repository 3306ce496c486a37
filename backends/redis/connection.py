"""One connection to Redis under trio: hiredis reads the protocol, trio does the waiting.

redis-py can't run under trio, and in worker threads each command pays for a hop there and back, ten
times what the command itself costs. What is independent of waiting is redis-py's all the same: how
a URL is read, and which error an answer is.
"""

from collections.abc import Callable, Sequence
from ssl import create_default_context
from typing import Any, Protocol

import hiredis
import trio
from redis._parsers import BaseParser
from redis.connection import SSLConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from backends.redis.scripts import Argument, Command

RECEIVE_BYTES = 1 << 16

Reply = Any
"""`bytes`, `int`, `None`, a list of them, or the `ResponseError` of this one command."""

_parse_url: Callable[[str], Any] = parse_url
# hiredis' own annotation says a tuple of one.
_pack_command: Callable[[Any], bytes] = hiredis.pack_command


def pack(commands: Sequence[Command]) -> bytes:
    """Return `commands` as Redis reads them; raises `TypeError` for what is no `Argument`."""
    return b"".join([_pack_command(tuple(command)) for command in commands])


class Exchange(Protocol):
    """Something that commands can be sent over; a `Connection`, or a test's."""

    async def exchange(self, packed: bytes, count: int, replies: list[Reply]) -> None:
        """Send `packed` commands and append their `count` replies to `replies`.

        Raises `redis.RedisError` or `OSError` when the connection broke before all had come; those
        that had are in `replies`.
        """

    def close(self) -> None:
        """Close the connection; the next exchange opens it again."""


class Connection:
    """An `Exchange` that is opened when it is first used, and again after a failure."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """`url` is redis://, rediss:// or unix://, as redis-py takes it; raises `ValueError` for
        any other. `timeout_s` bounds connecting, and each wait for a reply."""
        self._address: dict[str, Any] = dict(_parse_url(url))
        self._timeout_s = timeout_s
        self._stream: trio.abc.Stream | None = None
        self._transport: trio.SocketStream | None = None
        self._reader = _reader()

    async def exchange(self, packed: bytes, count: int, replies: list[Reply]) -> None:
        """See `Exchange`."""
        try:
            with trio.fail_after(self._timeout_s):
                stream = self._stream or await self._open()
                await stream.send_all(packed)
            await self._receive(stream, count, replies)
        except trio.TooSlowError:
            self.close()
            raise RedisTimeoutError(f"no answer within {self._timeout_s:g} s") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.close()
            raise RedisConnectionError(f"the connection broke: {error}") from None
        except BaseException:
            # Half an exchange must not be taken for the beginning of the next.
            self.close()
            raise

    def close(self) -> None:
        """See `Exchange`."""
        self._stream = None
        if self._transport is not None:
            self._transport.socket.close()

    async def _receive(self, stream: trio.abc.Stream, count: int, replies: list[Reply]) -> None:
        wanted = len(replies) + count
        while len(replies) < wanted:
            reply = self._reader.gets()
            if isinstance(reply, RedisConnectionError):
                # The server that is asked is not ready (it loads its data, it wants a password):
                # this is no answer to the command.
                raise reply
            if reply is not False:
                replies.append(reply)
                continue
            with trio.fail_after(self._timeout_s):
                data = await stream.receive_some(RECEIVE_BYTES)
            if not data:
                raise trio.BrokenResourceError("the server closed it")
            self._reader.feed(bytes(data))

    async def _open(self) -> trio.abc.Stream:
        self._reader = _reader()
        host = self._address.get("host", "localhost")
        self._transport = await self._connect(host)
        stream: trio.abc.Stream = self._transport
        if issubclass(self._address.get("connection_class", object), SSLConnection):
            stream = trio.SSLStream(stream, create_default_context(), server_hostname=host)
        await self._introduce(stream)
        self._stream = stream
        return stream

    async def _connect(self, host: str) -> trio.SocketStream:
        if path := self._address.get("path"):
            return await trio.open_unix_socket(path)
        return await trio.open_tcp_stream(host, self._address.get("port", 6379))

    async def _introduce(self, stream: trio.abc.Stream) -> None:
        """Authenticate and select the database; raises what the server says against it."""
        commands: list[list[Argument]] = []
        if password := self._address.get("password"):
            username = self._address.get("username")
            commands.append(["AUTH", *([username] if username else []), password])
        if db := self._address.get("db"):
            commands.append(["SELECT", db])
        if commands:
            await stream.send_all(pack(commands))
            replies: list[Reply] = []
            await self._receive(stream, len(commands), replies)
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply


def _reader() -> hiredis.Reader:
    return hiredis.Reader(protocolError=RedisConnectionError, replyError=BaseParser.parse_error)
