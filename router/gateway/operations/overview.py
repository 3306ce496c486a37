"""The cluster at a glance: each node, and the links that are held against those of a full mesh."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from backends.leases.interface import Lost, NodeLease, RegionNodes
from proto.heat import HeatState, Rule
from router.gateway.balance import count_of, is_ready
from router.gateway.operations.alerts import Alert, alerts

LANES = 3
MOST_ROOMS = 50


class RelayLinks(msgspec.Struct, frozen=True):
    """Links of this region's relays to relays of other regions: those that are up both ways, and
    those that should be."""

    held: int = 0
    wanted: int = 0


class Links(msgspec.Struct, frozen=True):
    """The connection arithmetic. `held` counts each node and relay once, `wanted` those that should
    be, `lanes` the connections that this takes; `full_mesh` is what access nodes times routers
    would take without relays."""

    held: int
    lanes: int
    full_mesh: int
    wanted: int = 0
    relay_links: RelayLinks = RelayLinks()


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node as its lease says, or said last: then it is not `up`, and `silent_s` is how long
    nothing has been heard of it."""

    id: str
    role: str
    region: str
    up: bool
    url: str
    incarnation: str
    links: int
    lane_depths: dict[str, Any]
    connections: int
    rooms: int
    status: dict[str, Any]
    lag: dict[str, Any] = {}
    """What waits on the bus, by topic, as a router sees it."""
    drops: dict[str, Any] = {}
    """What was dropped, by reason and priority."""
    skipped: dict[str, Any] = {}
    """What clients were told of as skipped, by priority."""
    certificate: dict[str, Any] = {}
    """The certificate that it shows on the mesh: `name`, and `expires_s`, its end in Unix seconds;
    nothing where links are not encrypted."""
    silent_s: float = 0.0


class HotRoom(msgspec.Struct, frozen=True):
    """A room that is, or is on its way to be, on dedicated nodes or back from them."""

    room: str
    state: HeatState
    fence: int
    pool: str


class Pool(msgspec.Struct, frozen=True):
    """The living dedicated nodes of one pool; `ready` are those that take connections."""

    pool: str
    nodes: int
    ready: int
    connections: int


class Region(msgspec.Struct, frozen=True):
    """Another region: its nodes are known where it `answers`."""

    region: str
    answers: bool
    nodes: list[Node]
    lost: list[Node]


class Overview(msgspec.Struct, frozen=True):
    """What `GET /v1/status` answers: `nodes` are those that live in this region, `lost` those that
    went away in the last minutes without a word; `rooms` are the hottest ones first."""

    links: Links
    nodes: list[Node]
    pools: list[Pool]
    hot_rooms: list[HotRoom]
    lost: list[Node] = []
    rooms: list[dict[str, Any]] = []
    region: str = ""
    regions: list[Region] = []
    alerts: list[Alert] = []


def overview(
    leases: Sequence[NodeLease],
    rules: Iterable[Rule],
    lost: Sequence[Lost] = (),
    region: str = "",
    elsewhere: Mapping[str, RegionNodes | None] | None = None,
    now_s: float = 0.0,
) -> Overview:
    """Return the overview of the living nodes in `leases`, of those `lost`, of the hot rooms among
    `rules`, and of the regions `elsewhere` (`None`: it does not answer); `now_s` is Unix time."""
    by_role: dict[str, int] = {}
    for lease in leases:
        by_role[lease.role] = by_role.get(lease.role, 0) + 1
    relays = by_role.get("relay", 0)
    held = sum(_links(lease, relays) for lease in leases if lease.role != "relay")
    full_mesh = by_role.get("access", 0) * by_role.get("router", 0)
    wanted = (len(leases) - relays) * relays
    others = elsewhere or {}
    return Overview(
        Links(held, held * LANES, full_mesh, wanted, _relay_links(leases)),
        _nodes(leases),
        pools(leases),
        hot_rooms(rules),
        [_lost_node(each) for each in lost],
        hottest(leases),
        region,
        [_region(name, others[name]) for name in sorted(others)],
        alerts(leases, lost, region, others, now_s),
    )


def hottest(leases: Iterable[NodeLease]) -> list[dict[str, Any]]:
    """Return the rooms that routers name as their hottest, the hottest of all first."""
    named = [lease.status.get("heat") for lease in leases if lease.role == "router"]
    rooms = [room for heat in named if isinstance(heat, list) for room in heat]
    fine = [room for room in rooms if isinstance(room, dict)]
    return sorted(fine, key=lambda room: room.get("pressure", 0), reverse=True)[:MOST_ROOMS]


def pools(leases: Iterable[NodeLease]) -> list[Pool]:
    """Return the pools that the access nodes in `leases` say they belong to, by name."""
    found: dict[str, list[NodeLease]] = {}
    for lease in leases:
        if lease.role == "access" and lease.pool:
            found.setdefault(lease.pool, []).append(lease)
    return [_pool(name, found[name]) for name in sorted(found)]


def hot_rooms(rules: Iterable[Rule]) -> list[HotRoom]:
    """Return the rooms that are not normal, by name."""
    hot = [rule for rule in rules if rule.state is not HeatState.NORMAL]
    hot.sort(key=lambda rule: rule.room)
    return [HotRoom(rule.room, rule.state, rule.fence, rule.pool) for rule in hot]


def _pool(name: str, nodes: Sequence[NodeLease]) -> Pool:
    ready = sum(map(is_ready, nodes))
    return Pool(name, len(nodes), ready, sum(count_of(node, "connections") for node in nodes))


def _region(name: str, nodes: RegionNodes | None) -> Region:
    living, lost = nodes or RegionNodes()
    living = sorted(living, key=lambda lease: lease.node)
    return Region(name, nodes is not None, _nodes(living), [_lost_node(each) for each in lost])


def _nodes(leases: Sequence[NodeLease]) -> list[Node]:
    relays = sum(lease.role == "relay" for lease in leases)
    return [_node(each, relays) for each in leases]


def _lost_node(lost: Lost) -> Node:
    return _node(lost.lease, 0, up=False, silent_s=round(lost.silent_s, 1))


def _node(lease: NodeLease, relays: int, *, up: bool = True, silent_s: float = 0.0) -> Node:
    status = dict(lease.status)
    return Node(
        id=lease.node,
        role=lease.role,
        region=lease.region,
        up=up,
        url=lease.url,
        incarnation=lease.incarnation,
        links=_links(lease, relays),
        lane_depths=_table(status, "lane_depths"),
        connections=_count(status, "connections"),
        rooms=_count(status, "rooms"),
        status=status,
        lag=_table(status, "lag"),
        drops=_table(status, "drops"),
        skipped=_table(status, "skipped"),
        certificate=_table(status, "certificate"),
        silent_s=silent_s,
    )


def _links(lease: NodeLease, relays: int) -> int:
    """Return how many links the node has: what it says, or else one to every relay."""
    links = lease.status.get("links", relays)
    if isinstance(links, list):
        return len(links)
    return links if isinstance(links, int) else relays


def _table(status: dict[str, Any], key: str) -> dict[str, Any]:
    value = status.get(key)
    return value if isinstance(value, dict) else {}


def _relay_links(leases: Sequence[NodeLease]) -> RelayLinks:
    regions = [lease.status.get("regions") for lease in leases if lease.role == "relay"]
    each = [one for found in regions if isinstance(found, dict) for one in found.values()]
    return RelayLinks(sum(_count(e, "up") for e in each), sum(_count(e, "relays") for e in each))


def _count(status: dict[str, Any], key: str) -> int:
    value = status.get(key, 0)
    return value if isinstance(value, int) else 0
