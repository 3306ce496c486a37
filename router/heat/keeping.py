"""Carries out what the machine wants, in the store and at the provisioner."""

from collections.abc import Callable
from functools import partial

import structlog
from msgspec.structs import replace

from backends.heat.interface import HeatStore, Transition
from proto.heat import HeatState, Rule
from router.heat.counters import HeatCounters
from router.heat.history import became_hot
from router.heat.provisioning import Provisioning
from router.heat.room import Room
from router.heat.seeing import View
from router.heat.state import (
    Advance,
    Forget,
    Heat,
    Provide,
    Reason,
    Release,
    Step,
    detail_of,
    restored,
)

log = structlog.get_logger()


class OvertakenError(Exception):
    """Another router has made a transition of the room: the store knows better."""


class Keeping:
    """Rooms in the store. All methods raise `StoreUnavailableError`; then what was done is not
    known, and the room has to be read anew."""

    def __init__(
        self,
        store: HeatStore,
        provisioning: Provisioning,
        counters: HeatCounters,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._provisioning = provisioning
        self._counters = counters
        self._now_ms = now_ms

    async def read(self, name: str, before: Room | None, view: View) -> Room:
        """Return the room as the store has it; `before` is what was known of it here.

        Raises `OvertakenError` where another router does the same.
        """
        kept = await self._store.load(name)
        listed = view.rules.by_room.get(name)
        known = before.rule if before and before.rule else listed
        room = Room(name, Heat()) if before is None else Room(name, Heat(), rates=before.rates)
        if kept is not None:
            room.rule = kept.rule
            room.listed = listed is not None or kept.rule.state is not HeatState.NORMAL
            forgotten = Heat(fence=kept.rule.fence)
            room.heat = restored(kept.rule, kept.detail) if room.listed else forgotten
        elif known is not None:
            await self._start_anew(room, known)
        return room

    async def carry_out(self, room: Room, taken: Step, view: View) -> None:
        """Do what `taken` wants, and keep where the room stands; raises `OvertakenError`."""
        before, room.heat = room.heat, taken.heat
        for action in taken.actions:
            match action:
                case Advance():
                    await self._advance(room, before, action)
                case Forget():
                    await self._forget(room)
                case Provide() | Release():
                    self._provisioning.ask(room.name, action)
        if room.listed and room.rule is not None:
            await self._keep(room, room.rule, view)

    async def _advance(self, room: Room, before: Heat, action: Advance) -> None:
        transition = Transition(
            room.name, before.fence, action.to, action.pool, action.spread_ms, detail_of(room.heat)
        )
        reason, after_s = action.reason, action.after_s
        await self._make(room, transition, before.state, reason, after_s, self._now_ms())
        if action.to is HeatState.HOT:
            await self._remember(room.name)

    async def _start_anew(self, room: Room, lost: Rule) -> None:
        """Make a room normal whose rule the store has lost: nodes may go by the lost one still."""
        room.heat = Heat(pool=lost.pool)
        transition = Transition(
            room.name, 0, HeatState.NORMAL, lost.pool, detail=detail_of(room.heat)
        )
        # The store takes the time for a fence; a clock that was set back would make an older one.
        now_ms = max(self._now_ms(), lost.fence + 1)
        await self._make(room, transition, lost.state, Reason.STORE_LOST, 0.0, now_ms)

    async def _make(
        self,
        room: Room,
        made: Transition,
        before: HeatState,
        reason: Reason,
        after_s: float,
        now_ms: int,
    ) -> None:
        rule = await self._store.advance(made, now_ms)
        if rule is None:
            self._counters.refused += 1
            raise OvertakenError
        room.heat, room.rule = replace(room.heat, fence=rule.fence), rule
        room.listed, room.version = True, None
        self._counters.transitions[before, rule.state, reason] += 1
        self._counters.ended(before, after_s)
        log.info(
            "heat_transition",
            room=room.name,
            before=before.value,
            state=rule.state.value,
            reason=reason.value,
            fence=rule.fence,
            pool=rule.pool,
            online=room.heat.online,
            after_s=round(after_s, 1),
        )

    async def _keep(self, room: Room, rule: Rule, view: View) -> None:
        """Keep the detail for the next router, and the rule among the rules."""
        if not await self._store.keep(room.name, rule.fence, detail_of(room.heat)):
            raise OvertakenError
        listed = view.rules.by_room.get(room.name)
        if room.version is None or listed is None or listed.fence < rule.fence:
            version = await self._store.publish(rule)
            # The first version that had it is enough: gateways need not know others' news.
            room.version = version if room.version is None else room.version

    async def _forget(self, room: Room) -> None:
        if room.listed and room.rule is not None:
            await self._store.forget(room.name, room.rule.fence)
            room.listed = False

    async def _remember(self, name: str) -> None:
        """Note in the room's history that it became hot."""
        now_ms = self._now_ms()
        before, tag = await self._store.retag(name, partial(became_hot, now_ms=now_ms))
        if tag and tag.by and not (before and before.by):
            log.info("room_tagged", room=name, by=tag.by)
