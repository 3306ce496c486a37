"""Compression on real sockets: a client library that offers it, beside one that doesn't."""

from typing import Any

import pytest
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Message, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

from access.edge.interface import Batch
from proto.priorities import Priority
from tests.access.edge.client_frames import deflated, frame
from tests.access.edge.conftest import SUBPROTOCOL

NORMAL = Priority.NORMAL
CHAT = b'[{"push":"chat","text":"hello"},{"push":"chat","text":"hello again"}]' * 20


class DeflatingClient:
    """wsproto over a TCP connection, with its own permessage-deflate."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.extension = PerMessageDeflate()
        self.bytes_in = 0
        self._wsproto = WSConnection(ConnectionType.CLIENT)

    async def shake_hands(self) -> None:
        protocols, extensions = [SUBPROTOCOL], [self.extension]
        await self.send(Request("x", "/v1", subprotocols=protocols, extensions=extensions))
        assert isinstance(await self.event(), AcceptConnection)
        self.bytes_in = 0

    async def send(self, event: Event) -> None:
        await self.stream.send_all(self._wsproto.send(event))

    async def event(self) -> Event:
        with trio.fail_after(5):
            while True:
                for event in self._wsproto.events():
                    return event
                data = await self.stream.receive_some()
                self.bytes_in += len(data)
                self._wsproto.receive_data(data)

    async def text(self) -> str:
        text, finished = "", False
        while not finished:
            event = await self.event()
            assert isinstance(event, TextMessage)
            text, finished = text + event.data, event.message_finished
        return text


async def deflating(edge: Any) -> DeflatingClient:
    client = DeflatingClient(await edge.raw())
    await client.shake_hands()
    return client


async def test_a_round_reaches_both_kinds_of_clients_and_takes_fewer_bytes(run_edge: Any) -> None:
    async with run_edge() as edge:
        audience = edge.server.audience()
        edge.recorder.on_opened = audience.add
        async with edge.client() as plain:
            client = await deflating(edge)
            assert client.extension.enabled()
            done = trio.Event()
            edge.server.broadcast(audience, Batch(CHAT, NORMAL, "r", "e", 1, 40, done.set))
            assert await plain.get_message() == await client.text() == CHAT.decode()
            await done.wait()
        assert client.bytes_in < len(CHAT) / 5
        assert edge.server.counters.deliveries[NORMAL] == 80
        assert edge.server.counters.opened_deflating == 1


async def test_what_a_client_compresses_is_read_and_its_reply_is_plain(run_edge: Any) -> None:
    async with run_edge() as edge:
        edge.recorder.on_text = lambda connection, text: connection.send(text, NORMAL)
        client = await deflating(edge)
        for _ in range(2):  # the second shows that neither side kept its window
            await client.send(Message(data=CHAT.decode()))
            assert await client.text() == CHAT.decode()
        assert edge.recorder.texts == [CHAT, CHAT]
        assert client.bytes_in > 2 * len(CHAT)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(deflated(bytes(1 << 20)), 0xC1), 1009),
        (frame(b"\xff\xff", 0xC1), 1007),
        (frame(b"x", 0xA1), 1002),
        (frame(b"x", 0x82), 1003),
    ],
)
async def test_a_bad_compressed_message_closes_with_its_code(
    run_edge: Any, data: bytes, code: int
) -> None:
    async with run_edge() as edge:
        client = await deflating(edge)
        await client.stream.send_all(data)
        event = await client.event()
        assert isinstance(event, CloseConnection)
        assert event.code == code
        await client.stream.aclose()
        await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: code})


async def test_compressing_without_having_agreed_is_against_the_rules(run_edge: Any) -> None:
    async with run_edge(compression=False) as edge:
        client = await deflating(edge)
        assert not client.extension.enabled()
        await client.stream.send_all(frame(deflated(b"[1]"), 0xC1))
        event = await client.event()
        assert isinstance(event, CloseConnection)
        assert event.code == 1002


async def test_a_slow_client_gets_its_compressed_rounds_in_order(run_edge: Any) -> None:
    async with run_edge(max_queued_bytes=4 << 20) as edge:
        audience = edge.server.audience()
        edge.recorder.on_opened = audience.add
        client = DeflatingClient(await edge.raw(receive_bytes=32768))
        await client.shake_hands()
        texts = [f"[{n},{','.join(str(n * i * 7919) for i in range(9000))}]" for n in range(1, 61)]
        for number, text in enumerate(texts, 1):
            done = trio.Event()
            round_ = Batch(text.encode(), NORMAL, "r", "e", number, number, done.set)
            edge.server.broadcast(audience, round_)
            await done.wait()
        assert edge.server.counters.stalls > 0
        assert [await client.text() for _ in texts] == texts
