"""The commands on one stream."""

from typing import Any

import redis

from backends.redis.pool import Pool

FIELD = b"pack"
ANSWER_WITHIN_S = 3.0
MOST_DEAD_LETTERS = 10_000
"""On the dead-letter stream the oldest give way: it is for people, who look within that."""
TRIM_EVERY_S = 1.0
LONG_AGO_MS = 10**10

# All packs or none, so that a refusal in the middle can't change their order.
APPEND = """
if redis.call('XLEN', KEYS[1]) + #ARGV - 1 > tonumber(ARGV[1]) then return 0 end
for i = 2, #ARGV do redis.call('XADD', KEYS[1], '*', 'pack', ARGV[i]) end
return 1
"""

# The floor is the first id that some group still needs, or that is younger than the retention.
TRIM = """
local function parts(id) return tonumber(id:match('^%d+')), tonumber(id:match('%d+$')) end
local function less(a, b)
  local am, as = parts(a)
  local bm, bs = parts(b)
  return am < bm or (am == bm and as < bs)
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local now = redis.call('TIME')
local floor = string.format('%.0f-0', math.max(0, now[1] * 1000 + now[2] / 1000 - ARGV[1]))
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = {}
  for i = 1, #group, 2 do info[group[i]] = group[i + 1] end
  local needed = info['last-delivered-id']
  if info['pending'] > 0 then needed = redis.call('XPENDING', KEYS[1], info['name'])[2] end
  if less(needed, floor) then floor = needed end
end
return redis.call('XTRIM', KEYS[1], 'MINID', floor)
"""

# Without the check in the same step, what the member read a moment ago would be lost with it.
LEAVE = """
for _, member in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local info = {}
  for i = 1, #member, 2 do info[member[i]] = member[i + 1] end
  local silent = info['idle'] > tonumber(ARGV[3])
  if info['pending'] == 0 and (info['name'] == ARGV[2] or silent) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], info['name'])
  end
end
"""
SILENT_MEMBER_MS = 600_000

COUNT_AFTER = "return #redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', 100000)"

Entry = tuple[str, bytes]


def connect(url: str) -> Pool:
    """Return connections to the server at `url`; raises `ValueError` where that can't be one."""
    return Pool(url, ANSWER_WITHIN_S)


class Stream:
    """One stream, by its key. Methods raise `redis.RedisError` or `OSError`."""

    def __init__(self, pool: Pool, key: str) -> None:
        self.key = key
        self._pool = pool

    async def append(self, bodies: list[bytes], most_packs: int) -> bool:
        """Keep all of `bodies`; False when they would exceed `most_packs`."""
        return bool(await self._pool.execute("EVAL", APPEND, 1, self.key, most_packs, *bodies))

    async def append_dead_letter(self, text: bytes) -> None:
        """Keep `text` among the last `MOST_DEAD_LETTERS`."""
        await self._pool.execute(
            "XADD", self.key, "MAXLEN", "~", MOST_DEAD_LETTERS, "*", FIELD, text
        )

    async def trim(self, retention_s: float) -> int:
        """Drop what all groups have acknowledged and is old; returns how many packs."""
        return int(await self._pool.execute("EVAL", TRIM, 1, self.key, int(retention_s * 1000)))

    async def last_id(self) -> str:
        """Return the id of the newest pack ever, `0-0` when there was none."""
        try:
            info = _fields(await self._pool.execute("XINFO", "STREAM", self.key))
        except redis.ResponseError:
            return "0-0"
        return str(info[b"last-generated-id"].decode())

    async def read_after(self, cursor: str, count: int, block_ms: int) -> list[Entry]:
        """Return up to `count` packs after `cursor`, waiting up to `block_ms` for the first."""
        return _entries(
            await self._pool.execute(
                "XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS", self.key, cursor
            )
        )

    async def count_after(self, cursor: str) -> int:
        """Return how many packs there are after `cursor`, at most 100,000."""
        return int(await self._pool.execute("EVAL", COUNT_AFTER, 1, self.key, cursor))


class Group:
    """One group on a stream, as one of its members sees it."""

    def __init__(self, pool: Pool, stream: Stream, group: str, member: str) -> None:
        self.name = group
        self.stream = stream
        self._pool = pool
        self._key = stream.key
        self._member = member

    async def create(self, start: str) -> None:
        """Make the group, at `start` (`$`: what comes from now on), unless it exists."""
        try:
            await self._pool.execute("XGROUP", "CREATE", self._key, self.name, start, "MKSTREAM")
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def read(self, count: int, block_ms: int) -> list[Entry]:
        """Return up to `count` new packs, waiting up to `block_ms` for the first."""
        return await self._read(count, ">", "BLOCK", block_ms)

    async def read_pending(self) -> list[Entry]:
        """Return what this member was given before and has not acknowledged."""
        return await self._read(10_000, "0")

    async def claim(self, idle_ms: int, count: int) -> list[tuple[str, bytes, int]]:
        """Take over packs that their member has neglected; with how often each was delivered."""
        claimed = await self._pool.execute(
            "XAUTOCLAIM", self._key, self.name, self._member, idle_ms, "0-0", "COUNT", count
        )
        entries = [entry for entry in claimed[1] if entry and entry[1]]
        if not entries:
            return []
        pending = await self._pool.execute(
            "XPENDING", self._key, self.name, "-", "+", 10_000, self._member
        )
        times = {entry_id: delivered for entry_id, _, _, delivered in pending}
        return [(i.decode(), _fields(f).get(FIELD, b""), times.get(i, 1)) for i, f in entries]

    async def keep(self, ids: list[str]) -> None:
        """Say that this member still works on `ids`."""
        await self._pool.execute(*self._claim(ids), "JUSTID")

    async def set_attempts(self, attempts: dict[str, int]) -> None:
        """Note how often each id is delivered, for whoever takes it over."""
        await self._pool.execute_many(
            [
                (*self._claim([entry_id]), "RETRYCOUNT", attempt, "JUSTID")
                for entry_id, attempt in attempts.items()
            ]
        )

    async def acknowledge(self, ids: list[str]) -> None:
        """Be done with `ids`."""
        await self._pool.execute("XACK", self._key, self.name, *ids)

    async def leave(self, ids: list[str]) -> None:
        """Let others have `ids` at once, and forget members that hold nothing and are gone."""
        if ids:
            await self._pool.execute(*self._claim(ids), "IDLE", LONG_AGO_MS, "JUSTID")
        await self._pool.execute(
            "EVAL", LEAVE, 1, self._key, self.name, self._member, SILENT_MEMBER_MS
        )

    async def lag(self) -> int:
        """Return how many packs no member was given yet."""
        for found in await self._pool.execute("XINFO", "GROUPS", self._key):
            group = _fields(found)
            if group[b"name"].decode() == self.name:
                if group.get(b"lag") is not None:
                    return int(group[b"lag"])
                return await self.stream.count_after(group[b"last-delivered-id"].decode())
        return 0

    def _claim(self, ids: list[str]) -> tuple[str | int, ...]:
        return ("XCLAIM", self._key, self.name, self._member, 0, *ids)

    async def _read(self, count: int, start: str, *block: str | int) -> list[Entry]:
        return _entries(
            await self._pool.execute(
                "XREADGROUP", "GROUP", self.name, self._member, "COUNT", count, *block,
                "STREAMS", self._key, start,
            )
        )  # fmt: skip


def _entries(reply: Any) -> list[Entry]:
    """Return the entries of a read of one stream; one of a stranger's shape has an empty body."""
    return [
        (entry_id.decode(), _fields(fields or []).get(FIELD, b""))
        for _, entries in reply or []
        for entry_id, fields in entries
    ]


def _fields(flat: list[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
