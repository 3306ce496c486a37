"""Routers that keep the heat of rooms, on twins of the store, with a small cluster around them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from backends.errors import StoreUnavailableError
from backends.heat.memory import MemoryHeat
from backends.leases.memory import MemoryDuties
from backends.likes.memory import MemoryCensus
from backends.provisioner.interface import Provisioner
from backends.provisioner.memory import MemoryPools
from backends.room_log.memory import MemoryRoomLog
from backends.room_log.retention import Retention
from proto.heat import HeatState
from proto.identity import NodeIdentity
from proto.priorities import Priority
from proto.services import RoomCensus
from router.heat.controller import Controller
from router.heat.counters import HeatCounters
from router.heat.seeing import Active
from router.heat.settings import HeatSettings
from router.heat.state import restored
from router.heat.telling import Telling
from router.heat.wiring import make_controller
from router.presence import Presence
from tests.router.parts import FixedRegistry, lease

SETTINGS = HeatSettings(
    online=1000,
    rise_s=3,
    fall_s=5,
    prepare_s=20,
    retry_s=10,
    move_rate_per_s=200,
    stragglers_s=10,
    lost_s=5,
    viewers_per_node=500,
    tag_hold_s=60,
)
START_MS = 1_790_000_000_000
ORDINARY = "access-1"


class Gate:
    """A twin of the store for one router; `away` fails each call before it is done, `lossy` those
    of one method after it is."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.away = False
        self.lossy = ""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await trio.lowlevel.checkpoint()
            if self.away:
                raise StoreUnavailableError("away")
            result = await method(*args, **kwargs)
            if self.lossy == name:
                raise StoreUnavailableError("the answer is lost")
            return result

        return call


class Pools(MemoryPools):
    """Pools whose calls may hang for ever, once they are done."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = False
        self.calls: list[tuple[str, str, int]] = []

    async def provide(self, room: str, pool: str, nodes: int) -> str:
        self.calls.append(("provide", room, nodes))
        name = await super().provide(room, pool, nodes)
        return await self._answer(name)

    async def release(self, room: str, pool: str) -> None:
        self.calls.append(("release", pool, 0))
        await super().release(room, pool)
        await self._answer(pool)

    async def _answer(self, pool: str) -> str:
        if self.hangs:
            await trio.sleep_forever()
        return pool


@dataclass
class Router:
    """One router, as far as heat goes."""

    name: str
    controller: Controller
    counters: HeatCounters
    telling: Telling
    store: Gate
    duties: Gate
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    async def run(self) -> None:
        with self.scope:
            await self.controller.run()


class World:
    """`viewers` says who watches; those who have to move do, unless `stuck`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.log = MemoryRoomLog(Retention(), now_ms=self.now_ms, random_bits=lambda bits: 1)
        self.heat = MemoryHeat(self.log)
        self.census = MemoryCensus(self.now_ms)
        self.duties = MemoryDuties(trio.current_time)
        self.pools = Pools()
        self.viewers: dict[str, int] = {}
        self.silent: set[str] = set()
        """Rooms without messages."""
        self.stuck = False
        self.down: set[str] = set()
        """Nodes that have died."""
        self.deaf: set[str] = set()
        """Gateways that acknowledge nothing."""
        self.clock_ms = 0
        """A step of the wall clock."""
        self.routers: dict[str, Router] = {}
        self.registry = FixedRegistry(lease(ORDINARY))
        self.presence = Presence(self.registry)
        self._active = Active({}, float("-inf"))
        self._said = 0
        self.states: list[HeatState] = []
        nursery.start_soon(self._live)

    def now_ms(self) -> int:
        return START_MS + round(trio.current_time() * 1000) + self.clock_ms

    def router(self, name: str = "router-1", **settings: Any) -> Router:
        """Start a router; `provisioner` may be None."""
        provisioner: Provisioner | None = settings.pop("provisioner", self.pools)
        counters, telling = HeatCounters(), Telling()
        store, duties = Gate(self.heat), Gate(self.duties)
        identity = NodeIdentity(node=name, region="local", incarnation="i1")
        controller = make_controller(
            SETTINGS,
            identity,
            self.presence,
            lambda: self._active,
            telling,
            counters,
            self.now_ms,
            store=store,  # type: ignore[arg-type]
            census=self.census,
            duties=duties,  # type: ignore[arg-type]
            provisioner=provisioner,
        )
        router = Router(name, controller, counters, telling, store, duties)
        self.routers[name] = router
        self._nursery.start_soon(router.run)
        return router

    def kill(self, name: str) -> None:
        """End a router at once: its duties run out, its lease is gone."""
        self.routers.pop(name).scope.cancel()

    async def state(self, room: str = "r") -> HeatState:
        kept = await self.heat.load(room)
        return kept.rule.state if kept else HeatState.NORMAL

    async def trouble(self, room: str = "r") -> str:
        """Return what stands in the way of the room's dedicated nodes."""
        kept = await self.heat.load(room)
        return restored(kept.rule, kept.detail).trouble if kept else ""

    async def until(self, state: HeatState, room: str = "r", within_s: float = 90) -> None:
        """Wait for a state; the states on the way are noted."""
        await self.when(lambda now: now is state, room, within_s)

    async def when(
        self, holds: Callable[[HeatState], bool], room: str = "r", within_s: float = 90
    ) -> None:
        with trio.fail_after(within_s):
            while True:
                now = await self.state(room)
                if not self.states or self.states[-1] is not now:
                    self.states.append(now)
                if holds(now):
                    return
                await trio.sleep(0.4)

    async def _live(self) -> None:
        while True:
            await self._pass()
            await trio.sleep(0.5)

    async def _pass(self) -> None:
        rules = await self.heat.rules()
        for name in self.routers:
            if name not in self.deaf:
                await self.heat.acknowledge(name, rules.version)
        both = (HeatState.MOVING, HeatState.COOLING)
        remaining = {
            room: self.viewers[room]
            for room, rule in rules.by_room.items()
            if self.stuck and rule.state in both
        }
        self.registry.leases = [
            lease(ORDINARY, moving=remaining),
            *(lease(name, "router") for name in self.routers),
            *(
                lease(f"{pool}-{number}", pool=pool)
                for pool, nodes in self.pools.pools.items()
                for number in range(nodes)
                if f"{pool}-{number}" not in self.down
            ),
        ]
        await self.presence.refresh()
        await self._report()

    async def _report(self) -> None:
        rooms = [RoomCensus(room, count) for room, count in self.viewers.items()]
        await self.census.report(ORDINARY, "i1", rooms)
        for room in set(self.viewers) - self.silent:
            self._said += 1
            await self.log.append(
                room, Priority.BULK, b"{}", uid="", mid=f"m{self._said}", ts_ms=self.now_ms()
            )
        self._active = Active(await self.log.active_heads(), trio.current_time())
