"""What of a room's totals is to be pushed: only what has changed since it was shown."""

from collections.abc import Callable
from dataclasses import dataclass

from backends.likes.interface import Entered, RoomTotals
from logic.rooms.push_fields import LikesFields, OnlineFields

NOTHING = RoomTotals(likes=0, online=0)


@dataclass(frozen=True, slots=True)
class TotalPush:
    """A push that is due."""

    kind: str
    fields: LikesFields | OnlineFields


class ShownTotals:
    """The totals that were shown last, of the rooms in one shard.

    Knows nothing of what another holder of the shard has shown: forget it all with the duty.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._shown: dict[str, RoomTotals] = {}

    def online(self, room: str) -> int:
        """Return the members that were shown last."""
        return self._shown.get(room, NOTHING).online

    def due(self, room: str, totals: RoomTotals, entered: Entered) -> list[TotalPush]:
        """Return the pushes that tell of `totals`; `shown` confirms them."""
        before, ts_ms = self._shown.get(room, NOTHING), self._now_ms()
        pushes = []
        if totals.likes != before.likes:
            pushes.append(TotalPush("likes", LikesFields(totals.likes, ts_ms)))
        if totals.online != before.online or entered.count:
            fields = OnlineFields(totals.online, entered.count, entered.uids, ts_ms)
            pushes.append(TotalPush("online", fields))
        return pushes

    def shown(self, room: str, totals: RoomTotals) -> None:
        """Note what was pushed. A room that nobody is in is not kept in mind."""
        if totals.online:
            self._shown[room] = totals
        else:
            self._shown.pop(room, None)
