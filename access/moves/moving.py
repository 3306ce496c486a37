"""Puts the parts of moving together: what the rest of the node sees of it."""

from collections.abc import Callable, Iterable
from typing import Any

import trio

from access.alarms import Alarms
from access.counters import AccessCounters
from access.moves.destinations import Destinations
from access.moves.directions import Directions, Reason
from access.moves.draining import Draining
from access.moves.mover import Mover
from access.moves.moves import Moves
from access.moves.room_rules import RoomRules
from access.moves.rules import Rules
from access.moves.tickets import Tickets
from access.room import Room
from access.session import Session
from access.settings import Settings
from backends.leases.interface import Registry
from backends.one_use.interface import OneUse
from backends.token_keys.files import own_keyring
from mesh.interface import Mesh
from proto.identity import NodeIdentity
from proto.ids import RandomBits


class Moving:
    """Learns rules (`rules`), lets in those who come by a move (`tickets`), moves who has to go."""

    def __init__(
        self,
        settings: Settings,
        identity: NodeIdentity,
        mesh: Mesh,
        registry: Registry,
        one_use: OneUse,
        alarms: Alarms,
        counters: AccessCounters,
        *,
        room_of: Callable[[str], Room | None],
        everybody: Callable[[], Iterable[Session]],
        at_home: Callable[[str], bool],
        now_s: Callable[[], float],
        random: Callable[[], float],
        random_bits: RandomBits,
    ) -> None:
        self._pool = settings.pool
        self._own = own_keyring(settings.tokens)
        self.tickets = Tickets(
            self._own,
            settings.pool,
            one_use,
            counters,
            now_s=now_s,
            random_bits=random_bits,
        )
        known = Rules()
        self.rules = RoomRules(mesh, known)
        self._directions = Directions(known, settings.pool, at_home)
        destinations = Destinations(identity.node, identity.region, registry)
        self._draining = Draining(settings.pool, destinations, everybody)
        self._mover = Mover(
            alarms, destinations, self.tickets, self._has_to_go, counters, random=random
        )
        self._moves = Moves(
            room_of,
            known,
            self.rules,
            self._directions,
            destinations,
            self._mover,
            grace_s=settings.move_grace_s,
        )

    def reconfigured(self, settings: Settings) -> None:
        """Take over the keys that reload. Raises `ValueError`, and changes nothing, for a secret
        that can't be one."""
        self._own.replace(own_keyring(settings.tokens))
        self._moves.grace_s = settings.move_grace_s

    async def run(self) -> None:
        """Move members by the rules of their rooms, for ever."""
        await self._moves.run()

    async def drain(self, within_s: float) -> bool:
        """Send all clients to other nodes; see `Draining.run`."""
        return await self._draining.run(self._mover, within_s)

    @property
    def left(self) -> int:
        """How many members still have to move because of their room."""
        return sum(self._moves.leaving.values())

    def status(self) -> dict[str, Any]:
        """Return what the lease says of it, as JSON-able values."""
        return {"pool": self._pool, "moving": dict(self._moves.leaving)}

    def _has_to_go(self, session: Session) -> Reason | None:
        return self._draining.reason or self._directions.of(session, trio.current_time())
