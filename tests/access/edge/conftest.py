"""An edge on real sockets for a test, and clients for it that block on nothing."""

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import trio
import trustme
from trio_websocket import WebSocketConnection, open_websocket

from access.edge.interface import Connection
from access.edge.opening.listening import listen
from access.edge.server import Server
from access.edge.settings import EdgeSettings, WritePathName
from access.edge.tls.channel import TlsChannels
from access.edge.tls.renewal import Renewal
from access.edge.writing.choice import why_not_io_uring
from proto import server_frames

SUBPROTOCOL = "relaymesh.v1.json"
Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


@dataclass(frozen=True)
class Files:
    """A certificate for the loopback as a node is given it, and who trusts its authority."""

    authority: trustme.CA
    cert: Path
    key: Path
    trust: ssl.SSLContext

    def renew(self) -> None:
        """Put a new certificate of the same authority in their place."""
        leaf = self.authority.issue_cert("localhost", "127.0.0.1")
        leaf.private_key_pem.write_to_path(self.key)
        self.cert.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))


def client_trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_files(authority: trustme.CA, tmp_path: Path) -> Files:
    files = Files(authority, tmp_path / "cert.pem", tmp_path / "key.pem", client_trust(authority))
    files.renew()
    return files


def tcp(stream: Stream) -> trio.SocketStream:
    """The stream's own, or the one below its TLS."""
    return stream.transport_stream if isinstance(stream, trio.SSLStream) else stream


def socket_of(connection: Any) -> socket.socket:
    """The node's socket of a connection."""
    channel = connection._channel
    return channel if isinstance(channel, socket.socket) else channel._sock


class Recorder:
    """A session layer that notes what it is told and may be told what to do."""

    def __init__(self) -> None:
        self.connections: dict[int, Connection] = {}
        self.texts: list[bytes] = []
        self.closed_codes: dict[int, int] = {}
        self.on_opened: Callable[[Connection], None] = lambda connection: None
        self.on_text: Callable[[Connection, bytes], None] = lambda connection, text: None
        self._changed = trio.Event()

    def opened(self, connection: Connection) -> None:
        assert connection.id not in self.connections
        self.connections[connection.id] = connection
        self._tell()
        self.on_opened(connection)

    def received(self, connection: Connection, text: bytes) -> None:
        assert connection.id not in self.closed_codes
        self.texts.append(text)
        self._tell()
        self.on_text(connection, text)

    def closed(self, connection: Connection, code: int) -> None:
        assert connection.id in self.connections
        assert connection.id not in self.closed_codes, "told twice"
        self.closed_codes[connection.id] = code
        self._tell()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; looked at whenever the edge tells of something."""
        with trio.fail_after(5):
            while not condition():
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


class RunningEdge:
    """A `Server` that is being served, and ways to reach it."""

    def __init__(
        self, server: Server, recorder: Recorder, port: int, trust: ssl.SSLContext | None
    ) -> None:
        self.server = server
        self.trust = trust
        self.recorder = recorder
        self.port = port

    def client(self) -> AbstractAsyncContextManager[WebSocketConnection]:
        """A trio-websocket client."""
        connection: AbstractAsyncContextManager[WebSocketConnection] = open_websocket(
            "127.0.0.1", self.port, "/v1", use_ssl=self.trust or False, subprotocols=[SUBPROTOCOL]
        )
        return connection

    async def raw(self, *, receive_bytes: int | None = None) -> Stream:
        """A connection with its TLS done (if the edge has that), a small receive buffer if a slow
        reader is wanted."""
        stream = await self.tcp(receive_bytes=receive_bytes)
        if self.trust is None:
            return stream
        secure = trio.SSLStream(
            stream, self.trust, server_hostname="localhost", https_compatible=True
        )
        await secure.do_handshake()
        return secure

    async def tcp(self, *, receive_bytes: int | None = None) -> trio.SocketStream:
        """A plain TCP connection, whatever the edge speaks."""
        sock = trio.socket.socket()
        if receive_bytes is not None:
            sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, receive_bytes)
        await sock.connect(("127.0.0.1", self.port))
        return trio.SocketStream(sock)

    async def upgraded(self, **options: Any) -> Stream:
        """As `raw`, with the WebSocket's handshake done."""
        stream = await self.raw(**options)
        await stream.send_all(REQUEST)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += await stream.receive_some(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        return stream


REQUEST = (
    b"GET /v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Protocol: relaymesh.v1.json\r\n\r\n"
)


@asynccontextmanager
async def running(
    settings: EdgeSettings, trust: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[RunningEdge]:
    recorder = Recorder()
    listener = listen("127.0.0.1", 0, settings)
    port = listener.getsockname()[1]
    with mock.patch("access.edge.writing.choice.why_not_io_uring", return_value=OBSTACLE):
        server = Server(
            settings,
            recorder,
            lambda s: server_frames.message(
                [server_frames.skipped(s.stream, s.priority, s.epoch, s.first_seq, s.last_seq)]
            ),
            **options,
        )
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [listener])
        yield RunningEdge(server, recorder, port, trust)
        nursery.cancel_scope.cancel()
    assert not server.clients
    assert not server.openings
    assert recorder.connections.keys() == recorder.closed_codes.keys()


RunEdge = Callable[..., AbstractAsyncContextManager[RunningEdge]]


OBSTACLE = why_not_io_uring()
"""Tried once: it takes longer than most tests."""
WRITE_PATHS: list[WritePathName] = ["loop"] if OBSTACLE else ["loop", "io_uring"]
"""Those that this machine has."""


@pytest.fixture(params=WRITE_PATHS)
def write_path(request: pytest.FixtureRequest) -> WritePathName:
    path: WritePathName = request.param
    return path


@pytest.fixture
def run_plain_edge(write_path: WritePathName) -> RunEdge:
    """`async with run_plain_edge(path=...) as edge:` with any of `EdgeSettings` changed."""
    return runner(write_path=write_path)


@pytest.fixture
def run_tls_edge(tls_files: Files) -> RunEdge:
    """The same with TLS, which takes the loop on every write path."""
    renewal = Renewal(str(tls_files.cert), str(tls_files.key))
    return runner(open_channel=TlsChannels(renewal.context), trust=tls_files.trust)


@pytest.fixture(params=[*WRITE_PATHS, "tls"])
def run_edge(request: pytest.FixtureRequest) -> RunEdge:
    """The same, plain by every write path and with TLS."""
    if request.param == "tls":
        run: RunEdge = request.getfixturevalue("run_tls_edge")
        return run
    return runner(write_path=request.param)


OPTIONS = ("poller", "rng", "observe", "open_channel", "trust")


def runner(**defaults: Any) -> RunEdge:
    def run(**changes: Any) -> AbstractAsyncContextManager[RunningEdge]:
        changes = defaults | changes
        options = {key: changes.pop(key) for key in OPTIONS if key in changes}
        return running(EdgeSettings(**changes), **options)

    return run
