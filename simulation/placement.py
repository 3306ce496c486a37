"""Where a room's viewers are: regions, nodes, and the relays' real tables that follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from proto.headers import Interest
from proto.regions import Regions
from proto.rendezvous import carrier
from relay.table import SubscriptionTable
from simulation.deployment import Deployment, shares
from simulation.rooms import Room
from simulation.sampling import binomial, occupied, spread

STEP_ROOMS = 4000
"""Rooms in one step of interest; headers are bounded."""


@dataclass(slots=True)
class Placed:
    """A room with its home, and in each region its viewers and the nodes where they are."""

    room: Room
    home: int
    viewers: list[int]
    pool: int = 0
    """Dedicated nodes; 0: the room is not hot."""
    receivers: list[int] = field(default_factory=list)
    """Nodes that get a copy, by region, as the region's relays have it in their tables; of a hot
    room's home the pool."""

    @property
    def abroad(self) -> list[int]:
        """The other regions in which somebody watches."""
        return [
            region for region, count in enumerate(self.viewers) if count and region != self.home
        ]


@dataclass(slots=True)
class Region:
    """A region: what it has of nodes, and what one of its relays knows."""

    name: str
    access: int
    relays: list[str]
    dedicated: int = 0
    entries: float = 0.0
    """Rooms and nodes in a relay's table, those that the sample stands for included."""

    @property
    def ordinary(self) -> int:
        """Access nodes that are in no pool."""
        return self.access - self.dedicated


def regions(deployment: Deployment) -> list[Region]:
    """Return the regions, with nodes as equal as can be."""
    access = shares(deployment.access, deployment.regions)
    return [
        Region(name, count, [f"relay-{name}-{n + 1}" for n in range(deployment.relays_per_region)])
        for name, count in zip(deployment.region_names, access, strict=True)
    ]


def at_home(deployment: Deployment, sizes: Sequence[Room], random: Random) -> list[Placed]:
    """Return the rooms, each with the home that rendezvous names and its viewers by region."""
    names = deployment.region_names
    homes = Regions(names=tuple(names), im=names[0])
    index = {name: number for number, name in enumerate(names)}
    placed = []
    for room in sizes:
        home = index[homes.home_of_room(room.name) or names[0]]
        placed.append(Placed(room, home, _by_region(deployment, room, home, random)))
    return placed


def _by_region(deployment: Deployment, room: Room, home: int, random: Random) -> list[int]:
    others = deployment.regions - 1
    away = binomial(random, room.viewers, deployment.abroad) if others else 0
    elsewhere = spread(random, away, others) if others else []
    return [*elsewhere[:home], room.viewers - away, *elsewhere[home:]]


def announce(
    deployment: Deployment, placed: Sequence[Placed], region: Region, number: int, random: Random
) -> None:
    """Have the nodes of a region say to a relay which rooms they want, and note who gets copies.

    The table is the relays' own (each relay of the region has the same). Only what the sampled
    rooms need is in it; `entries` says how many there would be.
    """
    table: SubscriptionTable[int] = SubscriptionTable()
    wanted: list[list[str]] = [[] for _ in range(region.ordinary)]
    for each in placed:
        each.receivers.append(each.pool if each.pool and number == each.home else 0)
        if not each.receivers[number] and each.viewers[number]:
            for node in _nodes(deployment, each, number, region.ordinary, random):
                wanted[node].append(each.room.name)
    for node, names in enumerate(wanted):
        _step(table, node, names)
    for each in placed:
        if not each.receivers[number]:
            each.receivers[number] = len(table.receivers(each.room.name.encode()))
        region.entries += each.room.weight * each.receivers[number]


def _nodes(
    deployment: Deployment, each: Placed, number: int, ordinary: int, random: Random
) -> list[int]:
    """Return the nodes on which the room's viewers of one region are."""
    viewers = each.viewers[number]
    if not deployment.room_spread:
        return occupied(random, viewers, ordinary)
    most = min(ordinary, -(-viewers // deployment.room_spread))
    if most == ordinary:
        return list(range(ordinary))
    start = random.randrange(ordinary)  # as good as the first of a rendezvous ranking, and quick
    return [(start + step) % ordinary for step in range(most)]


def _step(table: SubscriptionTable[int], node: int, names: list[str]) -> None:
    for generation, start in enumerate(range(0, max(1, len(names)), STEP_ROOMS)):
        add = names[start : start + STEP_ROOMS]
        table.step(node, Interest(generation, generation == 0, add, []))


def carriers(placed: Placed, regions_: Sequence[Region]) -> list[str]:
    """Return the relay of each region that brings the room's messages there."""
    name = placed.room.name
    return [carrier(name, region.relays) or "" for region in regions_]
