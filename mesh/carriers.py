"""Which relays carry what, as this node sees it."""

from collections.abc import Mapping

from mesh.connection import Connection
from proto.rendezvous import ranked

RANKINGS = 65_536
"""Keys whose carriers are remembered until a relay comes or goes."""


class Carriers:
    """The order of the relays for each key; `up` are those that are up, by name."""

    def __init__(self, up: Mapping[str, Connection]) -> None:
        self._up = up
        self._ranked: dict[str, list[str]] = {}

    @property
    def staying(self) -> list[str]:
        """The relays that are up and do not leave."""
        return [each.relay for each in self._up.values() if not each.leaving]

    @property
    def carrying(self) -> list[str]:
        """The relays that are up and stay: those alone that every node has found, if there are."""
        staying = self.staying
        return [relay for relay in staying if self._up[relay].settled] or staying

    def of(self, key: str) -> list[str]:
        """Return the relays that carry, in the order in which they carry `key`."""
        found = self._ranked.get(key)
        if found is None:
            if len(self._ranked) >= RANKINGS:
                self._ranked.clear()
            found = self._ranked[key] = ranked(key, self.carrying)
        return list(found)

    def changed(self) -> None:
        """Note that relays have come, gone, or begun or ceased to carry."""
        self._ranked.clear()
