"""Asks the provisioner in the background: it may take seconds, and other rooms don't wait."""

from collections.abc import Container
from typing import NamedTuple

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.heat.interface import HeatStore
from backends.provisioner.interface import Provisioner, ProvisionerError
from router.heat.counters import HeatCounters
from router.heat.pools import pools_in_use
from router.heat.state import Provide, Release

_NOBODY = "@"
"""Before a pool's name, in place of a room's: no room has it."""

log = structlog.get_logger()


class Provided(NamedTuple):
    """The room is to have `pool`."""

    pool: str


class Released(NamedTuple):
    """The room's pool has been given back."""


class Failed(NamedTuple):
    """The provisioner has not done what it was asked for."""

    why: str


Answer = Provided | Released | Failed

LONGEST_WHY = 300
"""Characters of it that are kept with the room."""


class Provisioning:
    """At most one call a room at a time; what it is asked meanwhile is asked again later."""

    def __init__(
        self,
        provisioner: Provisioner | None,
        store: HeatStore,
        answer_within_s: float,
        counters: HeatCounters,
    ) -> None:
        self._provisioner = provisioner
        self._store = store
        self.answer_within_s = answer_within_s
        self._counters = counters
        self._nursery: trio.Nursery | None = None
        self._busy: set[str] = set()
        self._answers: dict[str, Answer] = {}

    @property
    def possible(self) -> bool:
        """Whether there is anybody to ask."""
        return self._provisioner is not None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let what is asked run, until cancelled."""
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            await trio.sleep_forever()

    def give_back(self, pool: str) -> None:
        """Release a pool that no room has."""
        self.ask(_NOBODY + pool, Release(pool))

    def ask(self, room: str, action: Provide | Release) -> None:
        """Ask for `room`; the answer is there at one of the next ticks."""
        if room in self._busy or self._nursery is None:
            return
        self._busy.add(room)
        self._nursery.start_soon(self._ask, room, action)

    def answer(self, room: str) -> Answer | None:
        """Take what has been answered for `room` since the last call."""
        return self._answers.pop(room, None)

    def forget(self, rooms: Container[str]) -> None:
        """Drop the answers for all but `rooms`: other routers go on with the rest."""
        self._answers = {room: told for room, told in self._answers.items() if room in rooms}

    async def _ask(self, room: str, action: Provide | Release) -> None:
        op = "provide" if isinstance(action, Provide) else "release"
        why = f"no answer within {self.answer_within_s:g} s"
        try:
            with trio.move_on_after(self.answer_within_s):
                self._answers[room] = await self._call(room, action)
                return
        except (ProvisionerError, StoreUnavailableError) as error:
            why = str(error)
        finally:
            self._busy.discard(room)
        self._answers[room] = Failed(why[:LONGEST_WHY])
        self._counters.provisioner_errors[op] += 1
        log.warning("provisioner_failed", op=op, room=room, pool=action.pool, reason=why)

    async def _call(self, room: str, action: Provide | Release) -> Answer:
        if self._provisioner is None:
            # Whoever made the pool is no longer asked: there is nobody to give it back to.
            return Released()
        if isinstance(action, Provide):
            pool = await self._provisioner.provide(room, action.pool, action.nodes)
            log.info("pool_provided", room=room, pool=pool, nodes=action.nodes)
            return Provided(pool)
        # Two rooms' names may lead to one pool: the last one gives it back.
        if action.pool not in await pools_in_use(self._store, but=room):
            await self._provisioner.release("" if room.startswith(_NOBODY) else room, action.pool)
            log.info("pool_released", room=room, pool=action.pool)
        return Released()
