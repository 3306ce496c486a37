"""The commands on one stream. They block: call them in worker threads."""

from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

FIELD = b"pack"
SOCKET_TIMEOUT_S = 3.0
MOST_DEAD_LETTERS = 10_000
"""On the dead-letter stream the oldest give way: it is for people, who look within that."""
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


def connect(url: str) -> "redis.Redis":
    """Return a client of the server at `url`; retries are left to the callers, who must know."""
    return redis.Redis.from_url(
        url,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


class Stream:
    """One stream, by its key. Methods raise `redis.RedisError` or `OSError`."""

    def __init__(self, client: "redis.Redis", key: str) -> None:
        self.key = key
        self._client: Any = client  # its annotations mix sync and async results

    def append(self, bodies: list[bytes], most_packs: int) -> bool:
        """Keep all of `bodies`; False when they would exceed `most_packs`."""
        return bool(self._client.eval(APPEND, 1, self.key, most_packs, *bodies))

    def append_dead_letter(self, text: bytes) -> None:
        """Keep `text` among the last `MOST_DEAD_LETTERS`."""
        self._client.xadd(self.key, {FIELD: text}, maxlen=MOST_DEAD_LETTERS, approximate=True)

    def trim(self, retention_s: float) -> int:
        """Drop what all groups have acknowledged and is old; returns how many packs."""
        return cast("int", self._client.eval(TRIM, 1, self.key, int(retention_s * 1000)))

    def last_id(self) -> str:
        """Return the id of the newest pack ever, `0-0` when there was none."""
        try:
            info = self._client.xinfo_stream(self.key)
        except redis.ResponseError:
            return "0-0"
        return cast("bytes", info["last-generated-id"]).decode()

    def read_after(self, cursor: str, count: int, block_ms: int) -> list[Entry]:
        """Return up to `count` packs after `cursor`, waiting up to `block_ms` for the first."""
        return _entries(self._client.xread({self.key: cursor}, count=count, block=block_ms))

    def count_after(self, cursor: str) -> int:
        """Return how many packs there are after `cursor`, at most 100,000."""
        return cast("int", self._client.eval(COUNT_AFTER, 1, self.key, cursor))


class Group:
    """One group on a stream, as one of its members sees it."""

    def __init__(self, client: "redis.Redis", stream: Stream, group: str, member: str) -> None:
        self.name = group
        self.stream = stream
        self._client: Any = client
        self._key = stream.key
        self._member = member

    def create(self, start: str) -> None:
        """Make the group, at `start` (`$`: what comes from now on), unless it exists."""
        try:
            self._client.xgroup_create(self._key, self.name, id=start, mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def read(self, count: int, block_ms: int) -> list[Entry]:
        """Return up to `count` new packs, waiting up to `block_ms` for the first."""
        return self._read(">", count, block_ms)

    def read_pending(self) -> list[Entry]:
        """Return what this member was given before and has not acknowledged."""
        return self._read("0", 10_000, None)

    def claim(self, idle_ms: int, count: int) -> list[tuple[str, bytes, int]]:
        """Take over packs that their member has neglected; with how often each was delivered."""
        claimed = self._client.xautoclaim(self._key, self.name, self._member, idle_ms, count=count)[
            1
        ]
        if not claimed:
            return []
        pending = self._client.xpending_range(
            self._key, self.name, "-", "+", 10_000, consumername=self._member
        )
        times = {entry["message_id"]: entry["times_delivered"] for entry in pending}
        return [(i.decode(), f[FIELD], times.get(i, 1)) for i, f in claimed if f and FIELD in f]

    def keep(self, ids: list[str]) -> None:
        """Say that this member still works on `ids`."""
        self._client.xclaim(self._key, self.name, self._member, 0, ids, justid=True)

    def set_attempts(self, attempts: dict[str, int]) -> None:
        """Note how often each id is delivered, for whoever takes it over."""
        pipeline = self._client.pipeline(transaction=False)
        for entry_id, attempt in attempts.items():
            pipeline.xclaim(
                self._key, self.name, self._member, 0, [entry_id], retrycount=attempt, justid=True
            )
        pipeline.execute()

    def acknowledge(self, ids: list[str]) -> None:
        """Be done with `ids`."""
        self._client.xack(self._key, self.name, *ids)

    def leave(self, ids: list[str]) -> None:
        """Let others have `ids` at once, and forget members that hold nothing and are gone."""
        if ids:
            self._client.xclaim(
                self._key, self.name, self._member, 0, ids, idle=LONG_AGO_MS, justid=True
            )
        self._client.eval(LEAVE, 1, self._key, self.name, self._member, SILENT_MEMBER_MS)

    def lag(self) -> int:
        """Return how many packs no member was given yet."""
        for group in self._client.xinfo_groups(self._key):
            if group["name"].decode() == self.name:
                if group["lag"] is not None:
                    return cast("int", group["lag"])
                return self.stream.count_after(group["last-delivered-id"].decode())
        return 0

    def _read(self, start: str, count: int, block_ms: int | None) -> list[Entry]:
        return _entries(
            self._client.xreadgroup(
                self.name, self._member, {self._key: start}, count=count, block=block_ms
            )
        )


def _entries(reply: Any) -> list[Entry]:
    """Flatten the reply about one stream; an entry of a stranger's shape has an empty body."""
    streams = reply.values() if isinstance(reply, dict) else [found[1] for found in reply or []]
    flat = []
    for found in streams:
        for batch in found:
            entries = batch if isinstance(batch, list) else [batch]
            flat += [(i.decode(), (fields or {}).get(FIELD, b"")) for i, fields in entries]
    return flat
