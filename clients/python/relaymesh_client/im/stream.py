"""The receiving end of a numbered stream: what is next, what is a duplicate, what lacks. No I/O."""

from relaymesh_client.events import Frame

MAX_HELD = 1000
"""Frames held back behind a gap. What is not held is not acknowledged, so it comes again."""

Range = tuple[int, int]


class Stream:
    """Gives frames by rising numbers, each once.

    A number that was left out either exists and lacks, or does not exist: in a hot stream, those of
    times when the group was not hot. Only a page of `sync` tells, so the next frame is the one
    numbered position + 1, or the first of what a page has said to be all.
    """

    def __init__(self, name: str, position: int, *, is_known: bool = True) -> None:
        self.name = name
        self.position = position
        """The last number that was given."""
        self.is_known = is_known
        """Whether it is known that nothing lacks before the position."""
        self._until = 0
        self._to_end = False
        self._through = position
        self._held: dict[int, Frame] = {}

    def offer(self, n: int, frame: Frame) -> bool:
        """Take number `n` as it was pushed; says whether it is new."""
        if n <= self.position or n in self._held:
            return False
        if len(self._held) < MAX_HELD or n == self.position + 1:
            self._held[n] = frame
        return True

    def page(self, frames: dict[int, Frame], since: int, through: int) -> None:
        """Take a page: `frames` by number, which are all that exist from `since` to `through`."""
        for n, frame in frames.items():
            if n > self.position:
                self._held.setdefault(n, frame)
        if self.knows(since):
            self._through = max(self._through, through)
            self._to_end &= bool(frames)

    def gone(self, until: int) -> None:
        """Learn that no page is to be had: what lacks up to number `until` won't come. Of what
        comes later that says nothing."""
        self._through = max(self._through, until)
        self._to_end = False

    def want(self, until: int) -> None:
        """Ask for what exists up to number `until`, before anything beyond it is given."""
        self._until = max(self._until, until)

    def want_all(self) -> None:
        """Ask for what exists up to the stream's end, wherever that is."""
        self._to_end = True

    def knows(self, n: int) -> bool:
        """Say whether all that exists up to number `n` is here or was given."""
        return n <= max(self.position, self._through)

    def next(self) -> Frame | None:
        """Return the next frame, or `None` where it is not here or not known to be the next."""
        frame = self._held.get(self.position + 1)
        if frame is None and self._through > self.position:
            there = [n for n in self._held if n <= self._through]
            self.position = min(there) - 1 if there else self._through
            frame = self._held.get(self.position + 1)
        return frame

    def take(self) -> None:
        """Pass over the next frame, which there must be."""
        self.position += 1
        self.is_known = True
        del self._held[self.position]

    def begin(self, n: int) -> None:
        """Learn that the stream begins after number `n`, where that was not known."""
        if not self.is_known:
            self.position = self._through = n
            self.is_known = True
        self.pass_over(n)

    def pass_over(self, n: int) -> None:
        """Go on after number `n`, whatever there was before."""
        if n > self.position:
            self.position = n
            self._held = {each: frame for each, frame in self._held.items() if each > n}

    @property
    def missing_until(self) -> int:
        """The last number that is known to lack, or may; 0 while there is none."""
        if not self.knows(self._until):
            return self._until
        return min(self._held) - 1 if self._held and self.next() is None else 0

    @property
    def wants_page(self) -> bool:
        """Whether to ask for what comes after the position."""
        return self.missing_until > 0 or (self._to_end and not self._held)

    def held(self) -> list[Range]:
        """Return the ranges of numbers that are held, ascending."""
        ranges: list[Range] = []
        for n in sorted(self._held):
            if ranges and ranges[-1][1] == n - 1:
                ranges[-1] = (ranges[-1][0], n)
            else:
                ranges.append((n, n))
        return ranges

    def disconnected(self) -> None:
        """Forget what is held: the next connection brings it again."""
        self._held.clear()
        self._until, self._through, self._to_end = 0, self.position, False
