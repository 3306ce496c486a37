"""HTTP/1.1 on a listening socket: hypercorn's connections, a bounded number, and nothing else.

hypercorn takes as many connections as come, and lets each of them go on in HTTP/2 without TLS
(h2c). A proxy before us may hand such an upgrade through, and then sees nothing of what is asked
behind it. So here every `Upgrade` is ignored, which is any server's right (RFC 9110, section 7.8).
"""

import logging
import socket
from typing import Any, cast

import h11
import structlog
import trio
from hypercorn.config import Config
from hypercorn.events import Closed
from hypercorn.protocol import ProtocolWrapper
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ASGIFramework, ConnectionState
from hypercorn.utils import wrap_app
from starlette.applications import Starlette

log = structlog.get_logger()

GRACEFUL_S = 1.0
"""For requests that are being answered when the node ends."""
IDLE_S = 5.0
"""A connection without a request, or with one whose head is not whole, is closed after so long."""
MAX_HEAD_BYTES = 16 * 1024
"""A larger head is answered 431."""
MAX_CONNECTIONS = 1000
MAX_REFUSALS = 100
"""Connections that are being sent away at a time; more are closed without an answer."""
REFUSAL_S = 1.0
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


async def serve_http(
    app: Starlette,
    server: socket.socket,
    *,
    stopping: trio.Event,
    most: int = MAX_CONNECTIONS,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` on the listening socket `server`, which this owns from now, until `stopping`.

    Beyond `most` connections at a time others are answered 503.
    """
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(server))
    connections = _Connections(app, most)
    async with listener, trio.open_nursery() as nursery:
        async with trio.open_nursery() as accepting:
            accepting.start_soon(_accept, listener, connections, nursery)
            task_status.started()
            await stopping.wait()
            accepting.cancel_scope.cancel()
        await connections.context.terminated.set()
        nursery.cancel_scope.deadline = trio.current_time() + GRACEFUL_S


async def _accept(
    listener: trio.SocketListener, connections: "_Connections", nursery: trio.Nursery
) -> None:
    await trio.serve_listeners(connections.serve, [listener], handler_nursery=nursery)


class _Connections:
    """Those that are open, and those that are being sent away."""

    def __init__(self, app: Starlette, most: int) -> None:
        self.context = WorkerContext(None)
        self._config = _config()
        # The same ASGI, written down with other type aliases.
        asgi = cast("ASGIFramework", app)
        self._app = wrap_app(asgi, self._config.wsgi_max_body_size, "asgi")
        self._most = most
        self._open = 0
        self._refusing = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection to its end, or send it away."""
        if self._open >= self._most:
            await self._refuse(stream)
            return
        self._open += 1
        try:
            await _Connection(self._app, self._config, self.context, stream)
        except Exception:
            # A fault of a library's, that somebody has found out how to make: it ends that
            # connection, and not the node.
            log.exception("http_connection_failed")
        finally:
            self._open -= 1

    async def _refuse(self, stream: trio.SocketStream) -> None:
        async with stream:
            if self._refusing >= MAX_REFUSALS:
                return
            self._refusing += 1
            try:
                with trio.move_on_after(REFUSAL_S):
                    await _say(stream, FULL)
            finally:
                self._refusing -= 1


class _Connection(TCPServer):
    """One of hypercorn's, which stays with HTTP/1.1 and ends when its peer is gone."""

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        stream: trio.SocketStream,
    ) -> None:
        super().__init__(app, config, context, ConnectionState({}), cast("Any", stream))

    @property
    def protocol(self) -> ProtocolWrapper:
        """What reads and answers requests; made when the connection begins."""
        return self._protocol

    @protocol.setter
    def protocol(self, protocol: ProtocolWrapper) -> None:
        _Plain(protocol.protocol)
        self._protocol = protocol

    async def _read_data(self) -> None:
        await super()._read_data()
        # Else it would be held until it had been idle for long enough.
        await self.idle_task.stop()


class _Plain:
    """Has a connection take each request for what it is without its `Upgrade`, and refuse one whose
    body two servers could see end in different places.

    h11 goes by `Transfer-Encoding` where there is a `Content-Length` too; what stands before us may
    not (RFC 9112, section 6.3).
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._create_stream = protocol._create_stream
        protocol._check_protocol = self._checked
        protocol._create_stream = self._created

    async def _checked(self, _: h11.Request) -> None:
        """Look for no wish for HTTP/2."""

    async def _created(self, request: h11.Request) -> None:
        names = {name for name, _ in request.headers}
        if {b"content-length", b"transfer-encoding"} <= names:
            await self._protocol._send_error_response(400)
            await self._protocol.send(Closed())
        else:
            await self._create_stream(_without_upgrade(request))


def _without_upgrade(request: h11.Request) -> h11.Request:
    headers = [each for each in request.headers.raw_items() if each[0].lower() != b"upgrade"]
    return h11.Request(
        method=request.method,
        target=request.target,
        headers=headers,
        http_version=request.http_version,
    )


async def _say(stream: trio.SocketStream, answer: bytes) -> None:
    """Send the last words; closing with unread input would reset them away."""
    try:
        await stream.send_all(answer)
        await stream.send_eof()
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        pass  # it has gone already


def _config() -> Config:
    config = Config()
    config.accesslog = None
    # Through the standard logger, so that its lines take the form of ours (ops.logging).
    config.errorlog = logging.getLogger("hypercorn.error")
    config.loglevel = "WARNING"
    config.include_server_header = False
    config.keep_alive_timeout = IDLE_S
    config.h11_max_incomplete_size = MAX_HEAD_BYTES
    return config
