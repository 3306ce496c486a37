"""Interest that one relay at a time is told of: the first that carries it, then the next."""

from collections.abc import Mapping

import structlog
import trio

from mesh.connection import Connection
from proto.heat import pool_and_room
from proto.rendezvous import carrier

HAND_OVER_S = 2.0
"""How long the relay before still brings a key: the new one may have to begin with a bus topic, and
what comes twice meanwhile costs less than a gap."""

log = structlog.get_logger()


class Chosen:
    """The keys of `node` that one relay each is told of.

    `up` are the relays that are up. All keys of a pool are with the same one: the first of those
    that carry the hot way and stay. Nobody else needs to know which that is, so it need not be one
    that all nodes have found.
    """

    def __init__(self, node: str, up: Mapping[str, Connection]) -> None:
        self._node = node
        self._up = up
        self._keys: set[str] = set()
        self._moved = trio.Event()

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    @property
    def unplaced(self) -> int:
        """Keys that no relay which is up carries."""
        return sum(self.connection(key) is None for key in self._keys)

    def want(self, key: str) -> None:
        """Tell the relay of `key` that it is wanted."""
        self._keys.add(key)
        self._place(key)

    def unwant(self, key: str) -> None:
        """Withdraw `key` wherever it is."""
        self._keys.discard(key)
        for connection in self._up.values():
            connection.give_back(key)

    def relays_changed(self) -> None:
        """Tell those relays that are the first ones now; others go on for `HAND_OVER_S`."""
        for key in self._keys:
            self._place(key)
        if self._up and self.unplaced:
            log.warning("hot_way_missing", keys=self.unplaced, reason="no relay that is up has it")
        self._moved.set()

    def confirmed(self, key: str) -> bool:
        """Say whether the relay of `key` has it in its table."""
        connection = self.connection(key)
        return connection is not None and connection.announcer.confirmed(key)

    def brings(self, relay: str) -> bool:
        """Say whether `relay` brings keys that another one has yet to take over."""
        connection = self._up[relay]
        left = (key for key in self._keys if connection.announcer.takes(key))
        return any(self.connection(key) not in (None, connection) for key in left)

    def connection(self, key: str) -> Connection | None:
        """Return the relay that `key` belongs to; `None` while none carries the hot way."""
        found = pool_and_room(key)
        pool = found[0] if found else key
        able = (relay for relay, each in self._up.items() if each.hot and not each.leaving)
        first = carrier(f"{self._node}\0{pool}", able)
        return None if first is None else self._up[first]

    async def run(self) -> None:
        """Withdraw keys from relays that others have taken over from, until cancelled."""
        while True:
            await self._moved.wait()
            while self._moved.is_set():
                self._moved = trio.Event()
                await trio.sleep(HAND_OVER_S)
            unsettled = [key for key in self._keys if not self._hand_over(key)]
            if unsettled:
                self._moved.set()

    def _place(self, key: str) -> None:
        connection = self.connection(key)
        if connection is not None:
            connection.take(key)

    def _hand_over(self, key: str) -> bool:
        """Withdraw `key` from all relays but its own; false while that one has not confirmed it."""
        if not self.confirmed(key):
            return self.connection(key) is None
        mine = self.connection(key)
        for connection in self._up.values():
            if connection is not mine:
                connection.give_back(key)
        return True
