"""The room log in Redis: a hash of heads and a stream for each priority, one script to append."""

from collections.abc import Callable
from zlib import crc32

from msgspec import structs

from backends.heat.rooms import heat_key, rule_of, ways_of
from backends.redis.client import RedisClient
from backends.redis.connection import Reply
from backends.redis.scripts import Command, script
from backends.room_log.interface import Appended, Terms
from backends.room_log.redis_terms import terms_arguments, terms_keys
from backends.room_log.refusals import refusal
from backends.room_log.retention import Retention
from proto.client_requests import MAX_FETCH
from proto.headers import HeadsHeader
from proto.ids import RandomBits, new_id
from proto.priorities import Priority
from proto.server_frames import numbered
from proto.services import FetchAnswer, FetchBody

ACTIVE_SHARDS = 16
"""Spread the list of active rooms over the slots of a Redis Cluster."""

OWN_DEDUP_MS = 10_000
"""How long the ids of logic's own messages (no uid: totals, each second in each room) are kept:
only the store's client repeats them, within its patience."""

_REFUSAL_PARTS = 2
_APPEND = script("append")
_FETCH = script("fetch")
_HEADS = script("heads")


class RedisRoomLog:
    """Implements `RoomLog`. All keys of a room share the hash tag `{room}`.

    What an answer of `append` survives: a killed process, this or the server's, where the server
    syncs each write (`appendfsync always`). With a weaker setting a crash of the host may take
    numbers back that clients have seen.

    Urgent messages are appended over `urgent`, so that none waits behind a pipeline of others.
    """

    def __init__(
        self,
        redis: RedisClient,
        retention: Retention,
        *,
        urgent: RedisClient | None = None,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
    ) -> None:
        self._redis = redis
        self._urgent = urgent or redis
        self._now_ms = now_ms
        self._random_bits = random_bits
        self._age_ms = round(retention.age_s * 1000)
        self._active_ms = round(retention.active_s * 1000)
        self._messages = retention.messages
        self._numbering_ms = round(retention.numbering_s * 1000)
        self._silent_ms = round(retention.silent_s * 1000)
        self._dedup_ms = round(retention.dedup_s * 1000)

    async def append(
        self,
        room: str,
        priority: Priority,
        push: bytes,
        *,
        uid: str,
        mid: str,
        ts_ms: int,
        terms: Terms | None = None,
    ) -> Appended:
        """See `RoomLog`."""
        # Listed as active before it is appended: a crash between the two lists a room too many
        # for a minute. The other way round a message might never be told of.
        active: Command = ("ZADD", _active_key(room), ts_ms, room)
        append = _APPEND.command(
            [
                _head_key(room),
                _seen_key(room, uid, mid),
                *_log_keys(room, priority),
                heat_key(room),
                *terms_keys(room, uid, terms),
            ],
            int(priority),
            push,
            ts_ms,
            new_id(self._random_bits),
            self._messages,
            self._age_ms,
            # Totals alone do not make a room worth remembering: anybody can join any name.
            self._silent_ms if priority is Priority.BULK else self._numbering_ms,
            self._dedup_ms if uid else OWN_DEDUP_MS,
            *terms_arguments(uid, mid, terms),
        )
        redis = self._urgent if priority is Priority.URGENT else self._redis
        _, reply = await redis.call_many(room, [active, append])
        return _appended(reply, ts_ms)

    async def recall(self, room: str, uid: str, mid: str) -> Appended | None:
        """See `RoomLog`."""
        text = await self._redis.call(room, ("GET", _seen_key(room, uid, mid)))
        if text is None:
            return None
        epoch, seq, ts_ms, priority, _ = text.decode().split(" ")
        return Appended(Priority(int(priority)), epoch, int(seq), int(ts_ms), True)

    async def heads(self, room: str) -> HeadsHeader:
        """See `RoomLog`."""
        command = _HEADS.command(
            [_head_key(room), *_log_keys(room, Priority.URGENT), heat_key(room)],
            new_id(self._random_bits),
            self._silent_ms,
        )
        heads, rule = await self._redis.call(room, command)
        return structs.replace(_heads(heads), rule=rule_of(room, rule))

    async def active_heads(self) -> dict[str, HeadsHeader]:
        """See `RoomLog`."""
        rooms = await self._active_rooms()
        if not rooms:
            return {}
        commands = [_read_heads(room) for room in rooms]
        replies = await self._redis.call_spread(commands)
        heads = {room: _heads(reply) for room, reply in zip(rooms, replies, strict=True)}
        return {room: head for room, head in heads.items() if head.epoch}

    async def fetch(self, room: str, body: FetchBody) -> FetchAnswer:
        """See `RoomLog`."""
        command = _FETCH.command(
            [_head_key(room), _log_keys(room, Priority(body.priority))[0]],
            int(body.priority),
            body.epoch,
            body.first_seq,
            body.last_seq,
            min(body.newest, MAX_FETCH),
            self._now_ms() - self._age_ms,
            MAX_FETCH,
        )
        epoch_bytes, head, oldest, entries = await self._redis.call(room, command)
        epoch = epoch_bytes.decode()
        return FetchAnswer(epoch, head, oldest, [_frame(epoch, entry) for entry in entries])

    async def _active_rooms(self) -> list[str]:
        too_old = self._now_ms() - self._active_ms
        shards = [f"rm:active:{shard}" for shard in range(ACTIVE_SHARDS)]
        # Trimmed a while after they have ended, in case the clocks of instances differ.
        forget: list[Command] = [
            ("ZREMRANGEBYSCORE", shard, "-inf", too_old - self._active_ms) for shard in shards
        ]
        read: list[Command] = [("ZRANGEBYSCORE", shard, too_old, "+inf") for shard in shards]
        replies = await self._redis.call_many("rm:active", [*forget, *read])
        return [room.decode() for reply in replies[ACTIVE_SHARDS:] for room in reply]


def _read_heads(room: str) -> Command:
    return ("HMGET", _head_key(room), "epoch", *(int(priority) for priority in Priority))


def _head_key(room: str) -> str:
    return f"rm:{{{room}}}:head"


def _seen_key(room: str, uid: str, mid: str) -> str:
    # The mid first: it has no colon, so that no two pairs make the same key.
    return f"rm:{{{room}}}:mid:{mid}:{uid}"


def _log_keys(room: str, first: Priority) -> list[str]:
    ordered = [first, *(priority for priority in Priority if priority != first)]
    return [f"rm:{{{room}}}:log:{priority.label}" for priority in ordered]


def _active_key(room: str) -> str:
    return f"rm:active:{crc32(room.encode()) % ACTIVE_SHARDS}"


def _appended(reply: Reply, now_ms: int) -> Appended:
    if len(reply) == _REFUSAL_PARTS:
        reason, number = reply
        raise refusal(reason.decode(), number, now_ms)
    epoch, seq, ts_ms, priority, again, rule = reply
    return Appended(Priority(priority), epoch.decode(), seq, ts_ms, bool(again), ways_of(rule))


def _heads(reply: Reply) -> HeadsHeader:
    epoch, urgent, normal, bulk = reply
    seqs = (int(urgent or 0), int(normal or 0), int(bulk or 0))
    return HeadsHeader((epoch or b"").decode(), seqs)


def _frame(epoch: str, entry: Reply) -> tuple[int, bytes]:
    entry_id, (_, push, _, _) = entry
    seq = int(entry_id.partition(b"-")[0])
    return seq, numbered(push, epoch, seq)
