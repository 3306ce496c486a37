"""The writing half of a client: straight to the socket, or while it is stalled to an outlet."""

from abc import ABC, abstractmethod
from typing import Protocol

from access.edge.audience import SeatedAudience, Writer
from access.edge.channel import Channel, plain_descriptor
from access.edge.counters import EdgeCounters
from access.edge.interface import Batch, EncodeSkipped
from access.edge.outlet import Outlet
from access.edge.reactor import Reactor
from access.edge.settings import EdgeSettings
from proto.priorities import Priority


class TransmitterHost(Protocol):
    """What all transmitters share: given to each by the server."""

    settings: EdgeSettings
    counters: EdgeCounters
    reactor: Reactor
    encode_skipped: EncodeSkipped
    stalled: "set[Transmitter]"

    def current_batch(self) -> Batch:
        """Return the batch that the fan-out is writing."""
        ...


class Transmitter(ABC):
    """Writes whole frames in order. Its audiences hold its writer: the channel's own `send` (a
    plain socket's is what nothing is faster than), or while the socket is stalled the queue's."""

    __slots__ = ("_channel", "_outlet", "_send", "_shared", "deflate_bits", "seats")

    def __init__(self, channel: Channel, shared: TransmitterHost, deflate_bits: int) -> None:
        self.seats: dict[SeatedAudience, int] = {}
        self.deflate_bits = deflate_bits
        self._channel = channel
        self._send: Writer = channel.send
        self._shared = shared
        self._outlet: Outlet | None = None

    @abstractmethod
    def cut(self) -> None:
        """End the connection: its socket is broken."""

    @abstractmethod
    def too_slow(self, outlet: Outlet) -> None:
        """Act on a queue that is over its bound with nothing left to thin."""

    @abstractmethod
    def flushed(self) -> None:
        """Act on all being written, when it was not written at once or an end has begun."""

    @property
    def queued_bytes(self) -> int:
        """See `interface.Connection`."""
        return self._outlet.queued_bytes if self._outlet is not None else 0

    @property
    def writer(self) -> Writer | None:
        """See `audience.Member`."""
        return self._send if self._outlet is None else self._queue_round

    @property
    def descriptor(self) -> int:
        """See `audience.Member`."""
        return plain_descriptor(self._channel) if self._outlet is None else -1

    def round_cut_short(self, frame: bytes, count: int, batch: Batch) -> None:
        """See `audience.Member`."""
        self._stall(frame, count, batch.priority, batch)

    def write(self, frame: bytes, priority: Priority) -> bool:
        """Write one whole frame or queue it; returns whether all of it was written at once."""
        self._shared.counters.frames_out += 1
        self._shared.counters.bytes_out += len(frame)
        if self._outlet is not None:
            self._queue(frame, priority, None)
            return False
        try:
            count = self._send(frame)
        except BlockingIOError:
            count = 0
        except OSError:
            self.cut()
            return False
        if count < len(frame):
            self._stall(frame, count, priority, None)
        return count == len(frame)

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
            self._outlet.moved_s = self._shared.reactor.now_s
            self._outlet.written(head, count)
            if count < len(head):
                return
        self._unstall()

    def end_if_stuck(self, now_s: float) -> None:
        """Give up on a socket that has taken nothing for `stall_s`: its peer may resume."""
        outlet = self._outlet
        if outlet is not None and now_s - outlet.moved_s >= self._shared.settings.stall_s:
            self.too_slow(outlet)

    def leave_audiences(self) -> None:
        """Receive no more rounds."""
        for audience in list(self.seats):
            audience.leave(self)

    def close_socket(self) -> None:
        """Forget what waits and close; the kernel gives the descriptor's number away at once, so
        whatever holds the socket's `send` must let go of it first."""
        self.leave_audiences()
        self._outlet = None
        self._shared.stalled.discard(self)
        self._shared.reactor.close(self._channel)

    def _stall(self, frame: bytes, count: int, priority: Priority, batch: Batch | None) -> None:
        """Take the socket out of the fast path until it has taken what is left."""
        shared = self._shared
        shared.counters.stalls += 1
        shared.stalled.add(self)
        limit_bytes, now_s = shared.settings.max_queued_bytes, shared.reactor.now_s
        self._outlet = Outlet(limit_bytes, shared.encode_skipped, now_s)
        self._tell_audiences(self._queue_round, -1)
        shared.reactor.watch_writing(self._channel, True)
        if count:
            self._outlet.cut(frame[count:])
        else:
            self._queue(frame, priority, batch)

    def _unstall(self) -> None:
        self._outlet = None
        self._shared.stalled.discard(self)
        self._tell_audiences(self._send, self.descriptor)
        self._shared.reactor.watch_writing(self._channel, False)
        self.flushed()

    def _tell_audiences(self, writer: Writer, descriptor: int) -> None:
        for audience, seat in self.seats.items():
            audience.set_writer(seat, writer, descriptor)

    def _queue_round(self, frame: bytes) -> int:
        """Stand in for `socket.send` in the fan-out's lists."""
        batch = self._shared.current_batch()
        self._queue(frame, batch.priority, batch)
        return len(frame)

    def _queue(self, frame: bytes, priority: Priority, batch: Batch | None) -> None:
        assert self._outlet is not None
        outlet = self._outlet
        fits = outlet.push(frame, priority, batch)
        for thinned, number in enumerate(outlet.thinned):
            self._shared.counters.thinned[thinned] += number
            outlet.thinned[thinned] = 0
        if not fits:
            self.too_slow(outlet)
