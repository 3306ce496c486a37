"""The three priorities, kept apart from end to end: topic, link and queue."""

from enum import IntEnum


class Priority(IntEnum):
    """How urgent a message is; the lower value is served first."""

    URGENT = 0
    """Host speech and big gifts: never waits behind the others, never thinned before them."""
    NORMAL = 1
    """Chat and small gifts: in order, repaired when a part of it is lost on the way."""
    BULK = 2
    """Like totals and online counts: may be late, may be thinned (and then says so)."""

    @property
    def label(self) -> str:
        """The name used on the wire, in logs and in metrics: `urgent`, `normal` or `bulk`."""
        return LABELS[self]

    @classmethod
    def of(cls, label: str) -> "Priority":
        """Return the priority named `label`; raises `KeyError` for any other word."""
        return BY_LABEL[label]


LABELS = ("urgent", "normal", "bulk")
BY_LABEL = {label: Priority(value) for value, label in enumerate(LABELS)}
