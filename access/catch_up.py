"""Brings one member from where it was to where the stream is, then lets it into the audience."""

from collections.abc import Sequence

import structlog
import trio

from access.edge.interface import Connection
from access.room_stream import RoomStream
from access.upstream import Upstream
from proto import server_frames
from proto.errors import RequestError
from proto.services import FetchAnswer, FetchBody

log = structlog.get_logger()

PAGE = 100
"""Questions to the log begin at a multiple of it, so that members who resume from about the same
place share one answer."""
MESSAGE_BYTES = 32 * 1024
QUEUED_BYTES = 32 * 1024
"""A client that has this much unread gets no more history until it has read some."""
LOOK_AGAIN_S = 0.02
AHEAD_S = 2.0
"""How long this node may be behind the node that the client comes from."""
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
MAX_FRUITLESS = 5


class Seat:
    """One member's place in a room."""

    __slots__ = ("connection", "gone", "uid")

    def __init__(self, connection: Connection, uid: str) -> None:
        self.connection = connection
        self.uid = uid
        self.gone = False
        """Whether the member has left: whatever is on its way to it is let go."""


class CatchUp:
    """Sends what is missing between a position and the stream's own, from ring or room log.

    What the log no longer has is told with `reset`. While logic is away it waits: the member gets
    nothing of this stream meanwhile, and loses nothing.
    """

    def __init__(
        self, seat: Seat, stream: RoomStream, upstream: Upstream, epoch: str, seq: int
    ) -> None:
        self._seat = seat
        self._stream = stream
        self._upstream = upstream
        self._epoch = epoch
        self._seq = seq
        self._failures = 0
        self._fruitless = 0
        self._exactly = False
        """Ask from the member's own position: the frames are so big that a page was cut before."""

    async def run(self) -> None:
        """Return when the member is in the audience, or has left."""
        give_up_waiting_at, began_seq = trio.current_time() + AHEAD_S, self._stream.seq
        while not (self._seat.gone or self._stream.closed):
            if self._seat.connection.queued_bytes > QUEUED_BYTES:
                await trio.sleep(LOOK_AGAIN_S)
            elif self._is_level():
                self._stream.audience.add(self._seat.connection)
                return
            elif self._is_ahead() and trio.current_time() < give_up_waiting_at:
                await self._moved(LOOK_AGAIN_S)
            elif self._is_ahead():
                await self._come_back(began_seq)
            elif not self._from_ring():
                await self._from_log()

    def _is_level(self) -> bool:
        return (self._epoch, self._seq) == (self._stream.epoch, self._stream.seq)

    def _is_ahead(self) -> bool:
        return self._epoch == self._stream.epoch and self._seq > self._stream.seq

    async def _come_back(self, began_seq: int) -> None:
        """Give up waiting for the stream to reach the member's position.

        This node may be that far behind: then the member knows what it gets twice. But a number
        that nobody has given yet would have it ignore messages: a store that lost its last seconds
        took it back, or the client made it up.
        """
        question = FetchBody(self._stream.priority, self._epoch, self._seq, self._seq)
        try:
            answer = await self._upstream.fetch(self._stream.room, question)
        except RequestError:
            await self._back_off()
            return
        if not self._is_ahead():
            return
        if answer.epoch == self._epoch and answer.head_seq < self._seq:
            self._reset(began_seq)
        else:
            self._seq = self._stream.seq

    def _from_ring(self) -> bool:
        if self._epoch != self._stream.epoch:
            return False
        last = min(self._stream.seq, self._seq + PAGE)
        frames = self._stream.ring.read(self._seq + 1, last)
        if frames is None:
            return False
        self._send([frame for _, frame in frames])
        self._seq = last
        return True

    async def _from_log(self) -> None:
        first = self._first_to_ask()
        question = FetchBody(self._stream.priority, self._stream.epoch, first, first + 2 * PAGE - 1)
        try:
            answer = await self._upstream.fetch(self._stream.room, question)
        except RequestError as error:
            log.info("catch_up_waits", room=self._stream.room, error=str(error))
            await self._back_off()
            return
        self._failures = 0
        if not (self._seat.gone or self._stream.closed):
            await self._take(answer, question.epoch)

    def _first_to_ask(self) -> int:
        if self._epoch != self._stream.epoch:
            return 1
        # From the start of a page: those who come back together ask the same.
        return self._seq + 1 if self._exactly else self._seq // PAGE * PAGE + 1

    async def _take(self, answer: FetchAnswer, asked_epoch: str) -> None:
        if answer.epoch == "" or self._fruitless >= MAX_FRUITLESS:
            self._reset(self._stream.seq)
        elif answer.epoch != self._stream.epoch:
            # The log has begun anew and this node has not noticed yet.
            self._stream.heads(answer.epoch, answer.head_seq)
            await self._moved(1.0)
        elif answer.epoch == asked_epoch and not self._advance(answer):
            if not self._exactly and answer.frames and answer.frames[-1][0] <= self._seq:
                self._exactly = True
                return
            self._fruitless += 1
            await self._back_off()

    def _advance(self, answer: FetchAnswer) -> bool:
        before = (self._epoch, self._seq)
        oldest_start = min(answer.oldest_seq - 1, self._stream.seq)
        if (self._epoch, self._seq, oldest_start) == ("", 0, 0):
            self._epoch = answer.epoch  # it was there before the first message: nothing is gone
        elif self._epoch != answer.epoch or self._seq < oldest_start:
            self._reset(oldest_start)
        self._stream.ring.prepend(answer.frames)
        frames = []
        for seq, frame in answer.frames:
            if self._seq < seq <= self._stream.seq and seq == self._seq + 1:
                frames.append(frame)
                self._seq = seq
        self._send(frames)
        return before != (self._epoch, self._seq)

    def _reset(self, seq: int) -> None:
        stream = self._stream
        self._epoch, self._seq = stream.epoch, seq
        self._send([server_frames.reset(stream.room, stream.priority, stream.epoch, seq)])

    def _send(self, frames: Sequence[bytes]) -> None:
        part: list[bytes] = []
        size = 0
        for frame in frames:
            part.append(frame)
            size += len(frame)
            if size >= MESSAGE_BYTES:
                self._send_message(part)
                part, size = [], 0
        if part:
            self._send_message(part)

    def _send_message(self, frames: Sequence[bytes]) -> None:
        message = server_frames.message(frames)
        self._seat.connection.send(message, self._stream.priority)

    async def _moved(self, within_s: float) -> None:
        with trio.move_on_after(within_s):
            await self._stream.moved.wait()

    async def _back_off(self) -> None:
        self._failures += 1
        await trio.sleep(min(FIRST_BACKOFF_S * 2**self._failures, MAX_BACKOFF_S))
