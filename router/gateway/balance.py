"""Where to connect: the least loaded URLs first, without a stampede between two reports."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from backends.leases.interface import NodeLease
from proto.rendezvous import weight

USUAL_ROOM = 100_000
"""Connections that a node takes which does not say: an access node's default."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where a client is told to connect; `node` is one of those that may be reached there."""

    url: str
    node: str


class Place:
    """One URL and the nodes that take connections behind it.

    Several are workers that share a port: the kernel spreads clients over them, so they count as
    one, with the sum of their connections and of their limits.
    """

    def __init__(self, url: str, nodes: Sequence[NodeLease]) -> None:
        self.url = url
        self.node = min(node.node for node in nodes)
        self.region = nodes[0].region
        self.connections = sum(count_of(node, "connections") for node in nodes)
        self.room = sum(count_of(node, "max_connections") or USUAL_ROOM for node in nodes)


class Balance:
    """Orders URLs of access nodes by load, for one client at a time.

    Nodes report their connections once a second, and a crowd comes within one. Sorted by these
    reports alone, all of it would go to the node that was least loaded a second ago ("herding":
    Mitzenmacher, "How Useful Is Old Information?", 2000). The usual cure, the better of two nodes
    drawn at random, leaves the emptiest node unnamed most of the time. Here each answer counts as a
    connection of the URL that it named first, for one to two reports: by then the client has
    connected, and the node says so itself. So the order is by least load, which is the share of a
    URL's limit that is taken, and a crowd fills them level. Ties fall by the uid's rendezvous hash,
    so that several gateways spread alike.
    """

    def __init__(self, region: str) -> None:
        self._region = region
        self._newer: Counter[str] = Counter()
        self._older: Counter[str] = Counter()

    def tick(self) -> None:
        """Forget the answers that the nodes' next reports will show as connections."""
        self._older, self._newer = self._newer, Counter()

    def choose(self, uid: str, nodes: Sequence[NodeLease], most: int) -> list[Endpoint]:
        """Return up to `most` URLs whose nodes take connections, the best for `uid` first.

        Those of the gateway's own region come before all others.
        """
        places = _places(nodes)
        places.sort(key=lambda place: (weight(uid, place.node), place.url), reverse=True)
        places.sort(key=lambda place: (place.region != self._region, self._load(place)))
        if places:
            self._newer[places[0].url] += 1
        return [Endpoint(place.url, place.node) for place in places[:most]]

    def _load(self, place: Place) -> float:
        coming = self._newer[place.url] + self._older[place.url]
        return (place.connections + coming) / place.room


def for_pool(nodes: Sequence[NodeLease], pool: str) -> list[NodeLease]:
    """Return the nodes of `pool` that take connections and have places left; where there is none,
    the ordinary nodes.

    A node with a pool gets nobody else, however idle it is.
    """
    its = [node for node in nodes if pool and node.pool == pool]
    dedicated = [node for node in its if is_ready(node) and not is_full(node)]
    return dedicated or [node for node in nodes if not node.pool]


def _places(nodes: Iterable[NodeLease]) -> list[Place]:
    behind: dict[str, list[NodeLease]] = {}
    for node in nodes:
        if node.url and is_ready(node):
            behind.setdefault(node.url, []).append(node)
    return [Place(url, found) for url, found in behind.items()]


def is_ready(node: NodeLease) -> bool:
    """Say whether the node takes connections; one that does not say so is taken to."""
    return bool(node.status.get("ready", True)) and not node.status.get("draining", False)


def is_full(node: NodeLease) -> bool:
    """Say whether the node has as many connections as it takes, where it says how many."""
    most = count_of(node, "max_connections")
    return bool(most) and count_of(node, "connections") >= most


def count_of(node: NodeLease, key: str) -> int:
    """Return the whole number that the node's status has under `key`, else 0."""
    value: Any = node.status.get(key, 0)
    return value if isinstance(value, int) else 0
