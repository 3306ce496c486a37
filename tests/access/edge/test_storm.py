"""More clients than a node opens at once: some come in, the others learn when to come back."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import trio

from access.edge.interface import Batch, Connection
from proto.priorities import Priority
from tests.access.edge.conftest import REQUEST

CROWD = 300
PATIENCE_S = 60.0
"""For clients and server: a busy machine takes its time for 300 handshakes."""
UNHURRIED = {"handshake_timeout_s": PATIENCE_S}
HELLO = bytes((0x81, 0x82)) + bytes(4) + b"[]"


class Storm:
    """What the clients of a crowd were answered."""

    def __init__(self) -> None:
        self.admitted: list[trio.SocketStream] = []
        self.told_s: list[int] = []

    async def one(self, edge: Any) -> None:
        stream = await edge.raw()
        await stream.send_all(REQUEST)
        answer = b""
        with trio.fail_after(PATIENCE_S):
            while b"\r\n\r\n" not in answer:
                answer += await stream.receive_some() or b"(end)\r\n\r\n"
            if answer.startswith(b"HTTP/1.1 101 "):
                await stream.send_all(HELLO)
                assert (await stream.receive_some()).endswith(b"[]")
                self.admitted.append(stream)
                return
        assert answer.startswith(b"HTTP/1.1 503 "), answer
        assert b"\r\nConnection: close\r\n" in answer
        self.told_s.append(int(answer.partition(b"Retry-After: ")[2].partition(b"\r")[0]))
        with trio.fail_after(PATIENCE_S):
            while await stream.receive_some():
                pass
        await stream.aclose()


def let_in(connection: Connection, text: bytes) -> None:
    connection.send(text, Priority.URGENT)
    connection.admitted()


async def connected(edge: Any) -> trio.SocketStream:
    stream: trio.SocketStream = await edge.upgraded()
    await stream.send_all(HELLO)
    assert await stream.receive_some() == b"\x81\x02[]"
    return stream


@asynccontextmanager
async def stormed(edge: Any) -> AsyncIterator[Storm]:
    storm = Storm()
    async with trio.open_nursery() as nursery:
        for _ in range(CROWD):
            nursery.start_soon(storm.one, edge)
    async with AsyncExitStack() as stack:
        for stream in storm.admitted:
            await stack.enter_async_context(stream)
        yield storm


async def test_the_rest_of_a_storm_is_told_when_to_come_back(run_edge: Any) -> None:
    async with run_edge(**UNHURRIED, max_opening=3, opening_wait_s=0.0, retry_spread_s=5) as edge:
        edge.recorder.on_text = let_in
        async with stormed(edge) as storm:
            assert len(storm.admitted) + len(storm.told_s) == CROWD
            assert storm.admitted
            assert set(storm.told_s) == {1, 2, 3, 4, 5}
            counters = edge.server.counters
            assert counters.handshake_errors == {"overloaded": len(storm.told_s)}
            assert counters.opened == len(storm.admitted) == len(edge.server.clients)
            assert len(edge.server.places) == 0


async def test_a_burst_that_can_wait_comes_in_whole(run_edge: Any) -> None:
    # Longer than all of them wait at one a second, the slowest pace that is reckoned with.
    async with run_edge(**UNHURRIED, max_opening=20, opening_wait_s=CROWD + 1.0) as edge:
        edge.recorder.on_text = let_in
        async with stormed(edge) as storm:
            assert (len(storm.admitted), storm.told_s) == (CROWD, [])


async def test_those_connected_get_all_in_order_during_a_storm(run_edge: Any) -> None:
    async with run_edge(**UNHURRIED, max_opening=5, opening_wait_s=0.0) as edge:
        edge.recorder.on_text = let_in
        audience = edge.server.audience()
        members = [await connected(edge) for _ in range(10)]
        for connection in edge.recorder.connections.values():
            audience.add(connection)

        async def talk() -> None:
            for number in range(100):
                done = trio.Event()
                text = b"[%02d]" % number
                edge.server.broadcast(
                    audience, Batch(text, Priority.NORMAL, "r", "e", number, number, done.set)
                )
                await done.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk)
            async with stormed(edge) as storm:
                assert storm.admitted
        expected = b"".join(b"\x81\x04[%02d]" % number for number in range(100))
        for member in members:
            heard = b""
            with trio.fail_after(PATIENCE_S):
                while len(heard) < len(expected):
                    heard += await member.receive_some()
            assert heard == expected


async def test_silent_clients_keep_nobody_out_for_long(
    run_edge: Any, autojump_clock: trio.testing.MockClock
) -> None:
    async with run_edge(max_opening=2, opening_wait_s=60.0) as edge:
        silent = [await edge.raw() for _ in range(2)]
        await edge.upgraded()
        assert len(silent) == 2


async def test_clients_whose_requests_are_not_read_yet_keep_their_places(
    run_edge: Any, autojump_clock: trio.testing.MockClock
) -> None:
    async with run_edge(max_opening=2) as edge:
        silent = [await edge.raw() for _ in range(2)]
        while len(edge.server.places) < 2:
            await trio.sleep(0)
        await trio.sleep(2)
        edge.server.reactor.behind = True
        assert edge.server.free() == 0
        edge.server.reactor.behind = False
        assert edge.server.free() == 2
        assert len(silent) == 2


async def test_a_slow_request_is_refused_when_it_is_whole(run_edge: Any) -> None:
    async with run_edge(max_opening=0, opening_wait_s=0.0) as edge:
        stream = await edge.raw()
        await stream.send_all(REQUEST[:30])
        while not edge.server.openings:
            await trio.sleep(0)
        await stream.send_all(REQUEST[30:])
        answer = b""
        with trio.fail_after(PATIENCE_S):
            while part := await stream.receive_some():
                answer += part
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: ")
        assert answer.endswith(b"\r\n\r\nno room here now: try another node, or later\n")
        assert not edge.server.openings


async def test_a_refused_client_that_never_asks_is_cut(
    run_edge: Any, autojump_clock: trio.testing.MockClock
) -> None:
    async with run_edge(max_opening=0, opening_wait_s=0.0, handshake_timeout_s=3.0) as edge:
        stream = await edge.raw()
        with trio.fail_after(4):
            assert await stream.receive_some() == b""
        assert not edge.server.openings
