"""What a logic node has done, as plain integers that a collector reads."""

from collections import Counter
from dataclasses import dataclass, field

from proto.priorities import Priority


@dataclass(slots=True)
class Counters:
    """Counts since the start of the process."""

    published: Counter[tuple[str, Priority]] = field(default_factory=Counter)
    """Room messages that the room log keeps, by kind and priority."""
    repeated: int = 0
    """Messages whose `mid` was known: answered, not published again."""
    rate_limited: int = 0
    direct_pushed: int = 0
    """Users that a back end's messages were put on the bus for."""
    fetched: int = 0
    """Frames given for repair or history."""
    census_rooms: int = 0
    like_reports: int = 0
    """Counts of a room by a node, accepted."""
    likes_merged: int = 0
    """Counts taken from the bus, before merging."""
    likes_written: int = 0
    """Atomic writes of a room's counts."""
    likes_poisoned: int = 0
    """Deliveries of like counts that were buried."""
    totals_pushed: Counter[str] = field(default_factory=Counter)
    """Pushes of totals, by kind."""
