"""One client's session: what it has said, what it may do now. No I/O."""

from dataclasses import dataclass, fields
from math import inf
from typing import NoReturn

from access.edge.interface import Connection
from access.im.state import ImState
from access.moves.directions import Reason
from access.room import Room
from access.strikes import Strikes
from access.user_rates import UserRates, rate_limited
from backends.rate_limit.interface import Rate
from proto.close_codes import CloseCode
from proto.errors import ErrorCode, RequestError
from proto.tokens import Claims


@dataclass(slots=True)
class SessionLimits:
    """The bounds of one connection; each is a setting of the node. All connections share one."""

    hello_s: float
    frames: Rate
    max_refused_frames: int
    max_bad_frames: int
    strikes_window_s: float
    max_rooms: int
    joins: Rate
    max_in_flight: int

    def replace(self, other: "SessionLimits") -> None:
        """Have the bounds of `other` from now on, for all connections."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))


class CloseError(Exception):
    """The session is over: close the connection with `code`."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code}: {reason}")


class Session:
    """The state of one connection. Times are seconds of one clock.

    There are a hundred thousand of them: what is seldom needed is made when it is.
    """

    __slots__ = (
        "_bad",
        "_frames_full_at",
        "_joins_full_at",
        "_limits",
        "_refused",
        "claims",
        "connection",
        "expiry_due_s",
        "gone",
        "greeting",
        "im",
        "in_flight",
        "joining",
        "leaving",
        "pinned",
        "rooms",
        "warned_of_s",
    )

    def __init__(self, connection: Connection, limits: SessionLimits) -> None:
        self.connection = connection
        self.claims: Claims | None = None
        """Who it is; `None` until `hello` was accepted."""
        self.expiry_due_s = inf
        """When `access.expiry` looks at it: Unix seconds."""
        self.warned_of_s = 0
        """The end of a token, in Unix seconds, of which the client was warned."""
        self.rooms: dict[str, Room] = {}
        self.joining: dict[str, int] = {}
        """Rooms on their way into `rooms`, and by how many requests."""
        self.in_flight = 0
        self.gone = False
        self.greeting = False
        """Whether a hello waits to be let in: there must be no second one."""
        self.pinned = ""
        """The room that it was moved here for: see `access.moves.directions`."""
        self.leaving: Reason | None = None
        """Why it was told to move, or will be."""
        self.im: ImState | None = None
        """Made by the first request that needs it."""
        self._limits = limits
        self._frames_full_at = self._joins_full_at = 0.0
        """All that is kept of the two rates: see `Rate`."""
        self._refused: Strikes | None = None
        self._bad: Strikes | None = None

    def frame(self, now: float, users: UserRates) -> None:
        """Count a frame; raises `rate_limited`, or `CloseError` for who goes on all the same."""
        rate = self._limits.frames
        after = rate.after(self._frames_full_at, now)
        if after - now > rate.burst_s:
            self._refuse_frame(now, "frames a second", rate.per_s, rate.wait_s(after, now))
        self._frames_full_at = after
        if self.claims is not None and (wait_s := users.frames.take(self.claims.sub, now)):
            per_s = users.frames.rate.per_s
            self._refuse_frame(now, "frames a second of this user", per_s, wait_s)

    def uncounted(self, users: UserRates) -> None:
        """Do not count the last frame: something else bounds how many such ones there can be."""
        self._frames_full_at -= self._limits.frames.gap_s
        users.frames.give_back(self.who().sub)

    def _refuse_frame(self, now: float, what: str, per_s: float, wait_s: float) -> NoReturn:
        limits = self._limits
        if self._refused is None:
            self._refused = Strikes()
        if self._refused.add(now, limits.max_refused_frames, limits.strikes_window_s):
            raise CloseError(CloseCode.TOO_MANY_ERRORS, "too many frames")
        raise rate_limited(what, per_s, wait_s)

    def bad_frame(self, now: float) -> None:
        """Count a frame that could not be read; raises `CloseError` when it is one too many."""
        limits = self._limits
        if self._bad is None:
            self._bad = Strikes()
        if self._bad.add(now, limits.max_bad_frames, limits.strikes_window_s):
            raise CloseError(CloseCode.TOO_MANY_ERRORS, "too many bad frames")

    def who(self) -> Claims:
        """Return who is connected; raises `hello_first`."""
        if self.claims is None:
            raise RequestError(ErrorCode.HELLO_FIRST, field="op")
        return self.claims

    def instant_messages(self) -> ImState:
        """Return what the session has of instant messages, made if need be."""
        if self.im is None:
            self.im = ImState()
        return self.im

    def count_join(self, now: float, users: UserRates) -> None:
        """Count a join; raises `rate_limited`."""
        rate = self._limits.joins
        after = rate.after(self._joins_full_at, now)
        if wait_s := rate.wait_s(after, now):
            raise rate_limited("joins a second", rate.per_s, wait_s)
        if wait_s := users.joins.take(self.who().sub, now):
            raise rate_limited("joins a second of this user", users.joins.rate.per_s, wait_s)
        self._joins_full_at = after

    def begin_join(self, room: str) -> None:
        """Take a place for `room`, until `end_join`; raises `too_many_rooms`."""
        taken = self.rooms.keys() | self.joining.keys()
        if room not in taken and len(taken) >= self._limits.max_rooms:
            raise RequestError(
                ErrorCode.TOO_MANY_ROOMS,
                f"room: a connection may be in {self._limits.max_rooms} rooms; leave one first",
                field="room",
            )
        self.joining[room] = self.joining.get(room, 0) + 1

    def end_join(self, room: str) -> None:
        """Give the place back: the session is in the room now, or will not be."""
        self.joining[room] -= 1
        if not self.joining[room]:
            del self.joining[room]

    def begin_request(self) -> None:
        """Note that a request waits for others; raises `overloaded` when too many do."""
        if self.in_flight >= self._limits.max_in_flight:
            raise RequestError(
                ErrorCode.OVERLOADED,
                f"more than {self._limits.max_in_flight} requests without an answer",
                retry_after_ms=1000,
            )
        self.in_flight += 1

    def end_request(self) -> None:
        """Note that it was answered."""
        self.in_flight -= 1

    def room(self, name: str) -> Room:
        """Return a room that was joined; raises `not_joined`."""
        room = self.rooms.get(name)
        if room is None:
            raise RequestError(ErrorCode.NOT_JOINED, field="room")
        return room
