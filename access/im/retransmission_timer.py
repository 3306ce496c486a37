"""How long an acknowledgement is waited for until a message is sent again: RFC 6298."""

_K = 4
_ALPHA = 1 / 8
_BETA = 1 / 4


class RetransmissionTimer:
    """Estimates a peer's round trip (SRTT, RTTVAR) and gives the RTO. All times are seconds.

    Karn's rule is the caller's: no sample of a message that was sent more than once.
    """

    __slots__ = ("_max_s", "_min_s", "_rttvar_s", "_srtt_s", "rto_s")

    def __init__(self, first_s: float, min_s: float, max_s: float) -> None:
        self._min_s = min_s
        self._max_s = max_s
        self._srtt_s = -1.0
        self._rttvar_s = 0.0
        self.rto_s = first_s
        """How long to wait for an acknowledgement now."""

    @property
    def srtt_s(self) -> float | None:
        """The smoothed round trip, or `None` before the first sample."""
        return self._srtt_s if self._srtt_s >= 0 else None

    def sample(self, rtt_s: float) -> None:
        """Take a round trip; it also ends a backoff (section 5)."""
        if self._srtt_s < 0:
            self._srtt_s, self._rttvar_s = rtt_s, rtt_s / 2
        else:
            self._rttvar_s += _BETA * (abs(self._srtt_s - rtt_s) - self._rttvar_s)
            self._srtt_s += _ALPHA * (rtt_s - self._srtt_s)
        self.rto_s = self._bounded(self._srtt_s + _K * self._rttvar_s)

    def back_off(self) -> None:
        """Wait twice as long from now on (5.5), up to the bound."""
        self.rto_s = self._bounded(self.rto_s * 2)

    def _bounded(self, rto_s: float) -> float:
        return min(max(rto_s, self._min_s), self._max_s)
