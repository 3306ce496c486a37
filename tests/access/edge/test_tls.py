"""What is the TLS edge's own: its handshakes and its records."""

import os
import socket
import ssl
from typing import Any

import pytest
import trio
import trustme

from access.edge.interface import Batch
from proto.priorities import Priority
from tests.access.edge.by_hand import ByHand, masked, one_frame
from tests.access.edge.conftest import REQUEST, RunEdge, client_trust, tcp
from tests.access.edge.streams import read_all

NORMAL = Priority.NORMAL


# -- handshakes


@pytest.mark.parametrize(
    "data",
    [
        REQUEST,
        b"\x00" * 300,
        b"\x16" * 300,
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x03\x01\x40\x00\x01\x00\x7f\xff" + bytes(20_000),
    ],
    ids=["http", "zeros", "not a record", "not a hello", "too long"],
)
async def test_what_is_no_tls_is_counted_and_cut(run_tls_edge: RunEdge, data: bytes) -> None:
    async with run_tls_edge() as edge:
        stream = await edge.tcp()
        await stream.send_all(data)
        assert b"HTTP" not in await read_all(stream)
        assert edge.server.counters.handshake_errors == {"tls": 1}


async def test_a_client_that_does_not_trust_us_is_counted(run_tls_edge: RunEdge) -> None:
    async with run_tls_edge() as edge:
        stranger = client_trust(trustme.CA())
        client = ByHand(await edge.tcp(), stranger)
        await client.stream.send_all(client.hello())
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.finish()
        await client.stream.send_all(client.outgoing.read())
        with trio.fail_after(5):
            while edge.server.openings:
                await trio.sleep(0)
        assert edge.server.counters.handshake_errors == {"tls": 1}


async def test_a_handshake_that_trickles_is_cut_at_the_deadline(
    run_tls_edge: RunEdge, autojump_clock: Any
) -> None:
    async with run_tls_edge(handshake_timeout_s=5) as edge:
        client = ByHand(await edge.tcp(), edge.trust)
        started = trio.current_time()
        with pytest.raises(trio.BrokenResourceError):
            for byte in client.hello():
                await client.stream.send_all(bytes([byte]))
                await trio.sleep(0.25)
        assert 4.9 < trio.current_time() - started < 6
        assert edge.server.counters.handshake_errors == {"timeout": 1}


async def by_turns(clients: list[ByHand], datas: list[bytes], piece_bytes: int) -> None:
    """Send a piece of each client's data, then the next of each."""
    for cut in range(0, max(map(len, datas)), piece_bytes):
        for client, data in zip(clients, datas, strict=True):
            if data[cut:]:
                await client.stream.send_all(data[cut : cut + piece_bytes])
        await trio.testing.wait_all_tasks_blocked()


async def test_many_handshakes_in_pieces_do_not_mix(run_tls_edge: RunEdge) -> None:
    async with run_tls_edge() as edge:
        clients = [ByHand(await edge.tcp(), edge.trust) for _ in range(20)]
        hellos = [client.hello() for client in clients]
        await by_turns(clients, hellos, piece_bytes=97)
        for client in clients:
            await client.finish()
        for client in reversed(clients):
            await client.upgrade()
        texts = [b"[%d]" % number for number in range(20)]
        sealed = [client.seal(masked(b)) for client, b in zip(clients, texts, strict=True)]
        await by_turns(clients, sealed, piece_bytes=5)
        await edge.recorder.until(lambda: sorted(edge.recorder.texts) == sorted(texts))


async def test_a_request_in_the_same_flight_as_the_handshakes_end(run_tls_edge: RunEdge) -> None:
    async with run_tls_edge() as edge:
        client = ByHand(await edge.tcp(), edge.trust)
        await client.stream.send_all(client.hello())
        await client.finish()
        await client.stream.send_all(client.seal(REQUEST, masked(b"[1]"), masked(b"[2]")))
        await edge.recorder.until(lambda: edge.recorder.texts == [b"[1]", b"[2]"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_that_comes_back_resumes(
    run_tls_edge: RunEdge, version: ssl.TLSVersion
) -> None:
    async with run_tls_edge() as edge:
        edge.trust.maximum_version = version

        def visit(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None]:
            with (
                socket.create_connection(("127.0.0.1", edge.port)) as tcp_socket,
                edge.trust.wrap_socket(
                    tcp_socket, server_hostname="localhost", session=session
                ) as sock,
            ):
                sock.sendall(REQUEST)
                assert sock.recv(12) == b"HTTP/1.1 101"
                assert sock.version() == version.name.replace("_", ".")
                return sock.session, sock.session_reused

        session, resumed = await trio.to_thread.run_sync(visit, None)
        assert not resumed
        _, resumed = await trio.to_thread.run_sync(visit, session)
        assert resumed


# -- records


async def test_many_frames_in_one_read_and_one_frame_in_many(run_tls_edge: RunEdge) -> None:
    async with run_tls_edge() as edge:
        stream = await edge.upgraded()
        texts = [b"[%d]" % number for number in range(500)]
        await tcp(stream).send_all(sealed(stream, [masked(text) for text in texts]))
        await edge.recorder.until(lambda: edge.recorder.texts == texts)
        for byte in sealed(stream, [masked(b"last")]):
            await tcp(stream).send_all(bytes([byte]))
        await edge.recorder.until(lambda: edge.recorder.texts[-1] == b"last")


def sealed(stream: Any, parts: list[bytes]) -> bytes:
    """A record for each part."""
    for part in parts:
        stream._ssl_object.write(part)
    data: bytes = stream._outgoing.read()
    return data


async def test_a_farewell_right_behind_a_frame_ends_the_connection(run_tls_edge: RunEdge) -> None:
    async with run_tls_edge() as edge:
        stream = await edge.upgraded()
        data = sealed(stream, [masked(b"[1]")])
        with pytest.raises(ssl.SSLWantReadError):
            stream._ssl_object.unwrap()
        await tcp(stream).send_all(data + stream._outgoing.read())  # and TCP stays open
        await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: 1006})
        assert edge.recorder.texts == [b"[1]"]


async def test_the_edge_says_farewell(run_tls_edge: RunEdge) -> None:
    async with run_tls_edge() as edge:
        stream = trio.SSLStream(await edge.tcp(), edge.trust, server_hostname="localhost")
        await stream.send_all(REQUEST)
        await edge.recorder.until(lambda: 1 in edge.recorder.connections)
        edge.recorder.connections[1].cut()  # type: ignore[attr-defined]
        data = b""
        while part := await stream.receive_some():  # raises at an end without a farewell
            data += part
        assert data.startswith(b"HTTP/1.1 101 ")
        await stream.aclose()


async def test_a_forged_record_ends_the_connection(run_tls_edge: RunEdge) -> None:
    async with run_tls_edge() as edge:
        stream, other = await edge.upgraded(), await edge.upgraded()
        data = sealed(stream, [masked(b"[1]")])
        await tcp(stream).send_all(data[:-1] + bytes([data[-1] ^ 1]))
        await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: 1006})
        await other.send_all(masked(b"[2]"))
        await edge.recorder.until(lambda: edge.recorder.texts == [b"[2]"])


async def test_a_round_of_several_records_arrives_whole(run_tls_edge: RunEdge) -> None:
    async with run_tls_edge() as edge:
        audience = edge.server.audience()
        edge.recorder.on_opened = audience.add
        slow, fast = await edge.upgraded(receive_bytes=4096), await edge.upgraded()
        messages = [os.urandom(50_000), os.urandom(100), os.urandom(65_000)]
        for number, message in enumerate(messages, 1):
            edge.server.broadcast(audience, Batch(message, NORMAL, "r", "e", number, number))
        for stream in (fast, slow):
            for message in messages:
                assert await one_frame(stream) == message
