"""What users may do in a second, over all their connections to this node."""

from backends.rate_limit.interface import Rate
from backends.rate_limit.local import LocalRates
from proto.errors import ErrorCode, RequestError


class UserRates:
    """Frames and joins, by uid. Times are seconds of one clock."""

    def __init__(self, frames: Rate, joins: Rate) -> None:
        self._frames, self._joins = LocalRates(frames), LocalRates(joins)

    def reconfigured(self, frames: Rate, joins: Rate) -> None:
        """Have other rates from now on; what was used of them stays used."""
        self._frames.rate, self._joins.rate = frames, joins

    def frame(self, uid: str, now: float) -> None:
        """Count a frame of a user; raises `rate_limited`."""
        _take(self._frames, uid, now, "frames")

    def uncounted(self, uid: str) -> None:
        """Do not count the last frame."""
        self._frames.give_back(uid)

    def join(self, uid: str, now: float) -> None:
        """Count a join of a user; raises `rate_limited`."""
        _take(self._joins, uid, now, "joins")


def _take(rates: LocalRates, uid: str, now: float, what: str) -> None:
    wait_s = rates.take(uid, now)
    if wait_s:
        raise rate_limited(f"more than {rates.rate.per_s:g} {what} a second of this user", wait_s)


def rate_limited(message: str, wait_s: float) -> RequestError:
    """Return the answer to who sends too much; `wait_s` is when there is room again."""
    retry_after_ms = max(1, round(wait_s * 1000))
    return RequestError(ErrorCode.RATE_LIMITED, message, retry_after_ms=retry_after_ms)
