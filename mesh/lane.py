"""One lane to one relay: an outbox that a writer empties into a link, and a reader."""

import struct
from collections.abc import Callable

import trio

from backends.links.interface import Dialed, Happened
from mesh.batching import BATCH_BYTES, LINGER_S
from mesh.interface import RelayDownError
from mesh.outbox import Outbox
from proto.envelopes import BATCH_START, BadEnvelopeError, Envelope, Kind, encode, split
from proto.priorities import Priority

POLL_BATCHES = 4
"""Batches between two looks at the other lanes."""

ARRIVE_S = 1.0
ARRIVE_POLL_S = 0.005

_TIME = struct.Struct("!d")
Take = Callable[["Lane", Envelope], None]


class LinkLostError(Exception):
    """The link is gone, silent or speaks nonsense: the connection to its relay is over."""


class Traffic:
    """What a lane has carried: of one connection, or of several added up."""

    def __init__(self) -> None:
        self.batches_in = self.batches_out = 0
        self.envelopes_in = self.envelopes_out = 0
        self.bytes_in = self.bytes_out = 0

    def add(self, other: "Traffic") -> None:
        """Count what `other` has carried too."""
        self.batches_in += other.batches_in
        self.batches_out += other.batches_out
        self.envelopes_in += other.envelopes_in
        self.envelopes_out += other.envelopes_out
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out


class Lane:
    """The lane `priority` of one connection; `before_flush` may put control into the outbox."""

    def __init__(self, priority: Priority, end: Dialed, outbox: Outbox) -> None:
        self.priority = priority
        self.peer = end.link.peer
        """Whom the other side's certificate is for; see `Link`."""
        self.outbox = outbox
        self.traffic = Traffic()
        self.round_trip_ms = 0.0
        self.senders = 0
        """How many wait for room."""
        self.before_flush: Callable[[], None] = _nothing
        self._end = end
        self._link = end.link
        self._wanted = trio.Event()
        self._room = trio.Event()
        self._early: list[Envelope] = []
        self._down = False
        self._heard_at = trio.current_time()
        self._sent_at = float("-inf")
        self._answered = float("-inf")
        """When the last ping left that was answered."""

    async def greet(self, hello: bytes) -> bytes:
        """Say hello and return the header of the welcome; raises `LinkLostError` without one."""
        self._link.send(BATCH_START + hello)
        while True:
            # What the relay sends first may come together with its welcome.
            came = [each for batch in await self._receive() for each in split(batch)]
            if came and came[0].kind == Kind.WELCOME:
                self._early = came[1:]
                return came[0].header

    async def send(self, envelope: bytes) -> None:
        """Queue `envelope`; waits for room and raises `RelayDownError` when the lane goes down."""
        while not self.offer(envelope):
            if self._down:
                raise RelayDownError
            self.senders += 1
            try:
                await self._room.wait()
            finally:
                self.senders -= 1
        if self._down:
            raise RelayDownError

    def offer(self, envelope: bytes) -> bool:
        """Queue `envelope` if there is room."""
        if self._down or not self.outbox.put(envelope):
            return False
        self._wanted.set()
        return True

    def wake(self) -> None:
        """Have the writer look: there is control to send."""
        self._wanted.set()

    def ping(self, now: float) -> None:
        """Ask for a sign of life; passes a closed window once."""
        ping = encode(Kind.PING, self.priority, body=_TIME.pack(now))
        self._link.send_control(BATCH_START + ping)

    def pong(self, body: bytes) -> None:
        """Take in the answer to a ping."""
        if len(body) == _TIME.size:
            (self._answered,) = _TIME.unpack(body)
            self.round_trip_ms = (trio.current_time() - self._answered) * 1000

    async def arrived(self) -> None:
        """Wait until all that was sent is there: what a closed socket holds, above all of an
        encrypted link, is lost. A relay that does not answer is waited for no longer than
        `ARRIVE_S`."""
        since = trio.current_time()
        with trio.move_on_after(ARRIVE_S):
            while self._answered < since and not self._down:
                self.ping(trio.current_time())
                await trio.sleep(ARRIVE_POLL_S)

    def silent_for(self, now: float) -> float:
        """Return the seconds since anything came."""
        return now - self._heard_at

    async def write(self) -> None:
        """Send what is queued, as the link takes it: what comes while it lingers goes together."""
        linger_s = LINGER_S[self.priority]
        while True:
            await self._wanted.wait()
            await trio.sleep_until(self._sent_at + linger_s)
            self._wanted = trio.Event()
            self.before_flush()
            self._flush()

    async def read(self, take: Take) -> None:
        """Hand every envelope to `take`; raises `LinkLostError` at the end of the link."""
        for envelope in self._early:
            take(self, envelope)
        while True:
            for batch in await self._receive():
                self._take_batch(batch, take)
            await trio.lowlevel.checkpoint()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent by it."""
        return not self.outbox.depth and not self.senders

    def go_down(self) -> None:
        """End: whoever waits to send is told."""
        self._down = True
        self._end.close()
        self._room.set()

    def _take_batch(self, batch: bytes, take: Take) -> None:
        count = 0
        try:
            for count, envelope in enumerate(split(batch), 1):  # noqa: B007
                take(self, envelope)
            self.traffic.envelopes_in += count
        except BadEnvelopeError as error:
            raise LinkLostError(str(error)) from error

    async def _receive(self) -> list[bytes]:
        """Wait for batches, give their places back, and send if that is possible again."""
        while not (events := self._end.poll(POLL_BATCHES)):
            await self._end.wait()
        batches = [event.what for event in events if isinstance(event.what, bytes)]
        for batch in batches:
            self.traffic.batches_in += 1
            self.traffic.bytes_in += len(batch)
            self._link.consumed()
            self._heard_at = trio.current_time()
        for event in events:
            if event.what is Happened.GONE:
                raise LinkLostError("the relay has gone")
            if event.what is Happened.SENDABLE:
                self._flush()
        return batches

    def _flush(self) -> None:
        while self.outbox.depth and self._link.sendable:
            envelopes = self.outbox.take(BATCH_BYTES)
            batch = b"".join((BATCH_START, *envelopes))
            self._link.send(batch)
            self._sent_at = trio.current_time()
            self.traffic.batches_out += 1
            self.traffic.envelopes_out += len(envelopes)
            self.traffic.bytes_out += len(batch)
            room, self._room = self._room, trio.Event()
            room.set()


def _nothing() -> None:
    return
