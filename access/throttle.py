"""Refusing early what would be refused anyway: adaptive throttling at the asking side.

A refusal by logic has cost an access node, a relay and logic nearly as much as an answer. So a node
remembers how many of its requests were answered and how many of those admitted lately, and refuses
by itself, at random, what goes beyond `RATIO` times the admitted. What waits for its answer counts
as neither: a burst, or a logic node that starts again, is no overload. Source: Beyer et al., "Site
Reliability Engineering" (2016), chapter 21, "Client-Side Throttling". Pure.
"""

from collections.abc import Callable

RATIO = 1.5
"""Half as much again as was admitted goes up: enough to notice soon that there is room again."""

HALF_LIFE_S = 2.0
ALWAYS = 20.0
"""Refusals that change nothing, so that a quiet node finds out that it may ask again."""


class Throttle:
    """Counts answers and admissions over the last seconds; `chance` gives numbers in [0, 1)."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._answered = 0.0
        self._admitted = 0.0
        self._at = 0.0
        self.refused = 0

    def passes(self, now: float) -> bool:
        """Say whether a request may go up; tell what becomes of it with one of the others."""
        self._fade(now)
        surplus = self._answered - RATIO * self._admitted - ALWAYS
        if self._chance() * self._answered >= surplus:
            return True
        self._answered += 1
        self.refused += 1
        return False

    def admitted(self, now: float) -> None:
        """Count a request that was not refused as too many."""
        self._fade(now)
        self._answered += 1
        self._admitted += 1

    def overloaded(self, now: float) -> None:
        """Count a request that was refused as too many."""
        self._fade(now)
        self._answered += 1

    def _fade(self, now: float) -> None:
        faded = 0.5 ** ((now - self._at) / HALF_LIFE_S)
        self._answered *= faded
        self._admitted *= faded
        self._at = now
