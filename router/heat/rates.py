"""How many messages a second a room has, from how its numbers grow."""

from math import exp

from proto.headers import HeadsHeader

SMOOTHING_S = 3.0
"""About over how many seconds the rate is averaged: messages come in bursts."""

SILENCE = 0.01
"""Messages a second below which there are none."""

Three = tuple[float, float, float]


class Rates:
    """The rates of one room, by priority: an exponentially weighted average of what came in."""

    def __init__(self) -> None:
        self.per_s: Three = (0.0, 0.0, 0.0)
        self._heads: HeadsHeader | None = None
        self._at_s = 0.0

    def look(self, heads: HeadsHeader | None, at_s: float) -> Three:
        """Take the heads as they stand at `at_s` (`None`: the room is silent), return the rates."""
        if heads is None:
            self.per_s, self._heads = (0.0, 0.0, 0.0), None
        elif self._heads is None or self._heads.epoch != heads.epoch:
            # Active, so somebody has spoken not long ago; how often is not known yet.
            urgent, normal, _ = heads.seqs
            self.per_s, self._heads, self._at_s = (_any(urgent), _any(normal), 0.0), heads, at_s
        elif at_s > self._at_s:
            self._count(self._heads, heads, at_s - self._at_s)
            self._heads, self._at_s = heads, at_s
        return self.per_s

    def _count(self, before: HeadsHeader, now: HeadsHeader, seconds: float) -> None:
        weight = 1.0 - exp(-seconds / SMOOTHING_S)
        urgent, normal, bulk = (
            _smooth(old, max(0, b - a) / seconds, weight)
            for old, a, b in zip(self.per_s, before.seqs, now.seqs, strict=True)
        )
        self.per_s = (urgent, normal, bulk)


def _smooth(old: float, new: float, weight: float) -> float:
    rate = old + (new - old) * weight
    return rate if new or rate >= SILENCE else 0.0


def _any(seq: int) -> float:
    return 1.0 if seq else 0.0
