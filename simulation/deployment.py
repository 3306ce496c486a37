"""What is simulated: how many of everything, and how often what happens."""

from collections.abc import Iterator
from typing import Any

import msgspec

MOST_CLIENTS = 100_000_000
MOST_NODES = 100_000
MOST_RELAYS = 8
"""As many as `mesh.relays` takes."""

MOST_REGIONS = 16
NODES_PER_RELAY = 100
CLIENTS_PER_ROOM = 100

RANGES: dict[str, tuple[float, float]] = {
    "clients": (1, MOST_CLIENTS),
    "access": (1, MOST_NODES),
    "routers": (1, MOST_NODES),
    "regions": (1, MOST_REGIONS),
    "relays": (0, MOST_RELAYS),
    "logic": (0, MOST_NODES),
    "rooms": (0, MOST_CLIENTS),
    "zipf": (0, 3),
    "chats": (0, 10),
    "gifts": (0, 10),
    "likes": (0, 100),
    "room_per_s": (0, 10_000),
    "im": (0, 10),
    "frame_bytes": (20, 32_768),
    "abroad": (0, 1),
    "threshold": (1, MOST_CLIENTS),
    "viewers_per_node": (0, 1_000_000),
    "room_spread": (0, 1_000_000),
    "between_ms": (0, 10_000),
    "seed": (0, 2**32),
}
"""What each number may be."""


class DeploymentError(ValueError):
    """A deployment that can't be; the text names the option."""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster and its traffic. Counts are of the whole cluster unless said otherwise; each client
    has one connection and is in one room."""

    clients: int
    access: int
    """Access nodes: processes of one core each; a node with N workers counts as N."""
    routers: int
    regions: int = 1
    relays: int = 0
    """For each region; 0: one for each hundred nodes, from 2 to 8."""
    logic: int = 0
    """Logic nodes; 0: as many as routers."""
    rooms: int = 0
    """0: one for each hundred clients."""
    zipf: float = 1.0
    """The room of rank r has a share of the clients that goes with 1/r^zipf."""
    chats: float = 0.005
    """Chat messages a second and viewer: one in 200 s."""
    gifts: float = 0.0005
    """Gifts and host speech (urgent), a second and viewer."""
    likes: float = 0.02
    """Frames with likes, merged in the client, a second and viewer."""
    room_per_s: float = 20.0
    """Most chat messages a second that a room takes, and a quarter as many urgent ones: nobody
    reads more. What is over is refused, and not counted."""
    im: float = 0.0005
    """Instant messages a second and client: two an hour, nearly."""
    frame_bytes: int = 360
    """A message on its way to a client: `bench edge` has as many."""
    abroad: float = 0.1
    """Share of a room's viewers who are in other regions than its home."""
    threshold: int = 10_000
    """Viewers from which on a room is hot."""
    viewers_per_node: int = 0
    """Viewers for each dedicated node; 0: as many as every node has, but no fewer than 5,000."""
    room_spread: int = 0
    """Viewers of a room whom the gateway would put on one node before it takes another; 0: it looks
    at the nodes' load alone, as it does today, so that they are anywhere."""
    between_ms: float = 80.0
    """From one region to another, one way."""
    bus: str = "redis"
    seed: int = 1

    @property
    def relays_per_region(self) -> int:
        """As given, or one for each hundred access nodes and routers of a region, from 2 to 8."""
        ends = -(-(self.access + self.routers) // self.regions)
        return self.relays or min(MOST_RELAYS, max(2, -(-ends // NODES_PER_RELAY)))

    @property
    def logic_nodes(self) -> int:
        """As given, or as many as routers."""
        return self.logic or self.routers

    @property
    def room_count(self) -> int:
        """As given, or one for each hundred clients."""
        return self.rooms or max(1, self.clients // CLIENTS_PER_ROOM)

    @property
    def region_names(self) -> list[str]:
        """The regions' names."""
        return [f"region-{number}" for number in range(1, self.regions + 1)]


def shares(count: int, parts: int) -> list[int]:
    """Return `count` in `parts` as equal as can be, the larger ones first."""
    return [count // parts + (part < count % parts) for part in range(parts)]


def check(deployment: Deployment) -> Deployment:
    """Return `deployment`; raises `DeploymentError` with all that is wrong with it."""
    flaws = list(_flaws(deployment))
    if flaws:
        raise DeploymentError("; ".join(flaws))
    return deployment


def _flaws(deployment: Deployment) -> Iterator[str]:
    values: dict[str, Any] = msgspec.structs.asdict(deployment)
    for name, (least, most) in RANGES.items():
        if not least <= values[name] <= most:
            yield f"{option(name)}: expected {least:,} to {most:,}, got {values[name]:,}"
    if deployment.bus not in ("redis", "rocketmq"):
        yield f"--bus: expected redis or rocketmq, got {deployment.bus!r}"
    for name in ("access", "routers", "logic"):
        if 0 < values[name] < deployment.regions:
            yield (
                f"{option(name)}: expected at least one for each of the {deployment.regions} "
                f"regions, got {values[name]}"
            )
    if deployment.rooms > deployment.clients:
        yield f"--rooms: expected at most one for each client, got {deployment.rooms:,}"


def option(name: str) -> str:
    """Return the option of the command line for the field `name`."""
    return "--" + name.replace("_", "-")
