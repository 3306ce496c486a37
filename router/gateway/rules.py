"""A gateway's view of the rules of hot rooms: where it sends who asks for a room."""

from collections.abc import Mapping
from math import inf

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.heat.interface import HeatStore, Rules
from proto.errors import ErrorCode, RequestError
from proto.heat import HeatState, Rule
from router.heat.machine import RULE_LEASE_S

POLL_S = 0.25
ACKNOWLEDGE_S = 1.0
"""How often the same version is acknowledged again: a store that lost its data learns of it."""

RETRY_AFTER_MS = 500

SENDING = (HeatState.MOVING, HeatState.HOT)
"""States in which who comes new goes to the pool."""

log = structlog.get_logger()


class View:
    """The rules as last read, and until when they may be gone by. Pure: times come in, in seconds
    of a clock that never steps."""

    def __init__(self) -> None:
        self.version = 0
        self.by_room: Mapping[str, Rule] = {}
        self.lapses = 0
        """Newcomers that were refused because the lease had run out."""
        self._until_s = -inf

    def take(self, rules: Rules, asked_at_s: float) -> None:
        """Take what was read. The lease runs from when it was asked for: the answer may have been
        long on its way."""
        self.version, self.by_room = rules.version, rules.by_room
        self._until_s = asked_at_s + RULE_LEASE_S

    def holds(self, now_s: float) -> bool:
        """Say whether the view may be gone by."""
        return now_s < self._until_s

    def pool_for(self, room: str, now_s: float) -> str:
        """Return the pool that newcomers of `room` are sent to, "" for ordinary nodes.

        Raises `RequestError` `unavailable` when the lease has run out: viewers may be moving by a
        rule that is not known here.
        """
        if not self.holds(now_s):
            self.lapses += 1
            message = "The rules of hot rooms are not known at the moment."
            raise RequestError(ErrorCode.UNAVAILABLE, message, retry_after_ms=RETRY_AFTER_MS)
        rule = self.by_room.get(room)
        return rule.pool if rule and rule.state in SENDING else ""


class RuleReader:
    """Keeps the view new, and says in the store which version this gateway goes by."""

    def __init__(self, store: HeatStore, gateway: str, view: View) -> None:
        self._store = store
        self._gateway = gateway
        self._view = view
        self._acknowledged = -1
        self._acknowledge_at_s = -inf
        self._failing = False

    async def run(self) -> None:
        """Read the rules four times a second, for ever."""
        while True:
            await self.refresh()
            await trio.sleep(POLL_S)

    async def refresh(self) -> None:
        """Read the rules once; with the store away the view grows old, and is not gone by."""
        asked_at_s = trio.current_time()
        try:
            self._view.take(await self._store.rules(), asked_at_s)
            await self._acknowledge()
        except StoreUnavailableError as error:
            if not self._failing:
                log.warning("rules_unavailable", error=str(error))
            self._failing = True
        else:
            self._failing = False

    async def _acknowledge(self) -> None:
        version, now_s = self._view.version, trio.current_time()
        if version == self._acknowledged and now_s < self._acknowledge_at_s:
            return
        await self._store.acknowledge(self._gateway, version)
        self._acknowledged, self._acknowledge_at_s = version, now_s + ACKNOWLEDGE_S
