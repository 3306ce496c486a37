"""A hot group's stream on one connection: when it has ended, and what it waits for. No I/O."""

from access.im.stream import Stream
from access.im.window import WindowLimits
from proto.conversations import hot_stream


class HotStream(Stream):
    """A group's hot stream on one connection."""

    __slots__ = (
        "_asked_before",
        "before",
        "conv",
        "drains",
        "ended",
        "known_hot",
        "last",
        "revive",
    )

    def __init__(self, conv: str, start: int, head: int, limits: WindowLimits) -> None:
        super().__init__(hot_stream(conv), start, head, limits)
        self.conv = conv
        self.ended = False
        """Whether the group's next message comes by the mailbox."""
        self.before: int | None = None
        """A message of the mailbox waits for those before this number."""
        self.known_hot = 0
        """The last number when the connection began, if the group was hot then."""
        self.revive = False
        """Whether it goes on when the mailbox is level: the group has become hot again."""
        self.drains = False
        """Whether only pages are asked for, which logic gives to members alone, until there are no
        more: nothing is taken live."""
        self.last: int | None = None
        """The last number that is for a user who has left: the stream ends there."""
        self._asked_before: int | None = None

    def ask(self) -> int:
        """See `Stream.ask`."""
        self._asked_before = self.before
        return super().ask()

    def takes(self, n: int) -> bool:
        """Say whether message `n`, as it comes live, is for this user."""
        return not (self.drains or self.ended) and (self.last is None or n <= self.last)

    @property
    def nothing_before(self) -> bool:
        """Whether a page that was asked for since a message of the mailbox waits has brought
        nothing that is before it."""
        nothing = self.line.next() is None and not self.line.missing
        asked = self.before is not None and self._asked_before == self.before
        return nothing and (asked or self.drains)

    @property
    def left(self) -> bool:
        """Whether the user has left and all that was for it has gone out."""
        busy = self.asking or self.must_ask
        return self.last is not None and not busy and self.line.next() is None
