"""What the fan-out asks of a write path."""

from collections.abc import Callable
from typing import Protocol

from access.edge.audience import SeatedAudience

Shortfall = tuple[int, int]
"""A seat, and how many bytes of the frame its socket took; -1: the socket is broken."""


class WritePath(Protocol):
    """Writes a frame to a run of seats, without waiting for anybody."""

    name: str
    """As in log, metric and config: `loop` or `io_uring`."""

    def write(
        self, audience: SeatedAudience, start: int, stop: int, frame: bytes
    ) -> list[Shortfall]:
        """Write `frame` once to each seat from `start` up to `stop`.

        Returns the seats that did not take all of it, for the caller to act upon: nothing of the
        audience is changed meanwhile but by the writers of stalled members.
        """
        ...

    def close(self) -> None:
        """Give back what the path holds of the system."""
        ...


def attempt(write: Callable[[bytes], int], frame: bytes) -> int:
    """Return how many bytes of `frame` a writer took; -1: its socket is broken."""
    try:
        return write(frame)
    except BlockingIOError:
        return 0
    except OSError:
        return -1
