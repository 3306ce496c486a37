"""What a relay holds for one node on one lane, and what gives way when that is too much.

| lane | full |
|---|---|
| urgent | the newest is dropped and counted; the biggest bound, so the last to fill |
| normal | the newest is dropped and counted; the receivers repair it from the room log |
| bulk | the oldest is dropped and counted; the newest total is the one that counts |

A lane that stays full for `stuck_s` gets its node cut: it comes back, and repairs. So one slow node
costs others nothing but its bound of memory.
"""

from collections import Counter, deque
from collections.abc import Sequence

from backends.links.interface import Link
from mesh.batching import BATCH_BYTES, LINGER_S
from proto.envelopes import BATCH_START
from proto.priorities import Priority

STALLED_S = 0.5
"""Seconds without taking a batch after which a node is no reason to push back any longer."""


class LaneTraffic:
    """What all nodes' lanes of one priority have carried since the relay started."""

    def __init__(self) -> None:
        self.batches_in = self.batches_out = 0
        self.envelopes_in = self.envelopes_out = 0
        self.bytes_in = self.bytes_out = 0

    def came(self, envelopes: int, size_bytes: int) -> None:
        """Count a batch that has come."""
        self.batches_in += 1
        self.envelopes_in += envelopes
        self.bytes_in += size_bytes


class PeerLane:
    """The queue of one node on one lane, in front of its link."""

    def __init__(
        self,
        priority: Priority,
        link: Link,
        limit_bytes: int,
        traffic: LaneTraffic,
        drops: Counter[tuple[str, Priority]],
    ) -> None:
        self.priority = priority
        self.link = link
        self.gathered: list[bytes] = []
        """Envelopes of the inbound batch at hand: the hot loop appends here, `absorb` follows."""
        self.full_since: float | None = None
        self.limit_bytes = limit_bytes
        self._traffic = traffic
        self._drops = drops
        self._waiting: deque[bytes] = deque()
        self._control: list[bytes] = []
        self._bytes = 0
        self._moved_at = 0.0
        self._sent_at = float("-inf")

    @property
    def depth(self) -> int:
        """Envelopes that wait."""
        return len(self._waiting) + len(self._control)

    @property
    def depth_bytes(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def behind(self, now: float) -> bool:
        """Say whether more than a quarter of the bound is taken, and going down: the rest is for
        what is under way when routers are pushed back, four batches and a ping of each. A node
        that takes nothing at all is not worth waiting for."""
        return self._bytes * 4 > self.limit_bytes and now - self._moved_at < STALLED_S

    def control(self, envelope: bytes) -> None:
        """Queue an answer of the relay's own, before all else and never refused: a node has one
        ping and one run of interest under way, so these are few."""
        self._control.append(envelope)

    def absorb(self, now: float) -> bool:
        """Take in what was gathered, as far as it fits, and send as `flush` does."""
        gathered, self.gathered = self.gathered, []
        size = sum(map(len, gathered))
        if self._bytes + size <= self.limit_bytes:
            self._waiting.extend(gathered)
            self._bytes += size
        else:
            self._make_room(gathered, now)
        return self.flush(now)

    def flush(self, now: float) -> bool:
        """Send while the link takes batches; false where it is too soon: call again after
        `LINGER_S`."""
        if now - self._sent_at < LINGER_S[self.priority] and self._bytes < BATCH_BYTES:
            return not self.depth
        while (self._waiting or self._control) and self.link.sendable:
            self._send(self._take())
            self._moved_at = self._sent_at = now
        if self._bytes * 2 < self.limit_bytes:
            self.full_since = None
        return True

    def discard(self) -> None:
        """Count what waits as dropped: the node is gone."""
        if self._waiting:
            self._drops["node_gone", self.priority] += len(self._waiting)
        self._waiting.clear()
        self._control.clear()
        self._bytes = 0

    def _make_room(self, gathered: Sequence[bytes], now: float) -> None:
        if self.full_since is None:
            self.full_since = now
        drop_oldest = self.priority is Priority.BULK
        for envelope in gathered:
            while drop_oldest and self._waiting and self._over(envelope):
                self._bytes -= len(self._waiting.popleft())
                self._drops["lane_full", self.priority] += 1
            if self._over(envelope):
                self._drops["lane_full", self.priority] += 1
            else:
                self._waiting.append(envelope)
                self._bytes += len(envelope)

    def _over(self, envelope: bytes) -> bool:
        return self._bytes + len(envelope) > self.limit_bytes

    def _take(self) -> list[bytes]:
        taken, self._control = self._control, []
        if self._bytes <= BATCH_BYTES:
            taken += self._waiting
            self._waiting.clear()
            self._bytes = 0
            return taken
        room = BATCH_BYTES
        while self._waiting and (room == BATCH_BYTES or len(self._waiting[0]) <= room):
            envelope = self._waiting.popleft()
            room -= len(envelope)
            taken.append(envelope)
        self._bytes -= BATCH_BYTES - room
        return taken

    def _send(self, envelopes: list[bytes]) -> None:
        batch = b"".join((BATCH_START, *envelopes))
        self.link.send(batch)
        self._traffic.batches_out += 1
        self._traffic.envelopes_out += len(envelopes)
        self._traffic.bytes_out += len(batch)
