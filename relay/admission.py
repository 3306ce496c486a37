"""Requests on their way to logic: which instance takes one, and how many it may have. Pure.

Outstanding requests are remembered by who asked, so that an instance that goes is answered for at
once, and one that never answers gets its place back when the asker's patience has run out.
"""

from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from mesh.shares import share
from proto.errors import ErrorCode

N = TypeVar("N", bound=Hashable)


class Ticket(NamedTuple):
    """A request as its asker knows it."""

    source: str
    incarnation: str
    request: int


Via = tuple[str, str]


class Outstanding(NamedTuple, Generic[N]):
    """A request that `instance` has not answered yet, on lane `lane`; `via` is the region and the
    relay there that it came by, `None` for one of our own nodes."""

    ticket: Ticket
    instance: N
    lane: int
    deadline: float
    via: Via | None = None


class Admission(Generic[N]):
    """Spreads requests over the instances that are up, to the one with the fewest outstanding."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """How many requests an instance may have."""
        self._load: dict[N, int] = {}
        self._open: dict[Ticket, Outstanding[N]] = {}

    def __len__(self) -> int:
        """How many requests are outstanding."""
        return len(self._open)

    @property
    def instances(self) -> int:
        """How many instances are up."""
        return len(self._load)

    @property
    def up(self) -> list[N]:
        """The instances that are up."""
        return list(self._load)

    def load(self, instance: N) -> int:
        """Return how many requests `instance` has not answered."""
        return self._load.get(instance, 0)

    def join(self, instance: N) -> None:
        """Let `instance` take requests."""
        self._load.setdefault(instance, 0)

    def leave(self, instance: N) -> list[Outstanding[N]]:
        """Take `instance` off and return what it leaves unanswered."""
        self._load.pop(instance, None)
        left = [one for one in self._open.values() if one.instance == instance]
        for one in left:
            del self._open[one.ticket]
        return left

    def place(
        self, ticket: Ticket, lane: int, deadline: float, via: Via | None = None
    ) -> N | ErrorCode:
        """Return the instance that takes the request, or the error to answer it with."""
        if not self._load:
            return ErrorCode.UNAVAILABLE
        instance = min(self._load, key=self._load.__getitem__)
        if not self.place_at(instance, ticket, lane, deadline, via):
            return ErrorCode.OVERLOADED
        return instance

    def place_at(
        self, instance: N, ticket: Ticket, lane: int, deadline: float, via: Via | None = None
    ) -> bool:
        """Give the request to `instance`, which is up, unless it has too many."""
        if self._load[instance] >= share(self.limit, lane):
            return False
        self.answered(ticket)
        # Last in the dictionary now, so that instances with equal loads take turns.
        self._load[instance] = self._load.pop(instance) + 1
        self._open[ticket] = Outstanding(ticket, instance, lane, deadline, via)
        return True

    def answered(self, ticket: Ticket) -> Outstanding[N] | None:
        """Note an answer; `None` when nobody waits for it any longer."""
        one = self._open.pop(ticket, None)
        if one is not None and one.instance in self._load:
            self._load[one.instance] -= 1
        return one

    def expire(self, now: float) -> int:
        """Give back the places of requests whose askers have given up; returns how many."""
        late = [ticket for ticket, one in self._open.items() if one.deadline < now]
        for ticket in late:
            self.answered(ticket)
        return len(late)
