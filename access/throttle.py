"""Refusing early what would be refused anyway: adaptive throttling at the asking side.

A refusal by logic has cost an access node, a relay and logic nearly as much as an answer. So a node
remembers how many of its requests were admitted lately and refuses by itself, at random, what goes
beyond `RATIO` times that. Source: Beyer et al., "Site Reliability Engineering" (2016), chapter 21,
"Client-Side Throttling". Pure.
"""

from collections.abc import Callable

RATIO = 1.5
"""Half as much again as was admitted goes up: enough to notice soon that there is room again."""

HALF_LIFE_S = 2.0
ALWAYS = 20.0
"""Requests that pass in any case, so that a quiet node finds out that it may ask again."""


class Throttle:
    """Counts requests and admissions over the last seconds; `chance` gives numbers in [0, 1)."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._requests = 0.0
        self._admitted = 0.0
        self._at = 0.0
        self.refused = 0

    def passes(self, now: float) -> bool:
        """Count a request and say whether it may go up."""
        self._fade(now)
        self._requests += 1
        surplus = self._requests - RATIO * self._admitted - ALWAYS
        if self._chance() * self._requests >= surplus:
            return True
        self.refused += 1
        return False

    def admitted(self, now: float) -> None:
        """Count a request that was not refused as too many."""
        self._fade(now)
        self._admitted += 1

    def _fade(self, now: float) -> None:
        faded = 0.5 ** ((now - self._at) / HALF_LIFE_S)
        self._requests *= faded
        self._admitted *= faded
        self._at = now
