"""Rates a second: what counters have grown by between two looks."""

from collections.abc import Mapping
from typing import NamedTuple

Counts = Mapping[str, float]


class _Look(NamedTuple):
    life: str
    at_s: float
    counts: Counts
    per_s: Counts


class Rates:
    """Remembers the last look at each thing that counts."""

    def __init__(self) -> None:
        self._looks: dict[str, _Look] = {}

    def look(self, key: str, life: str, at_s: float, counts: Counts) -> Counts:
        """Return how fast each of `counts` has grown since the last look at `key`, a second.

        `at_s` is when it stood so, in seconds of the counting node's own clock; `life` is the
        node's, whose counters begin at zero. Nothing is known at the first look; where nothing was
        counted anew, what was known before stands.
        """
        before = self._looks.get(key)
        same = before is not None and before.life == life
        if before is not None and same and at_s == before.at_s:
            return before.per_s
        known = before is not None and same and at_s > before.at_s
        per_s = _growth(before, at_s, counts) if before is not None and known else {}
        self._looks[key] = _Look(life, at_s, counts, per_s)
        return per_s


def _growth(before: _Look, at_s: float, counts: Counts) -> Counts:
    seconds = at_s - before.at_s
    return {name: _grown(before.counts.get(name, 0), now) / seconds for name, now in counts.items()}


def _grown(then: float, now: float) -> float:
    """A counter that is less than it was has begun anew: a link's do with each connection."""
    return now if now < then else now - then
