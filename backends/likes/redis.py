"""Like totals, census and changed rooms in Redis; what is of one room shares its hash tag."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from backends.likes.interface import MAX_ENTERED, SHARDS, Entered, shard_of
from backends.redis.client import RedisClient
from backends.redis.scripts import Command, script
from proto.services import LikeCount, RoomCensus

COUNTER_TTL_MS = 86_400_000
"""A counter is forgotten a day after its last rise: the bus keeps no report for as long."""

_COUNT = script("likes_count")
_REPORT = script("census_report")
_ENTERED = script("census_entered")
_MARK = script("changed_mark")
_DONE = script("changed_done")


class RedisLikes:
    """Implements `Likes`. Totals never expire."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def count(self, room: str, counts: Sequence[LikeCount]) -> int:
        """See `Likes`."""
        counters = [f"rm:{{{room}}}:counter:{like.counter}" for like in counts]
        command = _COUNT.command(
            [_total_key(room), *counters], COUNTER_TTL_MS, *(like.count for like in counts)
        )
        return int(await self._redis.call(room, command))

    async def total(self, room: str) -> int:
        """See `Likes`."""
        return int(await self._redis.call(room, ("GET", _total_key(room))) or 0)


class RedisCensus:
    """Implements `Census`: a hash for each room, a field for each life of a node.

    Nodes report all rooms every ten seconds; what is older than `age_s` is dropped when read.
    """

    def __init__(
        self, redis: RedisClient, *, now_ms: Callable[[], int], age_s: float = 60.0
    ) -> None:
        self._redis = redis
        self._now_ms = now_ms
        self._age_ms = round(age_s * 1000)

    async def report(self, node: str, incarnation: str, rooms: Sequence[RoomCensus]) -> None:
        """See `Census`."""
        field, now_ms = f"{node} {incarnation}", self._now_ms()
        await self._redis.call_spread([self._report(field, now_ms, room) for room in rooms])

    async def online(self, room: str, living: frozenset[tuple[str, str]]) -> int:
        """See `Census`."""
        flat = await self._redis.call(room, ("HGETALL", _census_key(room)))
        too_old = self._now_ms() - self._age_ms
        online, old = 0, []
        for field, value in zip(flat[::2], flat[1::2], strict=True):
            node, incarnation = field.decode().split(" ")
            count, at_ms = map(int, value.split())
            if at_ms <= too_old:
                old.append(field)
            elif (node, incarnation) in living:
                online += count
        if old:
            await self._redis.call(room, ("HDEL", _census_key(room), *old))
        return online

    async def take_entered(self, room: str) -> Entered:
        """See `Census`."""
        count, uids = await self._redis.call(room, _ENTERED.command(_entered_keys(room)))
        return Entered(count, tuple(uid.decode() for uid in uids))

    def _report(self, field: str, now_ms: int, census: RoomCensus) -> Command:
        keys = [_census_key(census.room), *_entered_keys(census.room)]
        bounds = (now_ms, self._age_ms, census.entered_count, MAX_ENTERED)
        return _REPORT.command(keys, field, census.online, *bounds, *census.entered)


class RedisChangedRooms:
    """Implements `ChangedRooms`: a hash for each shard, numbers from a counter beside it."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def mark(self, rooms: Sequence[str]) -> None:
        """See `ChangedRooms`."""
        shards: defaultdict[int, list[str]] = defaultdict(list)
        for room in rooms:
            shards[shard_of(room)].append(room)
        commands = [
            _MARK.command([_changed_key(shard), f"{_changed_key(shard)}:number"], *in_shard)
            for shard, in_shard in shards.items()
        ]
        await self._redis.call_many("rm:changed", commands)

    async def changed(self, shard: int) -> dict[str, int]:
        """See `ChangedRooms`."""
        flat = await self._redis.call("rm:changed", ("HGETALL", _changed_key(shard)))
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return {room.decode(): int(number) for room, number in pairs}

    async def done(self, shard: int, published: dict[str, int]) -> None:
        """See `ChangedRooms`."""
        if published:
            flat = [part for pair in published.items() for part in pair]
            await self._redis.call("rm:changed", _DONE.command([_changed_key(shard)], *flat))


def _total_key(room: str) -> str:
    return f"rm:{{{room}}}:likes"


def _census_key(room: str) -> str:
    return f"rm:{{{room}}}:census"


def _entered_keys(room: str) -> list[str]:
    return [f"rm:{{{room}}}:entered", f"rm:{{{room}}}:entrants"]


def _changed_key(shard: int) -> str:
    if not 0 <= shard < SHARDS:
        raise ValueError(f"shard {shard} is not one of {SHARDS}")
    return f"rm:{{changed-{shard}}}"
