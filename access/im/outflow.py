"""What one connection has in flight over all its streams, and how it is written."""

from collections.abc import Sequence

from access.edge.interface import Connection
from access.im.counters import ImCounters
from access.im.stream import Stream
from proto import server_frames
from proto.close_codes import CloseCode
from proto.priorities import Priority

MESSAGE_BYTES = 16 * 1024
"""Frames are joined up to here: an urgent message waits behind at most one such message."""


class Outflow:
    """Writes the frames of all streams of a connection, and keeps within what they may have in
    flight together: less than what closes a slow reader."""

    __slots__ = ("_bytes", "_connection", "_counters", "_max_bytes", "starved")

    def __init__(self, connection: Connection, max_bytes: int, counters: ImCounters) -> None:
        self.starved = False
        """Whether a stream has waited for bytes that others have in flight."""
        self._connection = connection
        self._max_bytes = max_bytes
        self._counters = counters
        self._bytes = 0

    def fits(self, stream: Stream, size_bytes: int) -> bool:
        """Say whether a message of `stream` may be sent now."""
        fits = self._bytes + size_bytes <= self._max_bytes or not self._bytes
        self.starved |= not fits
        return fits and stream.window.fits(size_bytes)

    def entered(self, size_bytes: int) -> None:
        """Note that a message has entered a window: it is to be written."""
        self._bytes += size_bytes
        self._counters.sent += 1
        self._counters.in_flight += 1
        self._counters.in_flight_bytes += size_bytes

    def left(self, messages: int, size_bytes: int) -> None:
        """Note that messages have left a window."""
        self._bytes -= size_bytes
        self._counters.in_flight -= messages
        self._counters.in_flight_bytes -= size_bytes

    def send_again(self, stream: Stream, now: float) -> None:
        """Send again what is due; closes the connection when it was enough."""
        due_at = stream.window.due_at
        if due_at is None or now < due_at:
            return
        if self._connection.queued_bytes:
            stream.window.postpone(now)  # it has not left this node yet
            return
        frames = stream.window.expire(now)
        if stream.window.dead:
            self._counters.dead += 1
            self._connection.close(CloseCode.UNACKNOWLEDGED, f"{stream.name}: not acknowledged")
        elif frames:
            self._counters.resends += len(frames)
            self.write(frames)

    def write(self, frames: Sequence[bytes]) -> None:
        """Write frames, joined."""
        start = size = 0
        for end, frame in enumerate(frames):
            if size and size + len(frame) > MESSAGE_BYTES:
                self._write_one(frames[start:end])
                start, size = end, 0
            size += len(frame)
        self._write_one(frames[start:])

    def _write_one(self, frames: Sequence[bytes]) -> None:
        self._connection.send(server_frames.message(frames), Priority.NORMAL)
