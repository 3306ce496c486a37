"""The write path over io_uring: one system call for a whole run of sockets."""

from errno import EAGAIN

from access.edge.audience import SeatedAudience
from access.edge.writing.interface import Shortfall, attempt
from access.edge.writing.loop import LoopWrites
from access.edge.writing.ring import Ring

ENTRIES = 1024


class RingWrites:
    """A `WritePath`. A seat without a descriptor of its own (stalled, TLS, empty) fails with EBADF
    and is written through its writer; where most are like that, the loop is shorter."""

    name = "io_uring"

    def __init__(self, max_frame_bytes: int) -> None:
        self._ring = Ring(ENTRIES, max_frame_bytes)
        self._loop = LoopWrites()

    def write(
        self, audience: SeatedAudience, start: int, stop: int, frame: bytes
    ) -> list[Shortfall]:
        """See `WritePath`."""
        mostly_not = audience.direct * 2 < len(audience.writers)
        if mostly_not or len(frame) > self._ring.buffer_bytes:
            return self._loop.write(audience, start, stop, frame)
        descriptors = audience.descriptors[start:stop]
        short: list[Shortfall] = []
        for index, result in self._ring.send(descriptors, frame):
            seat, count = start + index, max(result, -1)
            if descriptors[index] < 0:
                count = attempt(audience.writers[seat], frame)
            elif result == -EAGAIN:
                count = 0
            if count != len(frame):
                short.append((seat, count))
        return short

    def close(self) -> None:
        """See `WritePath`."""
        self._ring.close()
