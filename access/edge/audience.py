"""Members who get the same bytes, as flat lists that a tight loop can run through."""

from array import array
from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol, cast

from access.edge.interface import Batch, Connection

Writer = Callable[[bytes], int]
"""Takes a frame and returns how many bytes of it were written (or queued)."""
WORTH_COMPACTING = 64


class Member(Protocol):
    """What the fan-out needs of a connection."""

    seats: "dict[SeatedAudience, int]"
    """Where it sits in each of its audiences; kept by them."""
    deflate_bits: int
    """The window that it agreed to; 0: it reads no compressed frames."""

    @property
    def writer(self) -> Writer | None:
        """Return the socket's own `send`, or the queue's while it is stalled; `None`: closing."""
        ...

    @property
    def descriptor(self) -> int:
        """Return the socket's, if plain `send` to it is what `writer` does; else -1."""
        ...

    def round_cut_short(self, frame: bytes, count: int, batch: Batch) -> None:
        """Learn that the socket took only `count` bytes of a round's frame."""
        ...

    def cut(self) -> None:
        """Learn that the socket is broken."""
        ...


class Round:
    """A batch on its way through an audience: the seats from `position` up to `limit` are left."""

    __slots__ = ("audience", "batch", "frame", "handed_over_s", "limit", "position")

    def __init__(
        self, audience: "SeatedAudience", batch: Batch, frame: bytes, handed_over_s: float
    ) -> None:
        self.audience = audience
        self.batch = batch
        self.frame = frame
        self.handed_over_s = handed_over_s
        self.position = 0
        self.limit = len(audience.members)


class SeatedAudience:
    """New members sit behind all others, so a round's limit names those who were there before it.

    A seat that is left stays empty: its writer is `len`, which writes nothing and reports success.
    `descriptors` are for a write path that does without the writers: -1 where it can't.
    Empty seats are taken out when they outnumber the members; that moves the rounds that are
    running to the same members' new seats.
    """

    __slots__ = ("_empty", "descriptors", "direct", "members", "rounds", "writers")

    def __init__(self) -> None:
        self.members: list[Member | None] = []
        self.writers: list[Writer] = []
        self.descriptors = array("i")
        self.direct = 0
        """How many seats have a descriptor."""
        self.rounds: list[Round] = []
        self._empty = 0

    def __len__(self) -> int:
        return len(self.members) - self._empty

    def add(self, connection: Connection) -> None:
        """Seat a connection; one that is closing is not taken, adding twice is once."""
        member = cast("Member", connection)  # an edge's audiences hold its own connections only
        writer = member.writer
        if writer is None or self in member.seats:
            return
        member.seats[self] = len(self.members)
        self.members.append(member)
        self.writers.append(len)
        self.descriptors.append(-1)
        self.set_writer(member.seats[self], writer, member.descriptor)

    def discard(self, connection: Connection) -> None:
        """Empty the connection's seat, if it has one."""
        self.leave(cast("Member", connection))

    def leave(self, member: Member) -> None:
        """Empty the member's seat, if it has one."""
        seat = member.seats.pop(self, None)
        if seat is not None:
            self.members[seat] = None
            self.set_writer(seat, len, -1)
            self._empty += 1

    def set_writer(self, seat: int, writer: Writer, descriptor: int) -> None:
        """Have what the member on `seat` receives go to `writer` from now on."""
        self.direct += (descriptor >= 0) - (self.descriptors[seat] >= 0)
        self.writers[seat] = writer
        self.descriptors[seat] = descriptor

    def count(self, start: int, stop: int) -> int:
        """Return how many members sit on the seats from `start` up to `stop`."""
        if not self._empty:
            return stop - start
        return stop - start - self.members[start:stop].count(None)

    def compact(self) -> None:
        """Take the empty seats out, if that is worth it; never while a chunk is being written."""
        if self._empty < WORTH_COMPACTING or self._empty * 2 < len(self.members):
            return
        taken = [seat for seat, member in enumerate(self.members) if member is not None]
        for running in self.rounds:
            running.position = bisect_left(taken, running.position)
            running.limit = bisect_left(taken, running.limit)
        self.members = [self.members[seat] for seat in taken]
        self.writers = [self.writers[seat] for seat in taken]
        self.descriptors = array("i", [self.descriptors[seat] for seat in taken])
        self._empty = 0
        for seat, member in enumerate(self.members):
            if member is not None:
                member.seats[self] = seat
