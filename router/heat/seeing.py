"""What the controller sees each second: the same for all rooms, and of each room."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from backends.errors import StoreUnavailableError
from backends.heat.interface import HeatStore, Rules, Tag
from backends.leases.interface import NodeLease
from backends.likes.interface import Census
from proto.headers import HeadsHeader
from proto.heat import Wish
from router.gateway.balance import is_ready
from router.heat.room import Room
from router.heat.state import Signals
from router.presence import Presence


class Active(NamedTuple):
    """The heads of the rooms with messages, as read at `at_s`."""

    heads: Mapping[str, HeadsHeader]
    at_s: float


class View(NamedTuple):
    """What holds for all rooms at one tick."""

    at_s: float
    active: Active
    rules: Rules
    acknowledged: Mapping[str, int]
    gateways: frozenset[str]
    """The routers that live."""
    tags: Mapping[str, Tag]
    wishes: Mapping[str, Wish]
    settled: bool
    """Whether a lease that is missing means a node that is gone."""
    lives: frozenset[tuple[str, str]]
    ready: Mapping[str, int]
    """Nodes that take connections, by pool."""
    remaining: Mapping[str, int]
    """Viewers who have to go elsewhere, by room, as their nodes say."""

    def is_told(self, room: Room) -> bool:
        """Say whether every living gateway has acknowledged the room's rule."""
        if room.version is None or not self.settled:
            return False
        return all(self.acknowledged.get(name, -1) >= room.version for name in self.gateways)


class Seeing:
    """Reads the store and the leases."""

    def __init__(
        self,
        node: str,
        store: HeatStore,
        census: Census,
        presence: Presence,
        active: Callable[[], Active],
    ) -> None:
        self._node = node
        self._store = store
        self._census = census
        self._presence = presence
        self._active = active

    async def look(self, now_s: float) -> View:
        """Return the view; raises `StoreUnavailableError`."""
        rules = await self._store.rules()
        acknowledged = await self._store.acknowledged()
        tags, wishes = await self._store.tags(), await self._store.wishes()
        presence = self._presence
        access = presence.living("access")
        return View(
            at_s=now_s,
            active=self._active(),
            rules=rules,
            acknowledged=acknowledged,
            gateways=frozenset({*(each.node for each in presence.living("router")), self._node}),
            tags=tags,
            wishes=wishes,
            settled=presence.settled,
            lives=frozenset((lease.node, lease.incarnation) for lease in access),
            ready=_ready(access),
            remaining=_remaining(access),
        )

    async def signals(self, room: Room, view: View) -> Signals:
        """Return what is seen of `room`.

        Its viewers are those on nodes of this region: dedicated nodes are for them.
        """
        tag = view.tags.get(room.name)
        return Signals(
            online=await self._online(room.name, view),
            messages_per_s=room.rates.look(view.active.heads.get(room.name), view.active.at_s),
            tagged=tag is not None and bool(tag.by),
            wish=view.wishes.get(room.name, Wish.AUTO),
            ready=view.ready.get(room.heat.pool, 0) if room.heat.pool else 0,
            told=view.is_told(room),
            remaining=view.remaining.get(room.name, 0),
        )

    async def _online(self, room: str, view: View) -> int | None:
        if not view.settled:
            return None
        try:
            return await self._census.online(room, view.lives)
        except StoreUnavailableError:
            # Logged by the store's client; the room is judged by what was known.
            return None


def _ready(access: Iterable[NodeLease]) -> Mapping[str, int]:
    return Counter(lease.pool for lease in access if is_ready(lease))


def _remaining(access: Iterable[NodeLease]) -> Mapping[str, int]:
    remaining: Counter[str] = Counter()
    for lease in access:
        moving = lease.status.get("moving")
        for room, count in moving.items() if isinstance(moving, Mapping) else ():
            remaining[room] += count if isinstance(count, int) else 0
    return remaining
