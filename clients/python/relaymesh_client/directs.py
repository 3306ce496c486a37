"""Direct messages of back ends, each given once. No I/O."""

from collections import OrderedDict

from relaymesh_client.events import Direct, Frame

KNOWN_DIRECTS = 1000
"""Ids of direct messages that are remembered to recognise a second coming."""


class Directs:
    """Remembers which direct messages have come."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()

    def take(self, frame: Frame) -> list[Direct]:
        """Return the message in `frame`, unless it has come before."""
        mid = str(frame.get("mid"))
        if mid in self._known:
            return []
        self._known[mid] = None
        if len(self._known) > KNOWN_DIRECTS:
            self._known.popitem(last=False)
        return [Direct(mid, frame.get("data"), frame)]
