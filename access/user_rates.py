"""What users may do in a second, over all their connections to this node."""

from backends.rate_limit.interface import Rate
from backends.rate_limit.local import LocalRates
from proto.errors import ErrorCode, RequestError


class UserRates:
    """Frames and joins, by uid."""

    def __init__(self, frames: Rate, joins: Rate) -> None:
        self.frames, self.joins = LocalRates(frames), LocalRates(joins)

    def reconfigured(self, frames: Rate, joins: Rate) -> None:
        """Have other rates from now on; what was used of them stays used."""
        self.frames.rate, self.joins.rate = frames, joins


def rate_limited(what: str, per_s: float, wait_s: float) -> RequestError:
    """Return the answer to who sends more than `per_s` of `what`; there is room again in
    `wait_s`."""
    message = f"more than {per_s:g} {what}"
    retry_after_ms = max(1, round(wait_s * 1000))
    return RequestError(ErrorCode.RATE_LIMITED, message, retry_after_ms=retry_after_ms)
