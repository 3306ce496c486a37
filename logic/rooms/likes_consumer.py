"""Like counts from the bus into the store: one atomic write for each room and merge window."""

from dataclasses import dataclass, field

import msgspec
import structlog
import trio

from backends.bus.interface import Bus, Delivery, Subscription
from backends.errors import StoreRefusedError, StoreUnavailableError
from backends.likes.interface import ChangedRooms, Likes
from logic.counters import Counters
from logic.rooms.likes import check_count
from logic.rooms.likes_merge import LikesMerge
from proto.errors import RequestError
from proto.records import Record
from proto.services import LikeCount, decode_likes
from proto.topics import Topic

GROUP = "logic-likes"
ROOMS_AT_ONCE = 200
RETRY_S = 0.5
log = structlog.get_logger()


@dataclass(slots=True)
class _Taken:
    """A delivery and what is wrong with it, if anything is."""

    delivery: Delivery
    rooms: set[str] = field(default_factory=set)
    poison: str = ""


class LikesConsumer:
    """Takes what comes within a window, merges it, writes it, marks the rooms, settles.

    `most` is how many deliveries the bus gives without an `ack`: with so many in hand, waiting for
    the window to end would only slow things down.

    While the store is away it waits with what it has taken, and the bus holds the rest: counts are
    cumulative, so that writing them late, or twice, does no harm. A delivery that can't be read or
    written is buried, and what else was taken with it is counted.
    """

    def __init__(
        self,
        bus: Bus,
        likes: Likes,
        changed: ChangedRooms,
        *,
        window_s: float,
        most: int,
        counters: Counters,
    ) -> None:
        self._bus = bus
        self._likes = likes
        self._changed = changed
        self._window_s = window_s
        self._most = most
        self._counters = counters

    async def run(self) -> None:
        """Consume until cancelled; what was not settled comes again, elsewhere."""
        async with self._bus.subscribe(Topic.LIKES, GROUP) as subscription:
            while True:
                await self._write(await self._take(subscription))

    async def _take(self, subscription: Subscription) -> list[_Taken]:
        taken = [_Taken(await subscription.receive())]
        with trio.move_on_after(self._window_s):
            while len(taken) < self._most:
                taken.append(_Taken(await subscription.receive()))
        return taken

    async def _write(self, taken: list[_Taken]) -> None:
        merge = LikesMerge()
        for each in taken:
            for like in _counts(each):
                self._counters.likes_merged += 1
                merge.add(like)
        refused = await self._count(merge.rooms())
        await self._mark([room for room in merge.rooms() if room not in refused])
        for each in taken:
            await self._settle(each, refused)

    async def _count(self, rooms: dict[str, list[LikeCount]]) -> set[str]:
        """Write all rooms, however long the store is away; return those that it refuses."""
        refused: set[str] = set()
        limit = trio.CapacityLimiter(ROOMS_AT_ONCE)

        async def count(room: str, counts: list[LikeCount]) -> None:
            async with limit:
                if not await self._count_room(room, counts):
                    refused.add(room)

        async with trio.open_nursery() as nursery:
            for room, counts in rooms.items():
                nursery.start_soon(count, room, counts)
        return refused

    async def _count_room(self, room: str, counts: list[LikeCount]) -> bool:
        while True:
            try:
                await self._likes.count(room, counts)
            except StoreRefusedError:
                return False
            except StoreUnavailableError as error:
                log.debug("likes_wait_for_store", room=room, reason=str(error))
                await trio.sleep(RETRY_S)
            else:
                self._counters.likes_written += 1
                return True

    async def _mark(self, rooms: list[str]) -> None:
        while True:
            try:
                await self._changed.mark(rooms)
            except StoreUnavailableError as error:
                log.debug("likes_wait_for_store", reason=str(error))
                await trio.sleep(RETRY_S)
            else:
                return

    async def _settle(self, taken: _Taken, refused: set[str]) -> None:
        if taken.rooms & refused:
            taken.poison = f"the store refuses room {min(taken.rooms & refused)}"
        if not taken.poison:
            await taken.delivery.ack()
            return
        self._counters.likes_poisoned += 1
        log.warning("likes_buried", reason=taken.poison)
        await taken.delivery.bury(taken.poison)


def _counts(taken: _Taken) -> list[LikeCount]:
    """Return the counts of a delivery, and note what can't be read."""
    found: list[LikeCount] = []
    for record in taken.delivery.records:
        try:
            found.extend(_checked(record))
        except (msgspec.MsgspecError, RequestError) as error:
            taken.poison = f"record {record.header.id}: {error}"
    taken.rooms = {like.room for like in found}
    return found


def _checked(record: Record) -> list[LikeCount]:
    counts = decode_likes(record.body).counts
    for like in counts:
        check_count(like)
    return counts
