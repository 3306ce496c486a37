"""A client's side of TLS and of WebSocket frames, byte by byte."""

import ssl
import struct
from typing import Any

import pytest
import trio

from tests.access.edge.conftest import REQUEST


def masked(payload: bytes) -> bytes:
    assert len(payload) < 126
    return bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload


class ByHand:
    """A client's TLS over a TCP stream, whose bytes a test may cut and mix as it likes."""

    def __init__(self, stream: trio.SocketStream, trust: ssl.SSLContext) -> None:
        self.stream = stream
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = trust.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def hello(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def seal(self, *texts: bytes) -> bytes:
        for text in texts:
            self.tls.write(text)
        return self.outgoing.read()

    async def finish(self) -> None:
        """Go on with a handshake whose hello has been sent."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._read()
            else:
                return

    async def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                data += self.tls.read(size - len(data))
            except ssl.SSLWantReadError:
                await self._read()
        return data

    async def upgrade(self) -> None:
        await self.stream.send_all(self.seal(REQUEST))
        assert (await self.receive(12)) == b"HTTP/1.1 101"
        while await self.receive(1) != b"\n" or self.tls.pending():
            pass

    async def _read(self) -> None:
        data = await self.stream.receive_some()
        assert data, "the edge hung up"
        self.incoming.write(data)


async def one_frame(stream: Any) -> bytes:
    head = await exactly(stream, 2)
    length = head[1]
    if length == 126:
        (length,) = struct.unpack("!H", await exactly(stream, 2))
    return await exactly(stream, length)


async def exactly(stream: Any, size: int) -> bytes:
    data = b""
    with trio.fail_after(5):
        while len(data) < size:
            data += await stream.receive_some(size - len(data))
    return data
