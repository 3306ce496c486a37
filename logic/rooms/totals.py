"""Once a second, the totals of changed rooms are pushed, by the one node that has their shard."""

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.likes.interface import SHARDS, Entered, RoomTotals
from logic.counters import Counters
from logic.living import Living
from logic.parts import Parts
from logic.rooms.shard_duties import ShardDuties
from logic.rooms.shown_totals import ShownTotals, TotalPush
from logic.rooms.writer import RoomMessage, RoomWriter
from proto.ids import new_id
from proto.priorities import Priority
from proto.server_frames import encode_json

INTERVAL_S = 1.0
ROOMS_AT_ONCE = 100
NOBODY = Entered(0, ())
log = structlog.get_logger()


class Totals:
    """Publishes `likes` and `online`, at most one of each a room and second."""

    def __init__(
        self,
        parts: Parts,
        duties: ShardDuties,
        living: Living,
        writer: RoomWriter,
        counters: Counters,
    ) -> None:
        self._parts = parts
        self._duties = duties
        self._living = living
        self._writer = writer
        self._counters = counters
        self._shown: dict[int, ShownTotals] = {}

    async def run(self) -> None:
        """Publish each second until cancelled."""
        next_at = trio.current_time()
        while True:
            await self.tick()
            next_at = max(next_at + INTERVAL_S, trio.current_time())
            await trio.sleep_until(next_at)

    async def tick(self) -> None:
        """Publish what has changed in the shards that this node holds."""
        async with trio.open_nursery() as nursery:
            for shard in range(SHARDS):
                nursery.start_soon(self._tend, shard)

    async def _tend(self, shard: int) -> None:
        try:
            if await self._duties.hold(shard):
                shown = self._shown.setdefault(shard, ShownTotals(self._parts.now_ms))
                await self._publish_shard(shard, shown)
            else:
                # Another may show other totals from now on.
                self._shown.pop(shard, None)
        except StoreUnavailableError as error:
            # The duty may run out meanwhile, and another show other totals.
            self._shown.pop(shard, None)
            log.debug("totals_wait_for_store", shard=shard, reason=str(error))

    async def _publish_shard(self, shard: int, shown: ShownTotals) -> None:
        changed = await self._parts.changed.changed(shard)
        published: dict[str, int] = {}
        limit = trio.CapacityLimiter(ROOMS_AT_ONCE)

        async def publish(room: str) -> None:
            async with limit:
                if await self._published(room, shown):
                    published[room] = changed[room]

        async with trio.open_nursery() as nursery:
            for room in changed:
                nursery.start_soon(publish, room)
        await self._parts.changed.done(shard, published)

    async def _published(self, room: str, shown: ShownTotals) -> bool:
        """Publish what is due of `room`; false if it has to be looked at again."""
        try:
            await self._publish_room(room, shown)
        except StoreUnavailableError as error:
            log.debug("totals_wait_for_store", room=room, reason=str(error))
            return False
        return self._living.settled

    async def _publish_room(self, room: str, shown: ShownTotals) -> None:
        likes = await self._parts.likes.total(room)
        totals = RoomTotals(likes, await self._online(room, shown))
        entered = await self._entered(room)
        for push in shown.due(room, totals, entered):
            await self._push(room, push)
        shown.shown(room, totals)

    async def _entered(self, room: str) -> Entered:
        # Beside a number that is old they would be told as having entered an empty room.
        return await self._parts.census.take_entered(room) if self._living.settled else NOBODY

    async def _online(self, room: str, shown: ShownTotals) -> int:
        if not self._living.settled:
            # Nodes that live may be missing from the leases: rather an old number than a wrong one.
            return shown.online(room)
        return await self._parts.census.online(room, self._living.lives)

    async def _push(self, room: str, push: TotalPush) -> None:
        message = RoomMessage(
            room=room,
            priority=Priority.BULK,
            kind=push.kind,
            fields=encode_json(push.fields),
            uid="",
            mid=new_id(self._parts.random_bits),
            ts_ms=push.fields.ts,
            trace=new_id(self._parts.random_bits),
        )
        await self._writer.write(message)
        self._counters.totals_pushed[push.kind] += 1
