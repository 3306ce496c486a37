"""The rules of the rooms that are open here, and the hot way that comes with them."""

import structlog
import trio

from access.moves.rules import Rules
from mesh.interface import Mesh
from proto.errors import RequestError
from proto.heat import Rule, hot_key

log = structlog.get_logger()

CONFIRM_S = 1.0
"""Seconds that the opening of a room waits for its hot way: then the heads are repeated anyhow."""


class RoomRules:
    """Learns rules from heads and joins, and asks the mesh for a room's hot way while the rule says
    that messages go it: on every node with members, until the last of them has moved."""

    def __init__(self, mesh: Mesh, rules: Rules) -> None:
        self._mesh = mesh
        self._rules = rules
        self._hot_keys: dict[str, str] = {}
        self.changed = trio.Event()
        """Set, and replaced, whenever a newer rule was learned."""

    def learn(self, rule: Rule) -> None:
        """Take in the rule of a room that is open here, as heads or the answer to a join told."""
        if not self._rules.learn(rule, trio.current_time()):
            return
        log.info("rule_learned", room=rule.room, state=rule.state, fence=rule.fence, pool=rule.pool)
        self._follow(rule.room, hot_key(rule.pool, rule.room) if rule.state.pooled else "")
        self.changed.set()
        self.changed = trio.Event()

    async def on_its_way(self, rule: Rule) -> bool:
        """Learn the rule of a room that is being opened; where messages go the hot way alone, wait
        until a relay has confirmed the interest in it. Says whether it waited for that.

        Without a confirmation the room opens all the same: the heads tell what was missed.
        """
        self.learn(rule)
        if rule.ways.ordinary or self._hot_keys.get(rule.room) != hot_key(rule.pool, rule.room):
            return False
        with trio.move_on_after(CONFIRM_S):
            try:
                await self._mesh.confirmed(hot_key(rule.pool, rule.room))
            except RequestError as error:
                log.info("hot_way_not_confirmed", room=rule.room, error=str(error))
        return True

    def forget(self, room: str) -> None:
        """Let go of a room that is no longer open here."""
        self._rules.forget(room)
        self._follow(room, "")

    def _follow(self, room: str, key: str) -> None:
        before = self._hot_keys.pop(room, "")
        if key:
            self._hot_keys[room] = key
        if before == key:
            return
        if key:
            self._mesh.want_once(key)
        if before:
            self._mesh.unwant_once(before)
