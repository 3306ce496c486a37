"""Leases in Redis: keys that expire by the server's own clock, so that no two clocks need agree."""

import msgspec

from backends.leases.interface import LOST_KEPT_S, Lost, NodeLease, Orders
from backends.redis.client import RedisClient
from backends.redis.scripts import Command, script

_RENEW = script("lease_renew")
_RESIGN = script("lease_resign")
_DRAIN = script("lease_drain")
_FORGET = script("lease_forget")
_LOST = script("lease_lost")
_HOLD = script("duty_hold")
_RELEASE = script("duty_release")

ROLES = ("access", "relay", "router", "logic")
"""Those whose nodes have leases."""

_INDEX = "rm:{nodes}:index"
_POOLS = "rm:{nodes}:pools"
"""Access nodes, each with its pool; beside it `:POOL`, a set of nodes, for each pool."""
_TO_DRAIN = "rm:{nodes}:to-drain"
_PULSE = "rm:{nodes}:pulse"
_SETTLING = "rm:{nodes}:settling"
_HEARD = "rm:{nodes}:heard"
"""Nodes that were heard of of late; beside it `:NODE`, what their lease was then."""

_LOST_KEPT_MS = round(LOST_KEPT_S * 1000)
ORDERS_KEPT_S = 3600
"""A node obeys within a second; this only bounds what is kept for nodes that died before it."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(NodeLease).decode


class RedisRegistry:
    """Implements `Registry`. Nodes renew every `ttl_s` / 3.

    The pulse is a key that each renewal of any node extends by half a lease. Where it is gone, the
    store was away, or empty, for so long that leases of living nodes may have run out: the next
    renewal starts the time in which absence means nothing.
    """

    def __init__(self, redis: RedisClient, ttl_s: float = 3.0) -> None:
        self._redis = redis
        self._ttl_ms = round(ttl_s * 1000)

    async def renew(self, lease: NodeLease) -> Orders:
        """See `Registry`."""
        value = f"{lease.incarnation} ".encode() + _encode(lease)
        keys = [
            *(_lease_key(lease.node), _INDEX, _PULSE, _SETTLING, _TO_DRAIN),
            *(_index_of(lease.role), _POOLS, _HEARD),
        ]
        pool = [lease.pool] if lease.role == "access" else []
        times_ms = (self._ttl_ms, self._ttl_ms // 2, _LOST_KEPT_MS)
        command = _RENEW.command(keys, lease.node, value, *times_ms, *pool)
        return Orders(drain=bool(await self._redis.call(_INDEX, command)))

    async def order_drain(self, node: str) -> str | None:
        """See `Registry`."""
        command = _DRAIN.command([_lease_key(node), _TO_DRAIN], node, ORDERS_KEPT_S)
        incarnation: bytes | None = await self._redis.call(_INDEX, command)
        return None if incarnation is None else incarnation.decode()

    async def resign(self, node: str, incarnation: str) -> None:
        """See `Registry`."""
        keys = [_lease_key(node), _INDEX, _TO_DRAIN, _POOLS, _HEARD, *_ROLE_INDEXES]
        await self._redis.call(_INDEX, _RESIGN.command(keys, node, incarnation))

    async def living(self, role: str = "") -> list[NodeLease]:
        """See `Registry`."""
        index = _index_of(role) if role else _INDEX
        found, _ = await self._read(("SMEMBERS", index), index)
        return [lease for lease in found if role in ("", lease.role)]

    async def living_in(self, pool: str, most: int) -> list[NodeLease]:
        """See `Registry`."""
        index, found = f"{_POOLS}:{pool}", dict[str, NodeLease]()
        dead = -1
        while dead and len(found) < most:
            # Each round takes off the index whoever it finds dead there, so there is a last one.
            leases, dead = await self._read(("SRANDMEMBER", index, most), index)
            found.update((lease.node, lease) for lease in leases if lease.pool == pool)
        return list(found.values())[:most]

    async def lost(self) -> list[Lost]:
        """See `Registry`."""
        command = _LOST.command([_HEARD], _lease_key(""), _LOST_KEPT_MS)
        found = await self._redis.call(_INDEX, command)
        return [Lost(_lease(value), silent_ms / 1000) for value, silent_ms in found]

    async def settled(self) -> bool:
        """See `Registry`."""
        pulse, settling = await self._redis.call_many(
            _INDEX, [("EXISTS", _PULSE), ("EXISTS", _SETTLING)]
        )
        return bool(pulse) and not settling

    async def _read(self, names: Command, index: str) -> tuple[list[NodeLease], int]:
        """Return the leases of those whom `names` names out of `index`, and how many have none:
        they are off the index then."""
        nodes = sorted(name.decode() for name in await self._redis.call(_INDEX, names))
        read: list[Command] = [("GET", _lease_key(node)) for node in nodes]
        replies = dict(zip(nodes, await self._redis.call_many(_INDEX, read), strict=True))
        dead = [node for node, reply in replies.items() if reply is None]
        await self._forget(dead, index)
        return [_lease(reply) for reply in replies.values() if reply is not None], len(dead)

    async def _forget(self, nodes: list[str], index: str) -> None:
        keys = [index, _POOLS, *_ROLE_INDEXES]
        commands = [_FORGET.command([_lease_key(node), *keys], node) for node in nodes]
        await self._redis.call_many(_INDEX, commands)


class RedisDuties:
    """Implements `Duties`. Fencing numbers are at least the server's time in milliseconds."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def hold(self, duty: str, holder: str, ttl_s: float) -> int | None:
        """See `Duties`."""
        keys = [_duty_key(duty), f"{_duty_key(duty)}:fence"]
        command = _HOLD.command(keys, holder, round(ttl_s * 1000))
        fence: int | None = await self._redis.call(duty, command)
        return fence

    async def release(self, duty: str, holder: str) -> None:
        """See `Duties`."""
        await self._redis.call(duty, _RELEASE.command([_duty_key(duty)], holder))


def _index_of(role: str) -> str:
    return f"{_INDEX}:{role}"


_ROLE_INDEXES = [_index_of(role) for role in ROLES]


def _lease_key(node: str) -> str:
    return f"rm:{{nodes}}:lease:{node}"


def _duty_key(duty: str) -> str:
    return f"rm:{{duty-{duty}}}"


def _lease(value: bytes) -> NodeLease:
    return _decode(value.partition(b" ")[2])
