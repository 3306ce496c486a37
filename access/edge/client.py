"""One client on a socket: reads its frames, writes to it, and ends it in good order."""

from enum import IntEnum
from socket import SHUT_WR, socket
from typing import Any, Protocol

from access.edge.audience import SeatedAudience, Writer
from access.edge.counters import EdgeCounters
from access.edge.fallback import Heard, PeerClosed, Pinged
from access.edge.frames import PING_FRAME, encode_close, encode_pong, encode_text
from access.edge.interface import Batch, EncodeSkipped
from access.edge.outlet import Outlet
from access.edge.reactor import Reactor
from access.edge.reader import Reader
from access.edge.settings import EdgeSettings
from proto.close_codes import CloseCode
from proto.priorities import Priority

READ_BYTES = 16 * 1024
CUT_WITHOUT_CLOSE = 1006


class Phase(IntEnum):
    """How far the end of a connection has come."""

    OPEN = 0
    CLOSING = 1
    """Our close frame is on its way; the peer's is awaited."""
    FAILED = 2
    """The peer broke a rule: what it sends is thrown away until it hangs up."""
    LEAVING = 3
    """Both close frames are said: cut when ours is written."""
    GONE = 4


class Host(Protocol):
    """What clients share: given to each by the server."""

    settings: EdgeSettings
    counters: EdgeCounters
    reactor: Reactor
    encode_skipped: EncodeSkipped
    stalled: "set[Client]"

    def current_batch(self) -> Batch:
        """Return the batch that the fan-out is writing."""
        ...

    def deliver(self, client: "Client", text: bytes) -> None:
        """Hand a message to the session layer."""
        ...

    def gone(self, client: "Client", code: int) -> None:
        """Tell the session layer, later, that the client is gone."""
        ...


class Client:
    """A connection after its handshake; see `interface.Connection`.

    Idle it holds its socket and a few numbers: a queue exists only while the socket is stalled.
    """

    __slots__ = (
        "_close_code",
        "_due_s",
        "_heard_s",
        "_host",
        "_outlet",
        "_phase",
        "_reader",
        "_send",
        "_sock",
        "address",
        "id",
        "seats",
        "state",
    )

    def __init__(self, number: int, address: str, sock: socket, host: Host) -> None:
        self.id = number
        self.address = address
        self.state: Any = None
        self.seats: dict[SeatedAudience, int] = {}
        self._sock = sock
        self._send: Writer = sock.send
        self._host = host
        self._phase = Phase.OPEN
        self._close_code = CUT_WITHOUT_CLOSE
        self._reader = Reader(host.settings.max_message_bytes)
        self._outlet: Outlet | None = None
        self._heard_s = host.reactor.now_s
        self._wait_until(self._heard_s + host.settings.ping_interval_s)

    # -- what the session layer calls

    @property
    def queued_bytes(self) -> int:
        """See `interface.Connection`."""
        return self._outlet.queued_bytes if self._outlet is not None else 0

    def send(self, message: bytes, priority: Priority) -> None:
        """See `interface.Connection`."""
        if self._phase is Phase.OPEN:
            self._host.counters.deliveries[priority] += 1
            self._write(encode_text(message), priority)

    def close(self, code: int, reason: str) -> None:
        """See `interface.Connection`."""
        self._begin_close(code, reason, Phase.CLOSING)

    # -- what the fan-out calls

    @property
    def writer(self) -> Writer | None:
        """See `audience.Member`."""
        if self._phase is not Phase.OPEN:
            return None
        return self._send if self._outlet is None else self._queue_round

    def round_cut_short(self, frame: bytes, count: int, batch: Batch) -> None:
        """See `audience.Member`."""
        self._stall(frame, count, batch.priority, batch)

    def cut(self) -> None:
        """End the connection at once; the session layer learns of it a little later."""
        if self._phase is Phase.GONE:
            return
        self._phase = Phase.GONE
        self._leave_audiences()  # before the close: the kernel gives the number away at once
        self._host.reactor.close(self._sock)
        self._host.stalled.discard(self)
        self._outlet = None
        self._host.counters.fallbacks += self._reader.fallbacks
        self._host.gone(self, self._close_code)

    # -- what the reactor calls

    def on_readable(self) -> None:
        """Read once from the socket and act on it."""
        if self._phase is Phase.GONE:
            return
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.cut()
            return
        self._heard_s = self._host.reactor.now_s
        self.read(data)

    def on_writable(self) -> None:
        """Write what waits, as far as the socket takes it."""
        if self._outlet is None:
            return
        while head := self._outlet.head():
            try:
                count = self._send(head)
            except BlockingIOError:
                return
            except OSError:
                self.cut()
                return
            self._outlet.written(head, count)
            if count < len(head):
                return
        self._unstall()

    def on_deadline(self, now_s: float) -> None:
        """Ping a quiet peer, close a silent one, cut one that does not answer our close."""
        if self._phase is Phase.GONE or now_s < self._due_s:
            return
        if self._phase is not Phase.OPEN:
            self.cut()
            return
        interval_s = self._host.settings.ping_interval_s
        quiet_s = now_s - self._heard_s
        if quiet_s >= 2 * interval_s:
            self.close(CloseCode.SILENT, "nothing heard for two heartbeats")
        elif quiet_s >= interval_s:
            self._wait_until(self._heard_s + 2 * interval_s)
            self._host.counters.pings += 1
            self._write(PING_FRAME, Priority.URGENT)
        else:
            self._wait_until(self._heard_s + interval_s)

    def _wait_until(self, due_s: float) -> None:
        self._due_s = due_s
        self._host.reactor.call_at(self, due_s)

    # -- reading

    def read(self, data: bytes) -> None:
        """Act on bytes from the socket."""
        self._host.counters.bytes_in += len(data)
        if self._phase <= Phase.CLOSING:
            for heard in self._reader.feed(data):
                self._hear(heard)

    def _hear(self, heard: Heard) -> None:
        if isinstance(heard, bytes):
            self._deliver(heard)
        elif isinstance(heard, Pinged):
            if self._phase is Phase.OPEN:
                self._write(encode_pong(heard.payload), Priority.URGENT)
        elif isinstance(heard, PeerClosed):
            self._answer_close(heard.code)
        else:
            self._fail(heard.code, heard.reason)

    def _deliver(self, text: bytes) -> None:
        if self._phase is Phase.OPEN:
            self._host.counters.messages_in += 1
            self._host.deliver(self, text)

    # -- ending

    def _fail(self, code: int, reason: str) -> None:
        if self._phase is Phase.CLOSING:  # our close frame is out already: nothing more to say
            self.cut()
        else:
            self._begin_close(code, reason, Phase.FAILED)

    def _answer_close(self, code: int) -> None:
        if self._phase is Phase.CLOSING:
            self._phase = Phase.LEAVING
            if self._outlet is None:
                self._flushed()
        else:
            self._begin_close(code, "", Phase.LEAVING)

    def _begin_close(self, code: int, reason: str, phase: Phase) -> None:
        if self._phase is not Phase.OPEN:
            return
        self._leave_audiences()
        self._phase = phase
        self._close_code = code
        self._wait_until(self._host.reactor.now_s + self._host.settings.close_timeout_s)
        self._write(encode_close(code, reason), Priority.BULK)  # behind all that waits

    def _leave_audiences(self) -> None:
        for audience in list(self.seats):
            audience.leave(self)

    def _flushed(self) -> None:
        """Take the next step of an ending when all is written."""
        if self._phase is Phase.LEAVING:
            self.cut()
        elif self._phase is Phase.FAILED:
            try:
                # Closing now, with input unread, would reset the connection and could take our
                # close frame back from the peer's buffer.
                self._sock.shutdown(SHUT_WR)
            except OSError:
                self.cut()

    # -- writing

    def _write(self, frame: bytes, priority: Priority) -> None:
        self._host.counters.frames_out += 1
        self._host.counters.bytes_out += len(frame)
        if self._outlet is not None:
            self._queue(frame, priority, None)
            return
        try:
            count = self._send(frame)
        except BlockingIOError:
            count = 0
        except OSError:
            self.cut()
            return
        if count < len(frame):
            self._stall(frame, count, priority, None)
        elif self._phase is not Phase.OPEN:
            self._flushed()

    def _stall(self, frame: bytes, count: int, priority: Priority, batch: Batch | None) -> None:
        """Take the socket out of the fast path until it has taken what is left."""
        host = self._host
        host.counters.stalls += 1
        host.stalled.add(self)
        self._outlet = Outlet(host.settings.max_queued_bytes, host.encode_skipped)
        for audience, seat in self.seats.items():
            audience.set_writer(seat, self._queue_round)
        host.reactor.watch_writing(self._sock, True)
        if count:
            self._outlet.cut(frame[count:])
        else:
            self._queue(frame, priority, batch)

    def _unstall(self) -> None:
        self._outlet = None
        self._host.stalled.discard(self)
        for audience, seat in self.seats.items():
            audience.set_writer(seat, self._send)
        self._host.reactor.watch_writing(self._sock, False)
        self._flushed()

    def _queue_round(self, frame: bytes) -> int:
        """Stand in for `socket.send` in the fan-out's lists."""
        batch = self._host.current_batch()
        self._queue(frame, batch.priority, batch)
        return len(frame)

    def _queue(self, frame: bytes, priority: Priority, batch: Batch | None) -> None:
        assert self._outlet is not None
        outlet = self._outlet
        fits = outlet.push(frame, priority, batch)
        for thinned, number in enumerate(outlet.thinned):
            self._host.counters.thinned[thinned] += number
            outlet.thinned[thinned] = 0
        if not fits:
            self._too_slow(outlet)

    def _too_slow(self, outlet: Outlet) -> None:
        if self._phase is not Phase.OPEN:
            self.cut()
            return
        outlet.keep_only_rest()
        self.close(CloseCode.SLOW_CONSUMER, "reading too slowly; resume")
