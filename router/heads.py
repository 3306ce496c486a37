"""Repeats the heads of active rooms each second, so that a break on the way shows as a gap."""

from collections.abc import Iterable

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.room_log.interface import RoomLog
from mesh.interface import Mesh
from proto.headers import HeadsHeader
from proto.priorities import Priority
from proto.rendezvous import carrier
from router import envelopes
from router.counters import Counters
from router.presence import Presence

INTERVAL_S = 1.0
ROOMS_A_TURN = 64
"""Rooms between two checkpoints: 64 take about 2 ms with two relays."""

ALL_RELAYS_KEY = ""

log = structlog.get_logger()


def share(rooms: Iterable[str], node: str, routers: Iterable[str]) -> list[str]:
    """Return the rooms that router `node` repeats among the living `routers`.

    Routers that see different leases for a moment repeat a room twice, or miss it for a second.
    """
    candidates = {*routers, node}
    return [room for room in rooms if carrier(room, candidates) == node]


class Heads:
    """Sends each room's heads to all relays that are up.

    To all, not to the carrier alone: a node whose link to the carrier is broken hears of the gap
    from the others. Each lane carries the head of its own stream (and 0 for the others, which is
    below any head): behind the messages that it tells of, and not behind another lane's flood. They
    never wait: the next second brings the next ones.
    """

    def __init__(
        self,
        room_log: RoomLog,
        mesh: Mesh,
        presence: Presence,
        node: str,
        counters: Counters,
    ) -> None:
        self._room_log = room_log
        self._mesh = mesh
        self._presence = presence
        self._node = node
        self._counters = counters

    async def run(self) -> None:
        """Repeat heads each second, for ever."""
        while True:
            started = trio.current_time()
            try:
                await self.repeat()
            except StoreUnavailableError as error:
                log.warning("heads_unavailable", error=str(error))
            await trio.sleep_until(started + INTERVAL_S)

    async def repeat(self) -> None:
        """Send the heads of this router's share of the active rooms once."""
        active = await self._room_log.active_heads()
        routers = (lease.node for lease in self._presence.living("router"))
        for number, room in enumerate(share(active, self._node, routers), 1):
            self._send(room, active[room])
            if number % ROOMS_A_TURN == 0:
                await trio.lowlevel.checkpoint()

    def _send(self, room: str, heads: HeadsHeader) -> None:
        for priority in Priority:
            if heads.seqs[priority]:
                envelope = envelopes.heads(room, _only(heads, priority), priority)
                self._offer(priority, envelope)

    def _offer(self, priority: Priority, envelope: bytes) -> None:
        for relay in self._mesh.carriers(ALL_RELAYS_KEY):
            if self._mesh.offer(relay, priority, envelope):
                self._counters.heads_sent += 1
            else:
                self._counters.heads_dropped += 1


def _only(heads: HeadsHeader, priority: Priority) -> HeadsHeader:
    """Return the head of one stream."""
    urgent, normal, bulk = (
        seq if priority == stream else 0 for stream, seq in enumerate(heads.seqs)
    )
    return HeadsHeader(heads.epoch, (urgent, normal, bulk))
