"""The room log: numbers a room's messages and keeps the newest of them for repair."""

from dataclasses import dataclass
from typing import Protocol

from backends.errors import StoreUnavailableError as StoreUnavailableError
from backends.moderation.interface import Change
from proto.headers import HeadsHeader
from proto.heat import ORDINARY, Ways
from proto.priorities import Priority
from proto.services import FetchAnswer, FetchBody


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a message stands. `again`: the `mid` was known, and this is its first answer."""

    priority: Priority
    """What was asked for, or what the first message with this `mid` had."""
    epoch: str
    seq: int
    ts_ms: int
    again: bool
    ways: Ways = ORDINARY
    """Which ways it goes, decided in the step that numbered it."""


@dataclass(frozen=True, slots=True)
class Payment:
    """The receipt of a gift, for use once: its id, and how long that is remembered."""

    receipt: str
    ttl_ms: int


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a message is kept, all looked at in the step that numbers it.

    `rank` is the sender's in the room: a ban or mute holds for whoever stands below who made it,
    slow mode (where `slow` says that it matters) for viewers.
    """

    rank: int
    slow: bool = False
    payment: Payment | None = None
    change: Change | None = None
    """What the message tells about the room's moderation: it is done in the same step."""


class RoomLog(Protocol):
    """Bounded by age and count for each room and priority; keeps numbers longer than messages."""

    async def append(
        self,
        room: str,
        priority: Priority,
        push: bytes,
        *,
        uid: str,
        mid: str,
        ts_ms: int,
        terms: Terms | None = None,
    ) -> Appended:
        """Number and keep `push` (see `proto.server_frames.room_push`) in one atomic step.

        The same (`uid`, `mid`) in `room` within the deduplication age appends nothing, and so does
        a receipt with the `mid` that it was first used with. `terms` of `None` are for the
        cluster's own messages: nothing is looked at.
        Raises `RequestError` `banned`, `muted`, `rate_limited` (slow mode), `receipt_used`, `full`
        or `forbidden` (a change to what somebody higher has made), and `StoreUnavailableError`, as
        all methods do: asking again with the same `mid` is safe.
        """

    async def recall(self, room: str, uid: str, mid: str) -> Appended | None:
        """Return where the message stands that was appended with (`uid`, `mid`), while that is
        known."""

    async def heads(self, room: str) -> HeadsHeader:
        """Return the room's epoch and heads.

        A room without messages gets its epoch now, which its first message will have: who joins
        before that needs no `reset`.
        """

    async def active_heads(self) -> dict[str, HeadsHeader]:
        """Return the heads of every room with a message within `Retention.active_s`."""

    async def fetch(self, room: str, body: FetchBody) -> FetchAnswer:
        """Return finished frames of one stream, at most `MAX_FETCH` of them."""
