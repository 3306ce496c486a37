"""Repeats the heads of active rooms each second, so that a break on the way shows as a gap."""

from collections.abc import Iterable, Mapping

import structlog
import trio
from msgspec.structs import replace

from backends.errors import StoreUnavailableError
from backends.room_log.interface import RoomLog
from mesh.interface import Mesh
from proto.headers import HeadsHeader
from proto.heat import Rule
from proto.priorities import Priority
from proto.rendezvous import carrier
from router import envelopes
from router.counters import Counters
from router.heat.seeing import Active
from router.heat.telling import Telling
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
    """Sends each room's heads to all relays that are up; the room's carrier has them cross to the
    other regions.

    To all, not to the carrier alone: a node whose link to the carrier is broken hears of the gap
    from the others. Each lane carries the head of its own stream (and 0 for the others, which is
    below any head): behind the messages that it tells of, and not behind another lane's flood. They
    never wait: the next second brings the next ones.

    The rule of a room rides on the urgent lane, also where nobody has spoken for long.
    """

    def __init__(
        self,
        room_log: RoomLog,
        mesh: Mesh,
        presence: Presence,
        node: str,
        counters: Counters,
        telling: Telling,
    ) -> None:
        self._room_log = room_log
        self._mesh = mesh
        self._presence = presence
        self._node = node
        self._counters = counters
        self._telling = telling
        self.active = Active({}, float("-inf"))
        """What was last read."""

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
        read_at = trio.current_time()
        active = await self._room_log.active_heads()
        self.active = Active(active, read_at)
        rules = self._telling.rules
        routers = [lease.node for lease in self._presence.living("router")]
        for number, room in enumerate(share(active, self._node, routers), 1):
            self._send(room, active[room], rules.get(room))
            if number % ROOMS_A_TURN == 0:
                await trio.lowlevel.checkpoint()
        await self._tell_silent(share(rules.keys() - active.keys(), self._node, routers), rules)

    async def _tell_silent(self, rooms: Iterable[str], rules: Mapping[str, Rule]) -> None:
        """Send the rules of rooms in which nobody speaks: their viewers have to move all the
        same."""
        for room in rooms:
            self._send(room, await self._room_log.heads(room), rules[room])

    def _send(self, room: str, heads: HeadsHeader, rule: Rule | None) -> None:
        for priority in Priority:
            told = rule if priority is Priority.URGENT else None
            if heads.seqs[priority] or told:
                self._send_one(room, replace(_only(heads, priority), rule=told), priority)

    def _send_one(self, room: str, head: HeadsHeader, priority: Priority) -> None:
        here = envelopes.heads(room, head, priority)
        crossing = envelopes.heads(room, replace(head, crosses=True), priority)
        carriers = self._mesh.carriers(room)[:1]
        for relay in self._mesh.carriers(ALL_RELAYS_KEY):
            envelope = crossing if relay in carriers else here
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
