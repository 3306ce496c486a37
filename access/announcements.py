"""What a back end says to everybody: once to each connection of the node, a part of them at a
time."""

from itertools import islice

import msgspec
import structlog
import trio

from access.counters import AccessCounters
from access.users import SeenOnce, Users
from proto import server_frames
from proto.envelopes import Envelope
from proto.headers import decode_everybody
from proto.priorities import Priority

AT_ONCE = 256
"""Connections written to before others have their turn: some 5 ms."""
MAX_WAITING = 64
"""Announcements that wait for the one before: beyond it the newest is dropped, and counted."""

log = structlog.get_logger()


class Announcements:
    """Takes EVERYBODY envelopes, and sends each to who is connected when its turn comes."""

    def __init__(self, users: Users, counters: AccessCounters, seen: SeenOnce) -> None:
        self._users = users
        self._counters = counters
        self._seen = seen
        self._put, self._taken = trio.open_memory_channel[tuple[bytes, Priority]](MAX_WAITING)

    def receive(self, envelope: Envelope, now: float) -> None:
        """Take one, if it is new."""
        try:
            header, priority = decode_everybody(envelope.header), Priority(envelope.priority)
        except (msgspec.MsgspecError, ValueError):
            self._counters.bad_envelopes += 1
            return
        if not self._seen.first((header.id, ""), now):
            self._counters.direct_duplicates += 1
            return
        try:
            self._put.send_nowait((server_frames.message([envelope.body]), priority))
        except trio.WouldBlock:
            self._counters.drops["too_many_announcements", priority] += 1
            return
        log.debug("announcement_taken", trace=header.trace, id=header.id)

    async def run(self) -> None:
        """Send what was taken, in order, until cancelled."""
        async for message, priority in self._taken:
            await self._send(message, priority)

    async def _send(self, message: bytes, priority: Priority) -> None:
        # A copy: clients come and go while this waits.
        everybody = iter(list(self._users.everybody()))
        while some := list(islice(everybody, AT_ONCE)):
            for connection in some:
                connection.send(message, priority)
            self._counters.direct_deliveries += len(some)
            await trio.lowlevel.checkpoint()
