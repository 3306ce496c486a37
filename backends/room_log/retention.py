"""How long and how much a room log keeps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retention:
    """Bounds of each room's log; the numbering outlives the messages by far."""

    messages: int = 1000
    """For each room and priority."""
    age_s: float = 60.0
    dedup_s: float = 300.0
    """How long a message id is known."""
    numbering_s: float = 604_800.0
    """How long after its last message a room keeps its epoch and numbers."""
