"""An edge on real sockets for a test, and clients for it that block on nothing."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trio
from trio_websocket import WebSocketConnection, open_websocket

from access.edge.interface import Connection
from access.edge.listening import listen
from access.edge.server import Server
from access.edge.settings import EdgeSettings, WritePathName
from access.edge.writing.choice import why_not_io_uring
from proto import server_frames

SUBPROTOCOL = "relaymesh.v1.json"


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

    def __init__(self, server: Server, recorder: Recorder, port: int) -> None:
        self.server = server
        self.recorder = recorder
        self.port = port

    def client(self) -> AbstractAsyncContextManager[WebSocketConnection]:
        """A trio-websocket client."""
        connection: AbstractAsyncContextManager[WebSocketConnection] = open_websocket(
            "127.0.0.1", self.port, "/v1", use_ssl=False, subprotocols=[SUBPROTOCOL]
        )
        return connection

    async def raw(self, *, receive_bytes: int | None = None) -> trio.SocketStream:
        """A plain TCP connection, with a small receive buffer if a slow reader is wanted."""
        sock = trio.socket.socket()
        if receive_bytes is not None:
            sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, receive_bytes)
        await sock.connect(("127.0.0.1", self.port))
        return trio.SocketStream(sock)

    async def upgraded(self, **options: Any) -> trio.SocketStream:
        """A plain TCP connection that has done the handshake."""
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
async def running(settings: EdgeSettings, **options: Any) -> AsyncIterator[RunningEdge]:
    recorder = Recorder()
    listener = listen("127.0.0.1", 0, settings)
    port = listener.getsockname()[1]
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
        yield RunningEdge(server, recorder, port)
        nursery.cancel_scope.cancel()
    assert not server.clients
    assert not server.openings
    assert recorder.connections.keys() == recorder.closed_codes.keys()


RunEdge = Callable[..., AbstractAsyncContextManager[RunningEdge]]


WRITE_PATHS: list[WritePathName] = ["loop"] if why_not_io_uring() else ["loop", "io_uring"]
"""Those that this machine has."""


@pytest.fixture(params=WRITE_PATHS)
def write_path(request: pytest.FixtureRequest) -> WritePathName:
    path: WritePathName = request.param
    return path


@pytest.fixture
def run_edge(write_path: WritePathName) -> RunEdge:
    """`async with run_edge(path=...) as edge:` with any of `EdgeSettings` changed."""

    def run(**changes: Any) -> AbstractAsyncContextManager[RunningEdge]:
        changes.setdefault("write_path", write_path)
        options = {key: changes.pop(key) for key in ("poller", "rng", "observe") if key in changes}
        return running(EdgeSettings(**changes), **options)

    return run
