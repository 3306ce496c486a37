"""What is the TLS edge's own: its handshakes, its certificate, its records."""

import os
import signal
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
import trustme
from prometheus_client import CollectorRegistry

from access.edge.interface import Batch
from access.edge.tls.channel import TlsChannels
from access.edge.tls.metrics import TlsCollector
from access.edge.tls.renewal import LOOK_S, Renewal
from proto.priorities import Priority
from tests.access.edge.conftest import REQUEST, Files, RunEdge, client_trust, tcp

NORMAL = Priority.NORMAL


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


async def ended(stream: trio.SocketStream) -> bytes:
    """Everything up to the end (a reset counts as one)."""
    data = b""
    try:
        with trio.fail_after(5):
            async for part in stream:
                data += part
    except trio.BrokenResourceError:
        pass
    return data


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
        assert b"HTTP" not in await ended(stream)
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


# -- the certificate


@pytest.fixture
def renewal(tls_files: Files) -> Renewal:
    return Renewal(str(tls_files.cert), str(tls_files.key))


@pytest.fixture
def run_renewed_edge(run_tls_edge: Callable[..., Any], renewal: Renewal) -> Callable[..., Any]:
    return lambda: run_tls_edge(open_channel=TlsChannels(renewal.context))


def shown(stream: Any) -> bytes:
    """The certificate that the node showed to this client."""
    certificate: bytes = stream.getpeercert(binary_form=True)
    return certificate


async def test_new_connections_get_the_new_certificate_and_open_ones_stay(
    run_renewed_edge: Callable[..., Any], renewal: Renewal, tls_files: Files
) -> None:
    async with run_renewed_edge() as edge:
        edge.recorder.on_text = lambda connection, text: connection.send(text, NORMAL)
        old = await edge.upgraded()
        half = ByHand(await edge.tcp(), edge.trust)
        await half.stream.send_all(half.hello())
        await half.finish()
        tls_files.renew()
        await renewal.look()
        new = await edge.upgraded()
        assert shown(new) != shown(old)
        await half.upgrade()
        for stream in (old, new):
            await stream.send_all(masked(b"[1]"))
            assert await one_frame(stream) == b"[1]"
        await renewal.look()
        assert shown(await edge.upgraded()) == shown(new)


@pytest.mark.parametrize("name", ["cert", "key"])
@pytest.mark.parametrize("content", [None, b"", b"nonsense"], ids=["gone", "empty", "nonsense"])
async def test_a_broken_file_is_named_and_the_old_certificate_stays(
    renewal: Renewal, tls_files: Files, name: str, content: bytes | None
) -> None:
    file: Path = getattr(tls_files, name)
    before, kept = renewal.current, file.read_bytes()
    file.unlink() if content is None else file.write_bytes(content)
    with structlog.testing.capture_logs() as logs:
        await renewal.look()
        await renewal.look()
    assert [(each["event"], each["log_level"]) for each in logs] == [
        ("certificate_refused", "error")
    ], "told once, not each minute"
    assert logs[0]["reason"].startswith(f"tls_{name}: ")
    assert str(file) in logs[0]["reason"]
    assert renewal.current is before
    assert samples(renewal)["relaymesh_edge_tls_certificate_failures_total"] == 1
    file.write_bytes(kept)
    await renewal.look()
    assert renewal.current is not before


def samples(renewal: Renewal) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(TlsCollector(renewal))
    return {each.name: each.value for family in registry.collect() for each in family.samples}


async def test_a_scrape_shows_when_the_certificate_ends(renewal: Renewal, tls_files: Files) -> None:
    from cryptography import x509

    leaf = x509.load_pem_x509_certificate(tls_files.cert.read_bytes())
    expires_s = samples(renewal)["relaymesh_edge_tls_certificate_expiry_seconds"]
    assert expires_s == leaf.not_valid_after_utc.timestamp()


async def test_files_are_looked_at_each_minute(
    renewal: Renewal, tls_files: Files, nursery: trio.Nursery, autojump_clock: Any
) -> None:
    before = renewal.current
    nursery.start_soon(renewal.run)
    await trio.sleep(LOOK_S + 1)
    assert renewal.current is before
    tls_files.renew()
    with trio.fail_after(1e6):  # the clock runs while a thread reads the files
        while renewal.current is before:
            await trio.sleep(LOOK_S)


async def test_sighup_loads_at_once(
    renewal: Renewal, tls_files: Files, nursery: trio.Nursery
) -> None:
    before = renewal.current
    nursery.start_soon(renewal.run)
    await trio.testing.wait_all_tasks_blocked()
    tls_files.renew()
    os.kill(os.getpid(), signal.SIGHUP)
    with trio.fail_after(5):
        while renewal.current is before:
            await trio.sleep(0)
