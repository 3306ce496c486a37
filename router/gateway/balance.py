"""Where to connect: the least loaded nodes first, without a stampede between two reports."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from backends.leases.interface import NodeLease
from proto.rendezvous import weight


class Endpoint(msgspec.Struct, frozen=True):
    """An access node as a client is told of it."""

    url: str
    node: str


class Balance:
    """Orders access nodes by load, for one client at a time.

    Nodes report their connections once a second, and a crowd comes within one. Sorted by these
    reports alone, all of it would go to the node that was least loaded a second ago ("herding":
    Mitzenmacher, "How Useful Is Old Information?", 2000). The usual cure, the better of two nodes
    drawn at random, leaves the emptiest node unnamed most of the time. Here each answer counts as a
    connection of the node that it named first, for one to two reports: by then the client has
    connected, and the node says so itself. So the order is by least load, and a crowd fills the
    nodes level. Ties fall by the uid's rendezvous hash, so that several gateways spread alike.
    """

    def __init__(self, region: str) -> None:
        self._region = region
        self._newer: Counter[str] = Counter()
        self._older: Counter[str] = Counter()

    def tick(self) -> None:
        """Forget the answers that the nodes' next reports will show as connections."""
        self._older, self._newer = self._newer, Counter()

    def choose(self, uid: str, nodes: Sequence[NodeLease], most: int) -> list[Endpoint]:
        """Return up to `most` of `nodes` that take connections, the best for `uid` first.

        Nodes of the gateway's own region come before all others.
        """
        taking = [node for node in nodes if node.url and is_ready(node)]
        taking.sort(key=lambda node: (weight(uid, node.node), node.node), reverse=True)
        taking.sort(key=lambda node: (node.region != self._region, self._load(node)))
        if taking:
            self._newer[taking[0].node] += 1
        return [Endpoint(node.url, node.node) for node in taking[:most]]

    def _load(self, node: NodeLease) -> int:
        return count_of(node, "connections") + self._newer[node.node] + self._older[node.node]


def is_ready(node: NodeLease) -> bool:
    """Say whether the node takes connections; one that does not say so is taken to."""
    return bool(node.status.get("ready", True)) and not node.status.get("draining", False)


def count_of(node: NodeLease, key: str) -> int:
    """Return the whole number that the node's status has under `key`, else 0."""
    value: Any = node.status.get(key, 0)
    return value if isinstance(value, int) else 0
