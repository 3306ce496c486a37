"""The heat of rooms in memory, for tests of a whole cluster in one process."""

from collections.abc import Mapping
from dataclasses import replace

from backends.heat.interface import Kept, Retag, Retagged, Rules, Tag, Transition
from backends.room_log.memory import MemoryRoomLog
from proto.heat import Rule, Wish


class MemoryHeat:
    """Implements `HeatStore` beside `log`, which it tells of each rule."""

    def __init__(self, log: MemoryRoomLog) -> None:
        self._log = log
        self._kept: dict[str, Kept] = {}
        self._rules: dict[str, Rule] = {}
        self._version = 0
        self._acknowledged: dict[str, int] = {}
        self._tags: dict[str, Tag] = {}
        self._wishes: dict[str, Wish] = {}

    async def load(self, room: str) -> Kept | None:
        """See `HeatStore`."""
        return self._kept.get(room)

    async def advance(self, transition: Transition, now_ms: int) -> Rule | None:
        """See `HeatStore`."""
        room, known = transition.room, self._kept.get(transition.room)
        fence = known.rule.fence if known else 0
        if fence != transition.fence:
            return None
        rule = Rule(
            room,
            transition.to,
            max(fence + 1, now_ms),
            transition.pool,
            self._log.next_seqs(room),
            transition.spread_ms,
        )
        self._kept[room] = Kept(rule, now_ms, transition.detail)
        self._log.rules[room] = rule
        return rule

    async def keep(self, room: str, fence: int, detail: bytes) -> bool:
        """See `HeatStore`."""
        known = self._kept.get(room)
        if known is None or known.rule.fence != fence:
            return False
        self._kept[room] = replace(known, detail=detail)
        return True

    async def rules(self) -> Rules:
        """See `HeatStore`."""
        return Rules(self._version, dict(self._rules))

    async def publish(self, rule: Rule) -> int:
        """See `HeatStore`."""
        known = self._rules.get(rule.room)
        if known is None or known.fence < rule.fence:
            self._rules[rule.room] = rule
            self._version += 1
        return self._version

    async def forget(self, room: str, fence: int) -> None:
        """See `HeatStore`."""
        if room in self._rules and self._rules[room].fence <= fence:
            del self._rules[room]
            self._version += 1

    async def acknowledge(self, gateway: str, version: int) -> None:
        """See `HeatStore`."""
        self._acknowledged[gateway] = version

    async def acknowledged(self) -> Mapping[str, int]:
        """See `HeatStore`."""
        return dict(self._acknowledged)

    async def tags(self) -> Mapping[str, Tag]:
        """See `HeatStore`."""
        return dict(self._tags)

    async def retag(self, room: str, change: Retag) -> Retagged:
        """See `HeatStore`."""
        before = self._tags.pop(room, None)
        after = change(before)
        if after is not None:
            self._tags[room] = after
        return Retagged(before, after)

    async def untag(self, room: str) -> None:
        """See `HeatStore`."""
        self._tags.pop(room, None)

    async def wishes(self) -> Mapping[str, Wish]:
        """See `HeatStore`."""
        return dict(self._wishes)

    async def wish(self, room: str, wish: Wish) -> None:
        """See `HeatStore`."""
        self._wishes.pop(room, None)
        if wish is not Wish.AUTO:
            self._wishes[room] = wish
