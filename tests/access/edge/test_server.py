"""The edge on real sockets: good clients, bad ones, and the end of both."""

import gc
import random
import resource
import socket
import struct
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed

from access.edge.interface import Batch
from access.edge.opening.listening import listen
from access.edge.poller import BestPoller, SelectorPoller
from access.edge.settings import EdgeSettings
from proto.priorities import Priority
from tests.access.edge.conftest import Stream, tcp
from tests.access.edge.streams import read_all

URGENT, NORMAL, BULK = Priority


def batch(number: int, priority: Priority = NORMAL, text: bytes = b"") -> Batch:
    return Batch(text or b"[%d]" % number, priority, "r", "e", number, number)


def masked(payload: bytes, first: int = 0x81) -> bytes:
    assert len(payload) < 126
    return bytes((first, 0x80 | len(payload))) + bytes(4) + payload


@pytest.fixture(params=[BestPoller, SelectorPoller])
def poller(request: pytest.FixtureRequest) -> Any:
    return request.param()


async def test_messages_rounds_and_a_close_by_the_client(run_edge: Any, poller: Any) -> None:
    async with run_edge(poller=poller) as edge:
        audience = edge.server.audience()
        edge.recorder.on_opened = audience.add
        edge.recorder.on_text = lambda connection, text: connection.send(text, NORMAL)
        async with edge.client() as one, edge.client() as two:
            await one.send_message('["é"]')
            assert await one.get_message() == '["é"]'
            assert len(audience) == 2
            edge.server.broadcast(audience, batch(1))
            assert [await one.get_message(), await two.get_message()] == ["[1]", "[1]"]
            await one.aclose(4999, "bye")
            await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: 4999})
            assert len(audience) == 1
            edge.server.broadcast(audience, batch(2))
            assert await two.get_message() == "[2]"
        await edge.recorder.until(lambda: len(edge.recorder.closed_codes) == 2)
        counters = edge.server.counters
        assert (counters.accepted, counters.opened, counters.messages_in) == (2, 2, 1)
        assert counters.deliveries == [0, 4, 0]
        assert counters.closes == {4999: 1, 1000: 1}


async def test_we_close_and_the_client_sees_code_and_reason(run_edge: Any) -> None:
    async with run_edge() as edge:
        edge.recorder.on_text = lambda connection, text: connection.close(4001, "bad token")
        async with edge.client() as client:
            await client.send_message("[]")
            with pytest.raises(ConnectionClosed) as caught:
                await client.get_message()
            assert (caught.value.reason.code, caught.value.reason.reason) == (4001, "bad token")
        await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: 4001})


async def test_after_a_close_nothing_more_comes_up_or_goes_down(run_edge: Any) -> None:
    async with run_edge() as edge:
        stream = await edge.upgraded()
        connection = edge.recorder.connections[1]
        audience = edge.server.audience()
        connection.close(4001, "")
        connection.close(4002, "")
        connection.send(b"[]", URGENT)
        audience.add(connection)
        assert len(audience) == 0
        assert 1 not in edge.recorder.closed_codes, "told from within close()"
        await stream.send_all(masked(b"[]") + masked(b"\x0f\xa1", 0x88))
        assert await read_all(stream) == b"\x88\x02\x0f\xa1"
        await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: 4001})
        assert edge.recorder.texts == []


async def test_a_peer_that_ignores_our_close_is_cut(run_edge: Any, autojump_clock: Any) -> None:
    async with run_edge(close_timeout_s=3) as edge:
        stream = await edge.upgraded()
        edge.recorder.connections[1].close(1012, "")
        started = trio.current_time()
        assert await read_all(stream) == b"\x88\x02\x03\xf4"
        assert 2.9 < trio.current_time() - started < 3.3


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked(b"\xff"), 1007),
        (masked(b"x", 0x82), 1003),
        (b"\x81\x01x", 1002),
        (masked(b"x", 0xF1), 1002),
        (b"\x81\xff" + (1 << 62).to_bytes(8, "big"), 1009),
        (masked(b"x" * 100, 0x01) + masked(b"x" * 100, 0x80), 1009),
    ],
)
async def test_a_broken_rule_ends_with_its_code(run_edge: Any, data: bytes, code: int) -> None:
    async with run_edge(max_message_bytes=150, close_timeout_s=0.1) as edge:
        stream = await edge.upgraded()
        await stream.send_all(masked(b"first") + data + b"\x81" * 5000)
        frame = await read_all(stream)
        assert frame[:1] == b"\x88"
        assert struct.unpack("!H", frame[2:4])[0] == code
        await stream.aclose()
        await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: code})
        assert edge.recorder.texts == [b"first"]


async def test_a_frame_in_many_pieces_and_many_in_one(run_edge: Any) -> None:
    async with run_edge() as edge:
        stream = await edge.upgraded()
        for byte in masked(b"[1]"):
            await stream.send_all(bytes([byte]))
        await stream.send_all(masked(b"[2]") * 50 + masked(b"!", 0x89))
        await edge.recorder.until(lambda: len(edge.recorder.texts) == 51)
        assert await stream.receive_some() == b"\x8a\x01!"


async def test_a_reset_and_half_a_frame_end_as_1006(run_edge: Any) -> None:
    async with run_edge() as edge:
        one, two = await edge.upgraded(), await edge.upgraded()
        tcp(one).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await one.aclose()
        await two.send_all(masked(b"[1]")[:-1])
        await two.aclose()
        await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: 1006, 2: 1006})


async def test_a_write_to_a_peer_that_has_gone_harms_nobody(run_edge: Any) -> None:
    async with run_edge() as edge:
        audience = edge.server.audience()
        edge.recorder.on_opened = audience.add
        gone, stays = await edge.upgraded(), await edge.upgraded()
        tcp(gone).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        tcp(gone).socket.close()
        for number in range(3):
            edge.server.broadcast(audience, batch(number))
        data = b""
        while len(data) < 15:
            data += await stays.receive_some()
        assert data == b"\x81\x03[0]\x81\x03[1]\x81\x03[2]"
        await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: 1006})


async def test_a_failing_session_layer_harms_one_connection(run_edge: Any) -> None:
    async with run_edge() as edge:

        def fail(connection: Any, text: bytes) -> None:
            if text == b"fail":
                raise RuntimeError("a fault")
            connection.send(text, NORMAL)

        edge.recorder.on_text = fail
        async with edge.client() as one, edge.client() as two:
            await one.send_message("fail")
            with pytest.raises(ConnectionClosed) as caught:
                await one.get_message()
            assert caught.value.reason.code == 1011
            await two.send_message("[]")
            assert await two.get_message() == "[]"
        assert edge.server.counters.handler_errors == 1


# -- handshakes


async def test_a_handshake_that_trickles_is_cut_at_the_deadline(
    run_edge: Any, autojump_clock: Any
) -> None:
    async with run_edge(handshake_timeout_s=5) as edge:
        stream, started = await edge.raw(), trio.current_time()
        with pytest.raises(trio.BrokenResourceError):
            for byte in b"GET /v1 HTTP/1.1\r\nHost: x\r\n" * 100:
                await stream.send_all(bytes([byte]))
                await trio.sleep(0.25)
        assert 4.9 < trio.current_time() - started < 6
        assert edge.server.counters.handshake_errors == {"timeout": 1}
        assert not edge.recorder.connections


@pytest.mark.parametrize(
    ("request_bytes", "status", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"404", "path"),
        (b"GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n", b"426", "not_websocket"),
        (b"GET /v1 HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, b"431", "too_large"),
        (b"\x00" * 100 + b"\r\n\r\n", b"400", "malformed"),
    ],
)
async def test_a_bad_handshake_is_answered_in_http(
    run_edge: Any, request_bytes: bytes, status: bytes, reason: str
) -> None:
    async with run_edge() as edge:
        stream = await edge.raw()
        await stream.send_all(request_bytes)
        assert (await read_all(stream)).startswith(b"HTTP/1.1 %b " % status)
        assert edge.server.counters.handshake_errors == {reason: 1}


async def test_a_frame_right_behind_the_request_is_read(run_edge: Any) -> None:
    async with run_edge() as edge:
        stream = await edge.raw()
        request = handshake_request()
        await stream.send_all(request + masked(b"[1]"))
        await edge.recorder.until(lambda: edge.recorder.texts == [b"[1]"])


def handshake_request() -> bytes:
    """The request that `upgraded` sends."""
    return (
        b"GET /v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Protocol: relaymesh.v1.json\r\n\r\n"
    )


async def test_a_full_node_says_503_and_takes_the_next_when_one_has_left(run_edge: Any) -> None:
    async with run_edge(max_connections=1) as edge:
        first = await edge.upgraded()
        second = await edge.raw()
        await second.send_all(handshake_request())
        answer = await read_all(second)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in answer
        await first.aclose()
        await edge.recorder.until(lambda: len(edge.recorder.closed_codes) == 1)
        await edge.upgraded()


async def test_out_of_descriptors_accepting_rests_and_goes_on(run_plain_edge: Any) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()  # lest what earlier tests left gives descriptors back meanwhile
    async with run_plain_edge(accept_pause_s=0.01) as edge:
        sock = trio.socket.socket()
        with socket.socket() as lowest_free:
            limit = lowest_free.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        try:
            await sock.connect(("127.0.0.1", edge.port))
            with trio.fail_after(5):
                while not edge.server.counters.accept_pauses:
                    await trio.sleep(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await sock.send(handshake_request())
        await edge.recorder.until(lambda: len(edge.recorder.connections) == 1)


# -- heartbeats


async def test_a_quiet_client_is_pinged_and_a_silent_one_closed(
    run_edge: Any, autojump_clock: Any
) -> None:
    async with run_edge(ping_interval_s=25) as edge:
        silent, started = await edge.upgraded(), trio.current_time()
        async with edge.client():  # answers pings
            frames = await read_all_slowly(silent)
            assert frames[:2] == b"\x89\x00"
            assert struct.unpack("!H", frames[4:6])[0] == 4003
            assert 50 < trio.current_time() - started < 55
            await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: 4003})
            await trio.sleep(200)
            assert edge.recorder.closed_codes == {1: 4003}
            assert edge.server.counters.pings >= 8


async def read_all_slowly(stream: Stream) -> bytes:
    data = b""
    async for part in stream:
        data += part
    return data


async def test_a_client_that_talks_is_not_pinged(run_edge: Any, autojump_clock: Any) -> None:
    async with run_edge(ping_interval_s=25) as edge:
        stream = await edge.upgraded()
        for _ in range(20):
            await stream.send_all(masked(b"[]"))
            await trio.sleep(20)
        assert edge.server.counters.pings == 0
        assert not edge.recorder.closed_codes


# -- the end


async def test_a_drain_closes_all_within_its_time(run_edge: Any, autojump_clock: Any) -> None:
    async with run_edge(rng=random.Random(1), close_timeout_s=30) as edge:
        polite = [await edge.upgraded() for _ in range(5)]
        half_done = await edge.raw()
        started = trio.current_time()
        ended: list[float] = []

        async def answer_the_close(stream: Stream) -> None:
            assert await stream.receive_some() == b"\x88\x1e\x03\xf4restarting; resume elsewhere"
            await stream.send_all(masked(b"\x03\xf4", 0x88))
            assert await stream.receive_some() == b""
            ended.append(trio.current_time() - started)

        async with trio.open_nursery() as nursery:
            for stream in polite[:4]:
                nursery.start_soon(answer_the_close, stream)
            await edge.server.drain(10)
        assert trio.current_time() - started < 10.1
        assert len(set(ended)) > 1, "spread over time"
        assert max(ended) <= 6
        assert await half_done.receive_some() == b""
        assert set(edge.recorder.closed_codes.values()) == {1012}
        with pytest.raises(OSError, match="refused"):
            await edge.raw()


async def test_accepted_sockets_inherit_the_listeners_options() -> None:
    settings = EdgeSettings(unsent_bytes=12345)
    with listen("127.0.0.1", 0, settings) as listener, socket.socket() as client:
        client.connect(listener.getsockname())
        await trio.lowlevel.wait_readable(listener)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 12345


async def test_two_listeners_share_a_port() -> None:
    settings = EdgeSettings()
    one = listen("127.0.0.1", 0, settings, reuse_port=True)
    two = listen("127.0.0.1", one.getsockname()[1], settings, reuse_port=True)
    with one, two:
        assert one.getsockname() == two.getsockname()


# -- fairness


async def test_many_busy_readers_do_not_keep_other_tasks_waiting(run_plain_edge: Any) -> None:
    async with run_plain_edge(read_slice_s=0) as edge:
        streams = [await edge.upgraded() for _ in range(20)]
        turns, turns_at_text = [0], []
        edge.recorder.on_text = lambda connection, text: turns_at_text.append(turns[0])

        async def count_turns() -> None:
            while True:
                turns[0] += 1
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count_turns)
            await trio.lowlevel.checkpoint()
            for stream in streams:  # without a pause: all are ready in the same wake-up
                stream.socket._sock.send(masked(b"[]"))
            await edge.recorder.until(lambda: len(edge.recorder.texts) == 20)
            nursery.cancel_scope.cancel()
        assert len(set(turns_at_text)) > 10


async def test_one_client_that_floods_gets_one_read_a_wakeup(run_plain_edge: Any) -> None:
    async with run_plain_edge() as edge:
        flooder, other = await edge.upgraded(), await edge.upgraded()
        flooder.socket._sock.send(masked(b"") * 10_000)
        other.socket._sock.send(masked(b"other"))
        await edge.recorder.until(lambda: b"other" in edge.recorder.texts)
        assert edge.recorder.texts.index(b"other") < 1000
        await edge.recorder.until(lambda: len(edge.recorder.texts) == 10_001)
