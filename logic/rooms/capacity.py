"""What one instance takes of messages that are not urgent: a token bucket. Pure.

A machine without idle time makes urgent messages wait for the processor, whatever queue they are
in; so what an instance admits stays below what its machines can do.
"""

from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority

BURST_S = 0.5
"""How much may come at once, in seconds of the rate: people answer each other in bursts."""


class Capacity:
    """Admits `per_s` messages a second; urgent ones always."""

    def __init__(self, per_s: float) -> None:
        self.per_s = per_s
        self._tokens = self._most
        self._at_ms = 0
        self.refused = 0

    @property
    def _most(self) -> float:
        return max(1.0, self.per_s * BURST_S)

    def admit(self, priority: Priority, now_ms: int) -> None:
        """Take a place for a message; raises `RequestError` `overloaded` where there is none."""
        if priority is Priority.URGENT:
            return
        came = max(0, now_ms - self._at_ms) * self.per_s / 1000
        self._tokens = min(self._most, self._tokens + came)
        self._at_ms = max(self._at_ms, now_ms)
        if self._tokens < 1:
            self.refused += 1
            wait_ms = round((1 - self._tokens) / self.per_s * 1000)
            raise RequestError(ErrorCode.OVERLOADED, retry_after_ms=max(500, wait_ms))
        self._tokens -= 1
