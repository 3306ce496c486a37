"""The heat of rooms in Redis: a hash beside each room's log, an index of all rules."""

from collections.abc import Mapping

import msgspec

from backends.heat.interface import Kept, Retag, Retagged, Rules, Tag, Transition
from backends.heat.rooms import firsts_of, heat_key, rule_of
from backends.redis.client import RedisClient
from backends.redis.connection import Reply
from backends.redis.scripts import script
from proto.heat import HeatState, Rule, Wish, decode_rule, encode_rule
from proto.ids import RandomBits, new_id

NORMAL_AGE_MS = 7 * 86_400_000
"""A normal room's rule is kept as long as its numbers are by default."""

SILENT_MS = 60_000
"""Gateways acknowledge four times a second."""

_ADVANCE = script("heat_advance")
_KEEP = script("heat_keep")
_PUBLISH = script("rules_publish")
_FORGET = script("rules_forget")
_ACKNOWLEDGE = script("rules_acknowledge")
_SWAP_TAG = script("tag_swap")

_INDEX = "rm:{rules}:index"
_VERSION = "rm:{rules}:version"
_ACKNOWLEDGED = "rm:{rules}:acknowledged"
_TAGS = "rm:{rules}:tags"
_WISHES = "rm:{rules}:wishes"

_encode_tag = msgspec.json.Encoder().encode
_decode_tag = msgspec.json.Decoder(Tag).decode


class RedisHeat:
    """Implements `HeatStore`. Rules, tags and wishes lie in one slot: hot rooms are few."""

    def __init__(self, redis: RedisClient, *, random_bits: RandomBits) -> None:
        self._redis = redis
        self._random_bits = random_bits

    async def load(self, room: str) -> Kept | None:
        """See `HeatStore`."""
        fields = ("state", "pool", "fence", "firsts", "spread_ms", "since_ms", "detail")
        reply = await self._redis.call(room, ("HMGET", heat_key(room), *fields))
        rule = rule_of(room, reply[:5])
        return None if rule is None else Kept(rule, int(reply[5]), reply[6])

    async def advance(self, transition: Transition, now_ms: int) -> Rule | None:
        """See `HeatStore`."""
        room = transition.room
        command = _ADVANCE.command(
            [heat_key(room), f"rm:{{{room}}}:head"],
            transition.fence,
            transition.to.value,
            transition.pool,
            transition.spread_ms,
            now_ms,
            transition.detail,
            new_id(self._random_bits),
            NORMAL_AGE_MS,
        )
        reply = await self._redis.call(room, command)
        return None if reply is None else _advanced(transition, reply)

    async def keep(self, room: str, fence: int, detail: bytes) -> bool:
        """See `HeatStore`."""
        return bool(await self._redis.call(room, _KEEP.command([heat_key(room)], fence, detail)))

    async def rules(self) -> Rules:
        """See `HeatStore`."""
        # The version first: what is read behind it is at least as new.
        version, flat = await self._redis.call_many(
            _INDEX, [("GET", _VERSION), ("HGETALL", _INDEX)]
        )
        rules = [decode_rule(value.partition(b" ")[2]) for value in flat[1::2]]
        return Rules(int(version or 0), {rule.room: rule for rule in rules})

    async def publish(self, rule: Rule) -> int:
        """See `HeatStore`."""
        command = _PUBLISH.command([_INDEX, _VERSION], rule.room, rule.fence, encode_rule(rule))
        return int(await self._redis.call(_INDEX, command))

    async def forget(self, room: str, fence: int) -> None:
        """See `HeatStore`."""
        await self._redis.call(_INDEX, _FORGET.command([_INDEX, _VERSION], room, fence))

    async def acknowledge(self, gateway: str, version: int) -> None:
        """See `HeatStore`."""
        command = _ACKNOWLEDGE.command([_ACKNOWLEDGED], gateway, version, SILENT_MS)
        await self._redis.call(_INDEX, command)

    async def acknowledged(self) -> Mapping[str, int]:
        """See `HeatStore`."""
        flat = await self._redis.call(_INDEX, ("HGETALL", _ACKNOWLEDGED))
        return {name: int(value.split()[0]) for name, value in _pairs(flat)}

    async def tags(self) -> Mapping[str, Tag]:
        """See `HeatStore`."""
        flat = await self._redis.call(_INDEX, ("HGETALL", _TAGS))
        return {room: _decode_tag(value) for room, value in _pairs(flat)}

    async def retag(self, room: str, change: Retag) -> Retagged:
        """See `HeatStore`."""
        while True:
            read = await self._redis.call(_INDEX, ("HGET", _TAGS, room)) or b""
            before = _decode_tag(read) if read else None
            after = change(before)
            written = b"" if after is None else _encode_tag(after)
            # Refused only where somebody else's change was made, so that all get on.
            if await self._redis.call(_INDEX, _SWAP_TAG.command([_TAGS], room, read, written)):
                return Retagged(before, after)

    async def untag(self, room: str) -> None:
        """See `HeatStore`."""
        await self._redis.call(_INDEX, ("HDEL", _TAGS, room))

    async def wishes(self) -> Mapping[str, Wish]:
        """See `HeatStore`."""
        flat = await self._redis.call(_INDEX, ("HGETALL", _WISHES))
        return {room: Wish(value.decode()) for room, value in _pairs(flat)}

    async def wish(self, room: str, wish: Wish) -> None:
        """See `HeatStore`."""
        if wish is Wish.AUTO:
            await self._redis.call(_INDEX, ("HDEL", _WISHES, room))
        else:
            await self._redis.call(_INDEX, ("HSET", _WISHES, room, wish.value))


def _advanced(made: Transition, reply: Reply) -> Rule:
    fence, firsts = reply
    return Rule(
        made.room,
        HeatState(made.to),
        int(fence),
        made.pool,
        firsts_of(firsts),
        made.spread_ms,
    )


def _pairs(flat: Reply) -> list[tuple[str, bytes]]:
    names = [name.decode() for name in flat[::2]]
    return list(zip(names, flat[1::2], strict=True))
