"""The way to one provider: so many at once, and none while it wants to be left alone."""

from collections import Counter

import trio

from backends.push.interface import Notification, Outcome, Provider, Verdict

FAILURES = 5
"""Failures in a row after which the provider, and not a message, is taken to be the reason."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
PAUSED = "paused"


class Gate:
    """Sends by a provider, whose outcomes it counts by verdict and reason.

    One that has asked for a pause, or has failed `FAILURES` times in a row, is left alone: for as
    long as it said, or for a time that doubles with each failure. What comes meanwhile is `LATER`
    at once, so that one provider that hangs does not hold up another.
    """

    def __init__(self, provider: Provider, concurrency: int) -> None:
        self._provider = provider
        self._limiter = trio.CapacityLimiter(concurrency)
        self._failures = 0
        self._until = float("-inf")
        self.outcomes: Counter[tuple[Verdict, str]] = Counter()

    async def send(self, notification: Notification) -> Outcome:
        """See `Provider`; the reason is `PAUSED` where the provider was not asked."""
        async with self._limiter:
            left_s = self._until - trio.current_time()
            if left_s > 0:
                return Outcome(Verdict.LATER, PAUSED, left_s)
            outcome = await self._provider.send(notification)
        self.outcomes[outcome.verdict, outcome.reason] += 1
        self._note(outcome)
        return outcome

    def _note(self, outcome: Outcome) -> None:
        if outcome.verdict is not Verdict.LATER:
            self._failures = 0
            return
        self._failures += 1
        pause_s = outcome.retry_after_s
        if self._failures >= FAILURES:
            doubled_s = FIRST_PAUSE_S * 2.0 ** min(self._failures - FAILURES, 10)
            pause_s = max(pause_s, min(doubled_s, LONGEST_PAUSE_S))
        self._until = max(self._until, trio.current_time() + pause_s)
