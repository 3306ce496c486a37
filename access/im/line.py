"""What comes next in one stream of one connection: what is a duplicate, what is missing. No I/O.

A mailbox has every number. A hot stream has the numbers of its group's messages, without those from
times when the group was not hot: only a page of it says what there is between two numbers.
"""

from collections.abc import Sequence

Numbered = tuple[int, bytes]


class Line:
    """Frames that wait for their place, and how far the stream is known to go."""

    __slots__ = ("_frames", "_through", "head", "position")

    def __init__(self, position: int, head: int) -> None:
        self.position = position
        """Everything up to here was passed on."""
        self.head = max(position, head)
        """The highest number that is known to exist."""
        self._through = position
        """What exists up to here was passed on or waits."""
        self._frames: dict[int, bytes] = {}

    def __len__(self) -> int:
        """How many frames wait."""
        return len(self._frames)

    def offer(self, n: int, frame: bytes | None) -> bool:
        """Take message `n` as it came live, or (`None`) only note that there is one; says whether
        it is new."""
        if n <= self.position or n in self._frames:
            return False
        self.head = max(self.head, n)
        if frame is not None:
            self._frames[n] = frame
        return True

    def learn(self, head: int) -> None:
        """Learn that the stream goes as far as `head`."""
        self.head = max(self.head, head)

    def page(self, frames: Sequence[Numbered], head: int, asked_head: int) -> None:
        """Take a page that was asked for after `position` or an earlier one, when `asked_head` was
        the head here; the stream ended at `head`: an empty page says that nothing is up to there.
        """
        for n, frame in frames:
            if n > self.position:
                self._frames.setdefault(n, frame)
        self._through = max(self._through, frames[-1][0] if frames else head)
        if frames or self.head > asked_head:
            self.head = max(self.head, head)  # the page may be cut, or older than what came since
        else:
            # A number that was announced and is beyond the stream's end does not exist.
            self.head = max(self.position, self._through, *self._frames)

    def next(self) -> Numbered | None:
        """Return the next message, or `None` where it is not here."""
        while True:
            frame = self._frames.get(self.position + 1)
            if frame is not None:
                return self.position + 1, frame
            if self._through <= self.position:
                return None
            self._jump()

    def take(self) -> Numbered:
        """Return the next message, which there must be, and pass over it."""
        found = self.next()
        assert found is not None, "there is none"
        del self._frames[found[0]]
        self.position = found[0]
        return found

    @property
    def missing(self) -> bool:
        """Whether the next message exists and is not here."""
        return self.next() is None and self.head > self.position

    def restart(self, position: int) -> None:
        """Go on after `position`, which is not before the present one."""
        self._frames.clear()
        self.position = self._through = position
        self.head = max(self.head, position)

    def cut(self, last: int) -> None:
        """Forget what lies beyond `last`: the stream pauses there."""
        self._frames = {n: frame for n, frame in self._frames.items() if n <= last}
        self._through = min(self._through, max(last, self.position))
        self.head = min(self.head, max(last, self.position))

    def _jump(self) -> None:
        """Pass over the numbers that do not exist."""
        there = [n for n in self._frames if n <= self._through]
        self.position = min(there) - 1 if there else self._through
