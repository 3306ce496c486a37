"""What waits for one lane of one relay: bounded in bytes, in order, with one policy when full."""

from collections import deque


class Outbox:
    """A queue of envelopes; `drops_oldest` says what gives way when it is full.

    Bulk drops its oldest, since the newest total is the one that counts. Otherwise `put` refuses,
    and the caller waits or counts.
    """

    def __init__(self, limit_bytes: int, *, drops_oldest: bool) -> None:
        self._limit_bytes = limit_bytes
        self._drops_oldest = drops_oldest
        self._control: deque[bytes] = deque()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self.dropped = 0
        """Envelopes that gave way to newer ones."""

    @property
    def depth(self) -> int:
        """Envelopes that wait."""
        return len(self._waiting) + len(self._control)

    @property
    def depth_bytes(self) -> int:
        """Bytes that wait, without control envelopes."""
        return self._bytes

    def put(self, envelope: bytes) -> bool:
        """Add `envelope`, or return false where it does not fit.

        One that is over the limit by itself goes in when nothing else waits.
        """
        over = self._bytes + len(envelope) - self._limit_bytes
        if over > 0 and self._waiting:
            if not self._drops_oldest:
                return False
            self._drop(over)
        self._waiting.append(envelope)
        self._bytes += len(envelope)
        return True

    def put_control(self, envelope: bytes) -> None:
        """Add an envelope of the mesh itself: before all others, and never refused.

        Those who send control bound it: one step of interest, one answer for each ping.
        """
        self._control.append(envelope)

    def take(self, batch_bytes: int) -> list[bytes]:
        """Remove and return what goes into the next batch: about `batch_bytes`, one at least."""
        taken = list(self._control)
        self._control.clear()
        room = batch_bytes - sum(map(len, taken))
        while self._waiting and (not taken or len(self._waiting[0]) <= room):
            envelope = self._waiting.popleft()
            taken.append(envelope)
            self._bytes -= len(envelope)
            room -= len(envelope)
        return taken

    def _drop(self, over: int) -> None:
        while self._waiting and over > 0:
            oldest = self._waiting.popleft()
            self._bytes -= len(oldest)
            over -= len(oldest)
            self.dropped += 1
