"""What waits for one slow client, and what is left out of it when too much waits.

An outlet exists only while its socket is stalled. Order: the rest of a frame that was cut, then
urgent, normal, bulk. Over the bound the oldest bulk rounds go first, then the oldest normal ones;
replies and urgent rounds never go: when only they are left, the client is too slow to be held.
"""

from collections import deque
from dataclasses import replace

from access.edge.frames import encode_text
from access.edge.interface import Batch, EncodeSkipped, Skipped
from proto.priorities import Priority

GAP_BYTES = 128
"""What a remembered gap counts towards the bound: about the size of its `skipped` push."""
THINNED_FIRST = (Priority.BULK, Priority.NORMAL)


class Lane:
    """The frames of one priority that wait, and the gaps that are told before them."""

    __slots__ = ("frames", "gaps")

    def __init__(self) -> None:
        self.frames: deque[tuple[bytes, Batch | None]] = deque()
        # Thinning takes the oldest first, so whatever is left of a stream is behind its gap.
        self.gaps: deque[Skipped] = deque()

    def thin(self) -> tuple[int, Batch] | None:
        """Take the oldest round out, if any; returns the bytes that frees, and the round."""
        for index, (frame, batch) in enumerate(self.frames):
            if batch is not None:
                del self.frames[index]
                return len(frame) - self._remember(batch), batch
        return None

    def drop_head(self) -> int:
        """Forget the first gap or frame; returns the bytes that it counted."""
        if self.gaps:
            self.gaps.popleft()
            return GAP_BYTES
        return len(self.frames.popleft()[0])

    def _remember(self, batch: Batch) -> int:
        """Merge the round into the gap before it, or add one; returns the bytes it costs."""
        for index, gap in enumerate(self.gaps):
            same = (gap.stream, gap.epoch) == (batch.stream, batch.epoch)
            if same and gap.last_seq + 1 == batch.first_seq:
                self.gaps[index] = replace(gap, last_seq=batch.last_seq)
                return 0
        gap = Skipped(batch.stream, batch.priority, batch.epoch, batch.first_seq, batch.last_seq)
        self.gaps.append(gap)
        return GAP_BYTES


class Outlet:
    """The bounded queue of one stalled socket; pure: bytes in, bytes out."""

    __slots__ = (
        "_encode_skipped",
        "_lanes",
        "_max_bytes",
        "_rest",
        "moved_s",
        "queued_bytes",
        "thinned",
    )

    def __init__(self, max_bytes: int, encode_skipped: EncodeSkipped, now_s: float) -> None:
        self.moved_s = now_s
        """When the socket took something last; whoever writes sets it."""
        self.queued_bytes = 0
        self.thinned = [0, 0, 0]
        """Messages left out since the last look, by priority; whoever counts sets it back."""
        self._max_bytes = max_bytes
        self._encode_skipped = encode_skipped
        self._rest = b""
        self._lanes = (Lane(), Lane(), Lane())

    def __bool__(self) -> bool:
        return self.queued_bytes > 0

    def push(self, frame: bytes, priority: Priority, batch: Batch | None = None) -> bool:
        """Queue one whole frame: a round's if `batch` is given, else one that is never thinned.

        Returns whether the bound still holds; if not, the client is to be closed.
        """
        self._lanes[priority].frames.append((frame, batch))
        self.queued_bytes += len(frame)
        return self.queued_bytes <= self._max_bytes or self._thin()

    def cut(self, rest: bytes) -> None:
        """Keep the unwritten rest of a frame: it goes before all else."""
        self._rest = rest
        self.queued_bytes += len(rest)

    def head(self) -> bytes:
        """Return the next frame (or the rest of one) to write; empty when nothing waits."""
        if self._rest:
            return self._rest
        for lane in self._lanes:
            if lane.gaps:
                return encode_text(self._encode_skipped(lane.gaps[0]))
            if lane.frames:
                return lane.frames[0][0]
        return b""

    def written(self, head: bytes, count: int) -> None:
        """Take note that the first `count` bytes of `head` (from `head()`) were written."""
        if self._rest:
            self._rest = self._rest[count:]
            self.queued_bytes -= count
        elif count:
            self._drop_head()
            self.cut(head[count:])

    def _drop_head(self) -> None:
        for lane in self._lanes:
            if lane.gaps or lane.frames:
                self.queued_bytes -= lane.drop_head()
                return

    def keep_only_rest(self) -> None:
        """Forget every whole frame, so that only a close frame follows the one that was cut."""
        self._lanes = (Lane(), Lane(), Lane())
        self.queued_bytes = len(self._rest)

    def _thin(self) -> bool:
        for priority in THINNED_FIRST:
            while self.queued_bytes > self._max_bytes and (gone := self._lanes[priority].thin()):
                freed, batch = gone
                self.queued_bytes -= freed
                self.thinned[batch.priority] += batch.messages
        return self.queued_bytes <= self._max_bytes
