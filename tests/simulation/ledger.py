"""What members have seen, said and found amiss."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Stream:
    """What a member knows of one stream of a room."""

    start: int
    epoch: str
    seq: int
    seen: dict[int, dict[str, Any]] = field(default_factory=dict)
    told: list[tuple[int, int]] = field(default_factory=list)
    """Ranges that `skipped` or `reset` told of."""
    resumed: int = 0
    """Where it stood when it resumed last: up to there a node that is behind may repeat."""

    def was_told(self, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self.told)


@dataclass
class Sent:
    """A message that its sender has an answer for."""

    mid: str
    room: str
    priority: str
    seq: int
    sent_at: float


@dataclass
class Ledger:
    """What all members of a run have said and heard amiss."""

    sent: list[Sent] = field(default_factory=list)
    likes_sent: dict[str, int] = field(default_factory=dict)
    likes_counted: dict[str, int] = field(default_factory=dict)
    amiss: list[str] = field(default_factory=list)
