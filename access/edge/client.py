"""One client after its handshake: reads its frames, keeps its deadlines, ends it in good order."""

from enum import IntEnum
from socket import SHUT_WR
from typing import Any, Protocol

from access.edge.audience import Writer
from access.edge.channel import Channel
from access.edge.frames import PING_FRAME, encode_close, encode_pong, encode_text
from access.edge.outlet import Outlet
from access.edge.reading.fallback import Binary, Heard, PeerClosed, Pinged
from access.edge.reading.reader import Reader
from access.edge.transmitter import Transmitter, TransmitterHost
from proto.close_codes import CloseCode
from proto.priorities import Priority

READ_BYTES = 4096
"""One client's share of a wake-up: some 600 of the smallest frames."""
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


class ClientHost(TransmitterHost, Protocol):
    """What all clients share: given to each by the server."""

    def admitted(self, client: "Client") -> None:
        """Count the client no more among those who are opening."""
        ...

    def deliver(self, client: "Client", text: bytes) -> None:
        """Hand a message to the session layer."""
        ...

    def deliver_binary(self, client: "Client", payload: bytes) -> None:
        """Act on a binary message."""
        ...

    def blamed(self, client: "Client") -> None:
        """Count an attempt that was of no use against the client's address."""
        ...

    def gone(self, client: "Client", code: int) -> None:
        """Tell the session layer, later, that the client is gone."""
        ...


class Client(Transmitter):
    """A connection; see `interface.Connection`.

    Idle it holds its socket and a few numbers: a queue exists only while the socket is stalled.
    """

    __slots__ = (
        "_bytes_full_s",
        "_close_code",
        "_due_s",
        "_heard_s",
        "_host",
        "_phase",
        "_pings_full_s",
        "_reader",
        "address",
        "id",
        "state",
    )

    def __init__(
        self, number: int, address: str, channel: Channel, host: ClientHost, deflate_bits: int
    ) -> None:
        super().__init__(channel, host, deflate_bits)
        self.id = number
        self.address = address
        self.state: Any = None
        self._host = host
        self._phase = Phase.OPEN
        self._close_code = CUT_WITHOUT_CLOSE
        self._bytes_full_s = self._pings_full_s = 0.0
        """All that is kept of the two rates: see `Rate`."""
        self._reader = Reader(
            host.settings.max_message_bytes,
            inflates=deflate_bits > 0,
            max_fragments=host.settings.max_fragments,
        )
        self._heard_s = host.reactor.now_s
        self._wait_until(self._heard_s + host.settings.ping_interval_s)

    # -- what the session layer calls

    def send(self, message: bytes, priority: Priority) -> None:
        """See `interface.Connection`."""
        if self._phase is Phase.OPEN:
            self._host.counters.deliveries[priority] += 1
            self.write(encode_text(message), priority)

    def admitted(self) -> None:
        """See `interface.Connection`."""
        self._host.admitted(self)

    def blame(self) -> None:
        """See `interface.Connection`."""
        self._host.blamed(self)

    def close(self, code: int, reason: str) -> None:
        """See `interface.Connection`."""
        self._begin_close(code, reason, Phase.CLOSING)

    # -- what the transmitter and the fan-out call

    @property
    def writer(self) -> Writer | None:
        """See `audience.Member`."""
        return super().writer if self._phase is Phase.OPEN else None

    def cut(self) -> None:
        """End the connection at once; the session layer learns of it a little later."""
        if self._phase is not Phase.GONE:
            self._phase = Phase.GONE
            self.close_socket()
            self._host.counters.fallbacks += self._reader.fallbacks
            self._host.gone(self, self._close_code)

    def too_slow(self, outlet: Outlet) -> None:
        """Close with a code that permits a resume; cut if it is closing already."""
        if self._phase is Phase.OPEN:
            outlet.keep_only_rest()
            self.close(CloseCode.SLOW_CONSUMER, "reading too slowly; resume")
        else:
            self.cut()

    def flushed(self) -> None:
        """Take the next step of an ending."""
        if self._phase is Phase.LEAVING:
            self.cut()
        elif self._phase is Phase.FAILED:
            try:
                # Closing now, with input unread, would reset the connection and could take our
                # close frame back from the peer's buffer.
                self._channel.shutdown(SHUT_WR)
            except OSError:
                self.cut()

    # -- what the reactor calls

    def on_readable(self) -> None:
        """Read once from the socket and act on it."""
        if self._phase is Phase.GONE:
            return
        try:
            data = self._channel.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._heard_s = self._host.reactor.now_s
            self.read(data)
        else:
            self.cut()

    def on_deadline(self, now_s: float) -> None:
        """Ping a quiet peer, close a silent one, cut one that does not answer our close."""
        if self._phase is Phase.GONE or now_s < self._due_s:
            return
        if self._phase is Phase.OPEN:
            self._check_pulse(now_s)
        else:
            self.cut()

    def _check_pulse(self, now_s: float) -> None:
        interval_s = self._host.settings.ping_interval_s
        quiet_s = now_s - self._heard_s
        if quiet_s >= 2 * interval_s:
            self.close(CloseCode.SILENT, "nothing heard for two heartbeats")
        elif quiet_s >= interval_s:
            self._wait_until(self._heard_s + 2 * interval_s)
            self._host.counters.pings += 1
            self.write(PING_FRAME, Priority.URGENT)
        else:
            self._wait_until(self._heard_s + interval_s)

    def _wait_until(self, due_s: float) -> None:
        self._due_s = due_s
        self._host.reactor.call_at(self, due_s)

    # -- reading

    def read(self, data: bytes) -> None:
        """Act on bytes from the socket."""
        self._host.counters.bytes_in += len(data)
        if self._phase <= Phase.CLOSING and self._may_send(len(data)):
            for heard in self._reader.feed(data):
                self._hear(heard)

    def _may_send(self, count: int) -> bool:
        rate, now_s = self._host.settings.inbound_bytes, self._host.reactor.now_s
        after_s = rate.after(self._bytes_full_s, now_s, count)
        if after_s - now_s > rate.burst_s:
            self._fail(CloseCode.TOO_MANY_ERRORS, f"over {rate.per_s:g} bytes a second")
            return False
        self._bytes_full_s = after_s
        return True

    def _answer_ping(self, payload: bytes) -> None:
        rate, now_s = self._host.settings.pings, self._host.reactor.now_s
        after_s = rate.after(self._pings_full_s, now_s)
        if after_s - now_s > rate.burst_s:
            self._fail(CloseCode.TOO_MANY_ERRORS, f"over {rate.per_s:g} pings a second")
            return
        self._pings_full_s = after_s
        self.write(encode_pong(payload), Priority.URGENT)

    def _hear(self, heard: Heard) -> None:
        if isinstance(heard, bytes):
            self._deliver(heard)
        elif isinstance(heard, Binary):
            self._deliver_binary(heard.payload)
        elif isinstance(heard, Pinged):
            if self._phase is Phase.OPEN:
                self._answer_ping(heard.payload)
        elif isinstance(heard, PeerClosed):
            self._answer_close(heard.code)
        else:
            self._fail(heard.code, heard.reason)

    def _deliver(self, text: bytes) -> None:
        if self._phase is Phase.OPEN:
            self._host.counters.messages_in += 1
            self._host.deliver(self, text)

    def _deliver_binary(self, payload: bytes) -> None:
        if self._phase is Phase.OPEN:
            self._host.deliver_binary(self, payload)

    # -- ending

    def _fail(self, code: int, reason: str) -> None:
        if self._phase is Phase.CLOSING:  # our close frame is out already: nothing more to say
            self.cut()
        else:
            self._begin_close(code, reason, Phase.FAILED)

    def _answer_close(self, code: int) -> None:
        if self._phase is not Phase.CLOSING:
            self._begin_close(code, "", Phase.LEAVING)
            return
        self._phase = Phase.LEAVING
        if not self.queued_bytes:
            self.flushed()

    def _begin_close(self, code: int, reason: str, phase: Phase) -> None:
        if self._phase is not Phase.OPEN:
            return
        self.leave_audiences()
        self._phase = phase
        self._close_code = code
        self._wait_until(self._host.reactor.now_s + self._host.settings.close_timeout_s)
        behind_all_that_waits = Priority.BULK
        if self.write(encode_close(code, reason), behind_all_that_waits):
            self.flushed()
