"""Which nodes a local cluster has and which ports they use. Pure.

A cluster with port base N uses N (gateway and demo page), N+1… (further routers), N+10…
(WebSockets of access nodes), N+30… (three lanes a relay), N+54… (WebSockets, health endpoints and
webhook of dedicated access nodes) and N+80… (health endpoints).
"""

from typing import NamedTuple

from ops.errors import Refusal

LOOPBACK = "127.0.0.1"
DEFAULT_PORT_BASE = 7700
ACCESS_OFFSET = 10
LANES_OFFSET = 30
DEDICATED_OFFSET = 54
DEDICATED_HEALTH_OFFSET = 62
POOLS_OFFSET = 70
HEALTH_OFFSET = 80
LANES = ("urgent", "normal", "bulk")
SPAN = 120
"""Ports that belong to one cluster; the next one needs a base at least this far away."""

MOST = {"router": 8, "access": 16, "relay": 8, "logic": 8}
"""Most nodes of a role that the port ranges have room for."""


MOST_DEDICATED = 8
"""Most dedicated access nodes: none of them runs until a hot room needs it."""


class Node(NamedTuple):
    """A node of the local cluster: `ports` by what listens there (`http`, `websocket`, a lane)."""

    id: str
    role: str
    ports: dict[str, int]

    def address(self, name: str) -> str:
        """Return HOST:PORT of what listens at the port called `name`."""
        return f"{LOOPBACK}:{self.ports[name]}"


class Plan(NamedTuple):
    """The nodes of a local cluster, by role in the order routers, access, relays, logic."""

    port_base: int
    nodes: tuple[Node, ...]
    dedicated: tuple[Node, ...] = ()
    """Access nodes that are started when a hot room needs them."""

    def of(self, role: str) -> tuple[Node, ...]:
        """Return the nodes of `role`."""
        return tuple(node for node in self.nodes if node.role == role)

    @property
    def pools(self) -> str:
        """HOST:PORT at which routers ask for dedicated nodes."""
        return f"{LOOPBACK}:{self.port_base + POOLS_OFFSET}"

    @property
    def listeners(self) -> list[tuple[str, int]]:
        """What listens where: a name for eyes and a port."""
        nodes = (*self.nodes, *self.dedicated)
        found = [(f"{node.id} {name}", port) for node in nodes for name, port in node.ports.items()]
        webhook = [("pools", self.port_base + POOLS_OFFSET)] if self.dedicated else []
        return found + webhook

    @property
    def gateway(self) -> str:
        """URL of the gateway: the first router's HTTP."""
        return f"http://{self.of('router')[0].address('http')}"

    @property
    def links(self) -> dict[str, int]:
        """Links held through relays, and those if each access node dialled each router.

        A held link is a node and a relay; it has a connection for each lane.
        """
        relays, ends = len(self.of("relay")), len(self.nodes) - len(self.of("relay"))
        full_mesh = len(self.of("access")) * len(self.of("router"))
        return {"held": ends * relays, "full_mesh": full_mesh}


def plan(
    port_base: int, *, routers: int, access: int, relays: int, logics: int, dedicated: int = 0
) -> Plan:
    """Return the plan of a cluster; raises `Refusal` for a count or a base out of range."""
    counts = {"router": routers, "access": access, "relay": relays, "logic": logics}
    for role, count in counts.items():
        if not 1 <= count <= MOST[role]:
            raise Refusal(f"{role} nodes: expected 1 to {MOST[role]}, got {count}")
    if not 0 <= dedicated <= MOST_DEDICATED:
        raise Refusal(f"--most-dedicated: expected 0 to {MOST_DEDICATED}, got {dedicated}")
    if not 1024 <= port_base <= 65535 - SPAN:
        raise Refusal(f"--port-base: expected 1024 to {65535 - SPAN}, got {port_base}")
    return Plan(port_base, tuple(_nodes(port_base, counts)), _dedicated(port_base, dedicated))


def _nodes(base: int, counts: dict[str, int]) -> list[Node]:
    nodes = [_node("router", i, http=base + i) for i in range(counts["router"])]
    health = iter(range(base + HEALTH_OFFSET, base + SPAN))
    nodes += [
        _node("access", i, http=next(health), websocket=base + ACCESS_OFFSET + i)
        for i in range(counts["access"])
    ]
    for i in range(counts["relay"]):
        first = base + LANES_OFFSET + i * len(LANES)
        lanes = {lane: first + n for n, lane in enumerate(LANES)}
        nodes.append(_node("relay", i, http=next(health), **lanes))
    nodes += [_node("logic", i, http=next(health)) for i in range(counts["logic"])]
    return nodes


def _dedicated(base: int, count: int) -> tuple[Node, ...]:
    health, websocket = base + DEDICATED_HEALTH_OFFSET, base + DEDICATED_OFFSET
    return tuple(
        Node(f"access-hot-{i + 1}", "access", {"http": health + i, "websocket": websocket + i})
        for i in range(count)
    )


def _node(role: str, index: int, **ports: int) -> Node:
    return Node(f"{role}-{index + 1}", role, ports)
