"""The relays of other regions that are connected here, and who of them gets what.

Of a region's relays that want a room, one gets the copy: the room's carrier among those that can be
reached, by rendezvous hashing, so that a message crosses once and no relay has all of the work. It
hands the copy to nodes of its own region alone. Pure but for the links that it puts things on.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Protocol

from proto.headers import Confirm, Interest
from proto.priorities import Priority
from relay.hot.wanted import Wanted
from relay.peer import Peer
from relay.table import SubscriptionTable

Append = Callable[[bytes], object]


class Carrying(Protocol):
    """The link to one other region, as far as envelopes are put on it."""

    @property
    def up(self) -> Collection[str]:
        """The relays that are up, by name."""

    @property
    def staying(self) -> Collection[str]:
        """Those that do not leave."""

    def carriers(self, key: str) -> list[str]:
        """Return the relays by which things go now, in the order in which they carry `key`."""

    def offer(self, relay: str, priority: Priority, envelope: bytes) -> bool:
        """Put `envelope` on the relay's lane, or count it as dropped."""


class Neighbours:
    """Relays by region with their interest, which `hot` is told of where it is in the hot way;
    `links` are those that this relay dials."""

    def __init__(self, links: Mapping[str, Carrying], hot: Wanted) -> None:
        self._links = links
        self._seated: dict[str, dict[str, Peer]] = {}
        self._table: SubscriptionTable[Peer] = SubscriptionTable(hot=hot)
        self._chosen: dict[bytes, list[tuple[str, str]]] = {}

    @property
    def interested(self) -> bool:
        """Whether any other region wants anything."""
        return len(self._table) > 0

    def join(self, peer: Peer) -> None:
        """Take in a relay whose lanes are complete."""
        self._seated.setdefault(peer.region, {})[peer.node] = peer
        self._chosen.clear()

    def leave(self, peer: Peer) -> None:
        """Take a relay out, and what it wanted."""
        seated = self._seated.get(peer.region, {})
        if seated.get(peer.node) is peer:
            del seated[peer.node]
        self._table.remove(peer)
        self._chosen.clear()

    def changed(self) -> None:
        """Choose anew: relays have come or gone."""
        self._chosen.clear()

    def step(self, peer: Peer, step: Interest) -> Confirm:
        """Take in a step of a relay's interest and return what to answer."""
        if step.full:
            self._chosen.clear()
        for key in (*step.add, *step.drop):
            self._chosen.pop(key.encode(), None)
        return self._table.step(peer, step)

    @property
    def peers(self) -> list[Peer]:
        """All that are connected here."""
        return [peer for seated in self._seated.values() for peer in seated.values()]

    def wanted(self, region: str) -> int:
        """Return how many rooms the relays of `region` want, each counted for itself."""
        return sum(self._table.rooms(peer) for peer in self._seated.get(region, {}).values())

    def answering(self, region: str) -> set[str]:
        """Return the relays of `region` that are up both ways: what is sent by the one way is
        answered by the other."""
        link = self._links.get(region)
        return set() if link is None else set(link.up) & self._seated.get(region, {}).keys()

    def reachable(self, region: str, key: str) -> list[str]:
        """Return those of them by which things go now, in the order in which they carry `key`."""
        answering = self.answering(region)
        if not answering:
            return []
        return [relay for relay in self._links[region].carriers(key) if relay in answering]

    def chosen(self, key: bytes) -> list[tuple[str, str]]:
        """Return the region and relay of each copy of what `key` names."""
        found = self._chosen.get(key)
        if found is None:
            found = list(self._choose(key))
            if found:
                # What nobody elsewhere wants is not remembered: names come and go without an end.
                self._chosen[key] = found
        return found

    def interested_in(self, key: bytes) -> list[tuple[str, str]]:
        """Return the region and name of every relay that wants `key` and is up."""
        wanting = self._table.receivers(key)
        return [(each.region, each.node) for each in wanting if self._is_up(each)]

    def append(self, region: str, relay: str, lane: int) -> Append:
        """Return what puts envelopes on the way to `relay`."""
        return partial(self._links[region].offer, relay, Priority(lane))

    def _choose(self, key: bytes) -> Iterable[tuple[str, str]]:
        wanting: dict[str, set[str]] = {}
        for region, relay in self.interested_in(key):
            wanting.setdefault(region, set()).add(relay)
        for region, relays in wanting.items():
            carriers = self._links[region].carriers(key.decode())
            first = next((relay for relay in carriers if relay in relays), None)
            # None of those that carry wants it: then it is left to one that has just come up.
            yield region, first or min(relays)

    def _is_up(self, peer: Peer) -> bool:
        link = self._links.get(peer.region)
        return link is not None and peer.node in link.staying
