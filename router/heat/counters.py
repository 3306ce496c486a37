"""What a router counts of the heat of rooms: plain numbers, read on each scrape."""

from collections import Counter

from proto.heat import HeatState
from router.heat.state import Reason

PHASE_BOUNDS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 14_400)
"""Moving takes seconds to minutes, a show hours."""


class HeatCounters:
    """The totals of one router since it started, and the rooms that it keeps now."""

    def __init__(self) -> None:
        self.rooms = dict.fromkeys(HeatState, 0)
        """Rooms that this router keeps, by state; of normal ones those whose rule is still told."""
        self.transitions: Counter[tuple[HeatState, HeatState, Reason]] = Counter()
        self.phases_s: dict[HeatState, list[float]] = {}
        """How long states that have ended had lasted: counts by bound, then the sum."""
        self.refused = 0
        """Transitions that another router had made before."""
        self.provisioner_errors: Counter[str] = Counter()
        self.failures = 0
        """Looks at a room, or at all of them, that the store cut short."""

    def ended(self, state: HeatState, after_s: float) -> None:
        """Count a state that has ended after so long."""
        empty = [0.0] * (len(PHASE_BOUNDS_S) + 2)
        phases = self.phases_s.setdefault(state, empty)
        place = sum(after_s > bound for bound in PHASE_BOUNDS_S)
        phases[place] += 1
        phases[-1] += after_s
