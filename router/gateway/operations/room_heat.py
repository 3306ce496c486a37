"""The picture of one room's heat, put together from what is known of it. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from backends.heat.interface import Kept, Tag
from backends.leases.interface import NodeLease
from proto.heat import HeatState, Rule, Wish
from proto.priorities import Priority
from router.gateway.balance import count_of, is_ready
from router.heat.state import Heat, restored


class Known(NamedTuple):
    """What is known of a room. `online` and `has_messages` are `None` where logic is away."""

    kept: Kept | None
    tag: Tag | None
    wish: Wish
    online: int | None
    has_messages: bool | None

    def exists(self) -> bool:
        """Say whether there is, or was, or is to be such a room, as far as anybody knows."""
        said = self.kept or self.tag or self.wish is not Wish.AUTO
        return bool(said or self.online or self.has_messages or self.has_messages is None)


class PoolNode(msgspec.Struct, frozen=True):
    """A living node of the room's pool."""

    node: str
    ready: bool
    connections: int


class RoomHeat(msgspec.Struct, frozen=True):
    """What `GET /v1/rooms/{room}/heat` answers.

    `firsts` are the first numbers, by priority, that the rule holds for; `nodes_wanted` how many
    dedicated nodes the room should have, `trouble` why there are none or too few; `retry_s` how
    long it is left alone after a failed upgrade; `gateways` the version of the rules that each
    gateway goes by, of `rules_version`.
    """

    room: str
    state: HeatState
    fence: int
    pool: str
    since_ms: int
    firsts: dict[str, int]
    spread_ms: int
    wish: Wish
    tag: str
    hot_at_ms: tuple[int, ...]
    online: int | None
    nodes_wanted: int
    nodes: list[PoolNode]
    failures: int
    trouble: str
    retry_s: float
    rules_version: int
    gateways: dict[str, int]


def room_heat(
    room: str, known: Known, access: Sequence[NodeLease], gateways: Mapping[str, int], version: int
) -> RoomHeat:
    """Return the picture of `room`; `access` are the living access nodes."""
    rule = known.kept.rule if known.kept else Rule(room, HeatState.NORMAL, 0)
    heat = restored(rule, known.kept.detail) if known.kept else Heat()
    # A pool is a room's own before its rule names it, and no longer once it is released.
    pool = rule.pool if rule.state.pooled else heat.pool
    tag = known.tag or Tag()
    return RoomHeat(
        room=room,
        state=rule.state,
        fence=rule.fence,
        pool=pool,
        since_ms=known.kept.since_ms if known.kept else 0,
        firsts={priority.label: rule.firsts[priority] for priority in Priority},
        spread_ms=rule.spread_ms,
        wish=known.wish,
        tag=tag.by,
        hot_at_ms=tag.hot_at_ms,
        online=known.online,
        nodes_wanted=heat.nodes,
        nodes=pool_nodes(pool, access),
        failures=heat.failures,
        trouble=heat.trouble,
        retry_s=round(heat.retry_s, 1),
        rules_version=version,
        gateways=dict(gateways),
    )


def pool_nodes(pool: str, access: Sequence[NodeLease]) -> list[PoolNode]:
    """Return the nodes of `pool`."""
    return [
        PoolNode(lease.node, is_ready(lease), count_of(lease, "connections"))
        for lease in access
        if pool and lease.pool == pool
    ]
