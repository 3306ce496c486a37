"""Which rule of a room access nodes are told: one that every gateway goes by already.

So nobody is moved to where a gateway that is behind would not send them, and back again.
"""

from collections.abc import Collection, Mapping

from backends.heat.interface import Rules
from proto.heat import Rule
from router.heat.machine import UNTOLD_S


class Telling:
    """The rules that may be told, from what is read each second. Pure."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self._waiting: dict[str, tuple[Rule, int, float]] = {}

    def look(
        self,
        rules: Rules,
        acknowledged: Mapping[str, int],
        gateways: Collection[str],
        now_s: float,
    ) -> None:
        """Take the rules, the version that each gateway has acknowledged, and those that live."""
        known = min((acknowledged.get(name, -1) for name in gateways), default=rules.version)
        waiting: dict[str, tuple[Rule, int, float]] = {}
        told: dict[str, Rule] = {}
        for room, rule in rules.by_room.items():
            _, version, since_s = waits = self._wait_of(rule, rules.version, now_s)
            if known >= version or now_s - since_s >= UNTOLD_S:
                told[room] = rule
            else:
                waiting[room] = waits
                if room in self.rules:
                    told[room] = self.rules[room]
        self.rules, self._waiting = told, waiting

    def _wait_of(self, rule: Rule, version: int, now_s: float) -> tuple[Rule, int, float]:
        """Return since when, and from which version on, `rule` has been seen."""
        if self.rules.get(rule.room) == rule:
            return rule, -1, now_s
        waits = self._waiting.get(rule.room)
        return waits if waits and waits[0] == rule else (rule, version, now_s)
