"""What the session layer relies on, of the edge on sockets and of its twin in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from access.edge.interface import Batch, Connection
from access.edge.memory import MemoryEdge
from proto.priorities import Priority

URGENT, NORMAL, BULK = Priority
TEXT = b'["hi"]'


class Noted:
    """A session layer that keeps the order of what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.connection: Connection | None = None

    def opened(self, connection: Connection) -> None:
        self.connection = connection
        self.told.append(("opened", connection.id))

    def received(self, connection: Connection, text: bytes) -> None:
        self.told.append(("received", text))
        if text == b"close":
            connection.close(4001, "asked to")
            self.told.append(("close called", connection.id))

    def closed(self, connection: Connection, code: int) -> None:
        self.told.append(("closed", code))


class Subject:
    """An edge with one client on it: how to send as the client, hang up, and read."""

    def __init__(
        self,
        edge: Any,
        noted: Noted,
        send: Callable[[bytes], Awaitable[None]],
        hang_up: Callable[[], Awaitable[None]],
        read: Callable[[], Awaitable[bytes]],
    ) -> None:
        self.edge = edge
        self.noted = noted
        self.send = send
        self.hang_up = hang_up
        self.read = read


@asynccontextmanager
async def in_memory(run_edge: Any) -> AsyncIterator[Subject]:
    noted = Noted()
    edge = MemoryEdge(noted)
    client = edge.connect()

    async def send(text: bytes) -> None:
        edge.receive(client, text)

    async def hang_up() -> None:
        edge.hang_up(client)

    async def read() -> bytes:
        edge.settle()
        return client.sent.pop(0)[1]

    yield Subject(edge, noted, send, hang_up, read)


@asynccontextmanager
async def on_sockets(run_edge: Any) -> AsyncIterator[Subject]:
    noted = Noted()
    async with run_edge() as running:
        recorder = running.recorder
        recorder.on_opened, recorder.on_text = noted.opened, noted.received
        stream = await running.upgraded()

        async def send(text: bytes) -> None:
            await stream.send_all(bytes((0x81, 0x80 | len(text))) + bytes(4) + text)
            await recorder.until(lambda: text in recorder.texts)
            if text == b"close":
                await stream.aclose()
                await told_of_the_end()

        async def hang_up() -> None:
            await stream.aclose()
            await told_of_the_end()

        async def told_of_the_end() -> None:
            await recorder.until(lambda: 1 in recorder.closed_codes)
            assert noted.connection is not None
            noted.closed(noted.connection, recorder.closed_codes[1])

        async def read() -> bytes:
            head = await stream.receive_some(2)
            return bytes(await stream.receive_some(head[1]))

        yield Subject(running.server, noted, send, hang_up, read)


@pytest.fixture(params=[in_memory, on_sockets])
async def subject(request: pytest.FixtureRequest, run_edge: Any) -> AsyncIterator[Subject]:
    async with request.param(run_edge) as subject:
        yield subject


async def test_a_client_is_opened_heard_and_closed_once(subject: Subject) -> None:
    await subject.send(TEXT)
    await subject.hang_up()
    assert subject.noted.told == [("opened", 1), ("received", TEXT), ("closed", 1006)]


async def test_closed_never_comes_from_within_close(subject: Subject) -> None:
    await subject.send(b"close")
    assert subject.noted.told[1:] == [("received", b"close"), ("close called", 1), ("closed", 4001)]


async def test_members_get_rounds_and_others_do_not(subject: Subject) -> None:
    audience, connection, done = subject.edge.audience(), subject.noted.connection, []
    audience.add(connection)
    audience.add(connection)
    assert len(audience) == 1
    subject.edge.broadcast(audience, Batch(b"[1]", BULK, "r", "e", 1, 1, lambda: done.append(1)))
    assert done == [], "never from within broadcast()"
    assert await subject.read() == b"[1]"
    assert done == [1]
    audience.discard(connection)
    audience.discard(connection)
    assert len(audience) == 0
    subject.edge.broadcast(audience, Batch(b"[2]", BULK, "r", "e", 2, 2))
    assert connection is not None
    connection.send(TEXT, NORMAL)
    assert await subject.read() == TEXT


async def test_one_that_closes_has_left_its_audiences(subject: Subject) -> None:
    audience, connection = subject.edge.audience(), subject.noted.connection
    audience.add(connection)
    assert connection is not None
    connection.close(1000, "")
    assert len(audience) == 0
    audience.add(connection)
    assert len(audience) == 0
