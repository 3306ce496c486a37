"""Keeps the heat of rooms: each second looks at those of its shards and does what the machine says.

Any router can take over at any moment: what counts is in the store, and each step there is refused
to a router that has not seen the one before.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.heat.interface import HeatStore
from proto.heat import HeatState, Wish
from router.heat.counters import HeatCounters
from router.heat.history import faded
from router.heat.keeping import Keeping, OvertakenError
from router.heat.machine import provided, released, step, troubled
from router.heat.need import pressure
from router.heat.pools import Orphans, pools_in_use
from router.heat.provisioning import Failed, Provided, Provisioning
from router.heat.room import Room
from router.heat.seeing import Seeing, View
from router.heat.settings import HeatSettings
from router.heat.shards import Shards, shard_of
from router.heat.telling import Telling

INTERVAL_S = 1.0
AT_A_TIME = 64
"""Rooms that are looked at together: their questions share round trips to the store."""

COOL_EVERY = 3
"""Rooms far below the thresholds are looked at every so many ticks, a part of them at each."""

FAR_BELOW = 0.25
MOST_SHOWN = 100
HOTTEST_SHOWN = 20

log = structlog.get_logger()


class Controller:
    """The rooms of this router's shards."""

    def __init__(
        self,
        settings: HeatSettings,
        store: HeatStore,
        shards: Shards,
        seeing: Seeing,
        provisioning: Provisioning,
        telling: Telling,
        counters: HeatCounters,
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._store = store
        self._shards = shards
        self._seeing = seeing
        self._provisioning = provisioning
        self._telling = telling
        self._counters = counters
        self._now_ms = now_ms
        self._keeping = Keeping(store, provisioning, counters, now_ms)
        self._orphans = Orphans()
        self._rooms: dict[str, Room] = {}
        self._ticks = 0
        self._unserved: set[str] = set()

    def reconfigured(self, settings: HeatSettings) -> None:
        """Go by other thresholds and times from now on."""
        self._settings = settings
        self._provisioning.answer_within_s = settings.prepare_s

    async def run(self) -> None:
        """Look each second, for ever."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._provisioning.run)
            while True:
                started = trio.current_time()
                try:
                    await self.tick()
                except StoreUnavailableError as error:
                    self._counters.failures += 1
                    log.warning("heat_unavailable", error=str(error))
                await trio.sleep_until(started + INTERVAL_S)

    async def tick(self) -> None:
        """Look once; raises `StoreUnavailableError` where nothing can be seen."""
        self._ticks += 1
        view = await self._seeing.look(trio.current_time())
        self._telling.look(view.rules, view.acknowledged, view.gateways, view.at_s)
        held = await self._shards.hold()
        names = self._names(view, held)
        self._rooms = {name: room for name, room in self._rooms.items() if name in names}
        self._provisioning.forget(names)
        self._unserved &= names
        await self._attend_all([name for name in sorted(names) if self._is_due(name, view)], view)
        await self._give_orphans_back(view, held)
        await self._let_tags_fade(view, held)
        self._count()

    async def resign(self) -> None:
        """Leave the rooms to others; raises `StoreUnavailableError`."""
        await self._shards.release()

    def status(self) -> dict[str, Any]:
        """Return the rooms that are not normal, as the node's lease shows them."""
        hot = [room for room in self._rooms.values() if room.heat.state is not HeatState.NORMAL]
        return {
            room.name: {
                "state": room.heat.state.value,
                "fence": room.heat.fence,
                "pool": room.heat.pool,
                "online": room.heat.online,
            }
            for room in hot[:MOST_SHOWN]
        }

    def hottest(self) -> list[dict[str, Any]]:
        """Return the rooms nearest to their thresholds (`pressure` 1), as the node's lease shows
        them."""
        rooms = sorted(self._rooms.values(), key=lambda room: room.pressure, reverse=True)
        return [
            {
                "room": room.name,
                "state": room.heat.state.value,
                "pool": room.heat.pool,
                "online": room.heat.online,
                "per_s": [round(rate, 1) for rate in room.rates.per_s],
                "pressure": round(room.pressure, 4),
            }
            for room in rooms[:HOTTEST_SHOWN]
        ]

    def _names(self, view: View, held: Collection[int]) -> set[str]:
        """Return the rooms that this router keeps now."""
        kept = (name for name, room in self._rooms.items() if not room.resting)
        names = {*view.active.heads, *view.rules.by_room, *kept}
        return {name for name in names if shard_of(name) in held}

    def _is_due(self, name: str, view: View) -> bool:
        room = self._rooms.get(name)
        if room is None or not room.resting or room.pressure >= FAR_BELOW:
            return True
        if name in view.tags or name in view.wishes:
            return True
        return (self._ticks + shard_of(name)) % COOL_EVERY == 0

    async def _attend_all(self, names: list[str], view: View) -> None:
        for start in range(0, len(names), AT_A_TIME):
            async with trio.open_nursery() as nursery:
                for name in names[start : start + AT_A_TIME]:
                    nursery.start_soon(self._attend, name, view)

    async def _attend(self, name: str, view: View) -> None:
        """Look at one room; what goes wrong with it harms no other."""
        room = self._rooms.get(name)
        try:
            if room is None or room.stale:
                room = self._rooms[name] = await self._keeping.read(name, room, view)
            await self._look(room, view)
        except StoreUnavailableError as error:
            self._counters.failures += 1
            log.info("room_heat_unavailable", room=name, error=str(error))
            if room is not None:
                room.stale = True
        except OvertakenError:
            log.info("room_heat_overtaken", room=name)
            if room is not None:
                room.stale = True

    async def _look(self, room: Room, view: View) -> None:
        self._take_answer(room)
        signals = await self._seeing.signals(room, view)
        room.pressure = pressure(signals, self._settings)
        if not self._provisioning.possible:
            self._note_unserved(room)
            signals = signals._replace(wish=Wish.COOL)
        await self._keeping.carry_out(
            room, step(room.heat, signals, view.at_s, self._settings), view
        )

    def _take_answer(self, room: Room) -> None:
        answer = self._provisioning.answer(room.name)
        if isinstance(answer, Provided):
            room.heat = provided(room.heat, answer.pool)
        elif isinstance(answer, Failed):
            room.heat = troubled(room.heat, answer.why)
        elif answer is not None:
            room.heat = released(room.heat)

    def _note_unserved(self, room: Room) -> None:
        """Say once that a room would be hot if there were dedicated nodes."""
        if room.pressure < 1:
            self._unserved.discard(room.name)
        elif room.name not in self._unserved:
            self._unserved.add(room.name)
            reason = "router.provisioner.kind is none: there are no dedicated nodes"
            log.warning("room_over_threshold", room=room.name, reason=reason)

    async def _give_orphans_back(self, view: View, held: Collection[int]) -> None:
        mine = {pool for pool in view.ready if pool and shard_of(pool) in held}
        used = {rule.pool for rule in view.rules.by_room.values()}
        used |= {room.heat.pool for room in self._rooms.values()}
        if due := self._orphans.look(mine - used, view.at_s):
            # Rooms that other routers prepare have a pool that no rule names yet.
            used = await pools_in_use(self._store)
            for pool in set(due) - used:
                log.info("pool_without_room", pool=pool)
                self._provisioning.give_back(pool)

    async def _let_tags_fade(self, view: View, held: Collection[int]) -> None:
        fade = partial(faded, now_ms=self._now_ms())
        for room, tag in view.tags.items():
            if shard_of(room) in held and fade(tag) != tag:
                await self._store.retag(room, fade)

    def _count(self) -> None:
        rooms = dict.fromkeys(HeatState, 0)
        for room in self._rooms.values():
            if not room.resting:
                rooms[room.heat.state] += 1
        self._counters.rooms = rooms
