"""The delivery window of one stream of one connection: what was sent and is not acknowledged.

TCP below keeps order and loses nothing while the connection lives. What is sent again is for a
client whose application has lost a message between its socket and its store. No I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from access.im.retransmission_timer import RetransmissionTimer

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """The bounds of a window; each is a setting of the node."""

    max_messages: int
    max_bytes: int
    max_resends: int
    first_rto_s: float
    min_rto_s: float
    max_rto_s: float


class BadAckError(Exception):
    """An acknowledgement of what was never sent; `field` says where it says so."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class _Flight:
    """A message on its way."""

    __slots__ = ("frame", "resent", "sent_at")

    def __init__(self, frame: bytes, now: float) -> None:
        self.frame = frame
        self.sent_at = now
        self.resent = False


class Window:
    """Takes what is sent, what is acknowledged and the time. Times are seconds of one clock.

    The oldest message's time runs: when it ends, every message that is at least half as old is sent
    again (where one was lost, those beside it were) and the time doubles. A peer that leaves the
    oldest one unacknowledged through all resends is dead.
    """

    __slots__ = ("_expiries", "_flights", "_limits", "_timer", "bytes", "dead", "due_at", "sent")

    def __init__(self, start: int, limits: WindowLimits) -> None:
        self.sent = start
        """The last number that was sent, or after which the stream began."""
        self.bytes = 0
        """In flight."""
        self.due_at: float | None = None
        """When to call `expire`; `None` while nothing is in flight."""
        self.dead = False
        self._limits = limits
        self._flights: dict[int, _Flight] = {}
        self._timer = RetransmissionTimer(limits.first_rto_s, limits.min_rto_s, limits.max_rto_s)
        self._expiries = 0

    def __len__(self) -> int:
        """How many messages are in flight."""
        return len(self._flights)

    @property
    def srtt_s(self) -> float | None:
        """The smoothed round trip, or `None` before the first acknowledgement."""
        return self._timer.srtt_s

    @property
    def room(self) -> int:
        """How many messages more may be in flight, their bytes aside."""
        return self._limits.max_messages - len(self._flights)

    def fits(self, size_bytes: int) -> bool:
        """Say whether a message may be sent now; one alone may be of any size."""
        limits = self._limits
        if not self._flights:
            return True
        return self.room > 0 and self.bytes + size_bytes <= limits.max_bytes

    def send(self, n: int, frame: bytes, now: float) -> None:
        """Note that message `n`, beyond all before, is sent."""
        assert n > self.sent, f"{n} after {self.sent}"
        self.sent = n
        self._flights[n] = _Flight(frame, now)
        self.bytes += len(frame)
        if self.due_at is None:
            self.due_at = now + self._timer.rto_s

    def acknowledge(self, n: int, also: Sequence[Range], now: float) -> int:
        """Take an acknowledgement of all up to `n` and of the ranges `also` (both ends included);
        returns how many messages it took out of flight. Raises `BadAckError`."""
        self._check(n, also)
        flights = self._flights
        if not flights:
            return 0
        oldest = next(iter(flights))
        # Numbers in flight ascend; the loops are as long as what is in flight, not as the ranges.
        taken = []
        for number in flights:
            if number > n:
                break
            taken.append(number)
        for first, last in also:
            taken += [k for k in flights if first <= k <= last and k > n]
        return self._take(dict.fromkeys(taken), oldest, now)

    def expire(self, now: float) -> list[bytes]:
        """Return what to send again when `due_at` has come; sets `dead` when it was enough."""
        if self.due_at is None or now < self.due_at:
            return []
        self._expiries += 1
        if self._expiries > self._limits.max_resends:
            self.dead, self.due_at = True, None
            return []
        again: list[bytes] = []
        for flight in self._flights.values():
            if 2 * (now - flight.sent_at) >= self._timer.rto_s or not again:
                flight.sent_at, flight.resent = now, True
                again.append(flight.frame)
        self._timer.back_off()
        self.due_at = now + self._timer.rto_s
        return again

    def postpone(self, now: float) -> None:
        """Let the time run anew: the bytes still wait for the peer's socket."""
        if self.due_at is not None:
            self.due_at = now + self._timer.rto_s

    def _check(self, n: int, also: Sequence[Range]) -> None:
        if n > self.sent:
            raise BadAckError("n", f"{n} was never sent; the last is {self.sent}")
        for index, (first, last) in enumerate(also):
            if not 1 <= first <= last <= self.sent:
                raise BadAckError(
                    f"also[{index}]", f"[{first},{last}] is no range of what was sent"
                )

    def _take(self, taken: dict[int, None], oldest: int, now: float) -> int:
        sample: float | None = None
        for number in taken:
            flight = self._flights.pop(number)
            self.bytes -= len(flight.frame)
            if sample is None and not flight.resent:
                sample = now - flight.sent_at
        if sample is not None:
            self._timer.sample(sample)
        if not self._flights:
            self.due_at = None
            self._expiries = 0
        elif oldest in taken:
            self.due_at = now + self._timer.rto_s
            self._expiries = 0
        return len(taken)
