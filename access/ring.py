"""The newest frames of one stream: serves resumes and fetches without a trip to the room log."""

from collections.abc import Sequence


class Ring:
    """An unbroken run of frames of one epoch, bounded by count and bytes."""

    def __init__(self, max_frames: int, max_bytes: int, seq: int = 0) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: dict[int, bytes] = {}
        self._oldest = self._next = seq + 1
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def oldest_seq(self) -> int:
        """The lowest number that is here; the next number if none is."""
        return self._oldest

    def begin(self, seq: int) -> None:
        """Start anew behind number `seq`: another epoch, or behind a hole."""
        self._frames.clear()
        self._oldest = self._next = seq + 1
        self.bytes = 0

    def append(self, seq: int, frame: bytes) -> None:
        """Add the newest frame; the oldest ones go when it is full."""
        if seq != self._next:
            self.begin(seq - 1)
        self._frames[seq] = frame
        self._next = seq + 1
        self.bytes += len(frame)
        while len(self._frames) > self._max_frames or self.bytes > self._max_bytes:
            self.bytes -= len(self._frames.pop(self._oldest))
            self._oldest += 1

    def prepend(self, frames: Sequence[tuple[int, bytes]]) -> None:
        """Add fetched frames, ascending, that come right before the oldest, as far as they fit."""
        for seq, frame in reversed(frames):
            if seq >= self._oldest:
                continue
            full = len(self._frames) >= self._max_frames
            if seq != self._oldest - 1 or full or self.bytes + len(frame) > self._max_bytes:
                return
            self._frames[seq] = frame
            self.bytes += len(frame)
            self._oldest = seq

    def read(self, first_seq: int, last_seq: int) -> list[tuple[int, bytes]] | None:
        """Return `first_seq`..`last_seq`, or `None` unless every one of them is here."""
        if first_seq < self._oldest or last_seq >= self._next:
            return None
        return [(seq, self._frames[seq]) for seq in range(first_seq, last_seq + 1)]
