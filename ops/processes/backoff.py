"""When a process that died is started again. Pure."""

from collections import deque

WINDOW_S = 10.0
FREE_RESTARTS = 10
"""Deaths within the window that count as accidents: each is answered at once."""

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0


class Backoff:
    """Decides how long to wait before each restart of one process.

    A process that had been ready comes back at once, because every moment without it costs; one
    that dies before it is ready, or over and over, is in a crash loop and waits longer each time.
    """

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()
        self._delay_s = 0.0

    def delay_s(self, *, now_s: float, was_ready: bool) -> float:
        """Return the seconds to wait after a death at `now_s`."""
        self._deaths.append(now_s)
        while self._deaths[0] < now_s - WINDOW_S:
            self._deaths.popleft()
        if was_ready and len(self._deaths) <= FREE_RESTARTS:
            self._delay_s = 0.0
        else:
            self._delay_s = min(max(2 * self._delay_s, FIRST_DELAY_S), LONGEST_DELAY_S)
        return self._delay_s
