"""What a session has once it uses instant messages."""

from collections import deque
from collections.abc import Awaitable, Callable

from access.im.device import Device
from proto.requests.devices import Watch

Line = deque[tuple[int, Callable[[], Awaitable[None]]]]
"""Messages to one conversation that wait for the one before: request ids, and how to send."""


class ImState:
    """Made when it is needed: most connections of a live room never do."""

    __slots__ = ("device", "device_name", "newest_watch", "sending", "watched")

    def __init__(self) -> None:
        self.device_name = ""
        """The device that the `hello` named."""
        self.device: Device | None = None
        """Its delivery, while there is one."""
        self.sending: dict[str, Line] = {}
        """Messages on their way, by conversation."""
        self.newest_watch: Watch | None = None
        """The last request to watch, which alone counts."""
        self.watched: frozenset[str] = frozenset()
        """Users of whose presence the connection is told."""
