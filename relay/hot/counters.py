"""What the hot way has done since the relay started, by priority."""

from dataclasses import dataclass, field

from proto.priorities import Priority
from proto.topics import Topic


def _zeros() -> dict[Priority, int]:
    return dict.fromkeys(Priority, 0)


@dataclass(slots=True)
class HotCounters:
    """Plain numbers; a collector reads them when it is scraped."""

    records: dict[Priority, int] = field(default_factory=_zeros)
    """Records taken from the bus: all of the topic's, whoever they are for."""
    forwarded: dict[Priority, int] = field(default_factory=_zeros)
    """Records of those that some node here had asked for."""
    copies: dict[Priority, int] = field(default_factory=_zeros)
    """Envelopes handed to nodes: one for each forwarded record and node."""
    bad_records: dict[Priority, int] = field(default_factory=_zeros)
    holds: dict[Priority, int] = field(default_factory=_zeros)
    """Times that the bus had to wait because the receivers were behind."""
    failures: int = 0
    """Times that a topic could not be listened to, and was tried again."""
    lag: dict[Topic, int] = field(default_factory=dict)
    """What waits on the bus, for each topic that is listened to."""
