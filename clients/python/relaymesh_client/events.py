"""What an application hears: pushes in order, and what became of streams, rooms, connection."""

from dataclasses import dataclass
from typing import Any, Literal

from relaymesh_client.errors import Refused
from relaymesh_client.im.events import ImEvent

Priority = Literal["urgent", "normal", "bulk"]
PRIORITIES: tuple[Priority, ...] = ("urgent", "normal", "bulk")
Frame = dict[str, Any]
"""A JSON object as it came."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last message that a client has of one stream."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Push:
    """A message of a room: each comes once and in its stream's order.

    `kind` is `chat`, `speech`, `gift`, `notice`, `moderation`, `likes`, `online` or one of a later
    version;
    `frame` is all that the server sent.
    """

    room: str
    kind: str
    priority: Priority
    epoch: str
    seq: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Skipped:
    """Messages `first`..`last` were thinned on purpose by the server; `fetch` may have them."""

    room: str
    priority: Priority
    epoch: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages `first`..`last` did not come, and the server says that it has them no more."""

    room: str
    priority: Priority
    epoch: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Reset:
    """What came between `old` and `new` is gone for good, or the numbering is new."""

    room: str
    priority: Priority
    old: Position
    new: Position


@dataclass(frozen=True, slots=True)
class Joined:
    """A room was joined, or (`resumed`) joined again after a reconnect."""

    room: str
    role: str
    online: int
    likes: int
    carrier: str
    heads: dict[Priority, Position]
    resumed: bool


@dataclass(frozen=True, slots=True)
class Left:
    """The room is no longer joined and won't be tried again; `error` is what the server said."""

    room: str
    error: Refused | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """A moderator has sent this client out of the room; it won't be joined again by itself.

    `reason` is `kicked` (it may be joined again) or `banned`: until `until_ms` (Unix milliseconds),
    0 for good. `message` is what the moderator has said about it.
    """

    room: str
    reason: str
    until_ms: int
    message: str


@dataclass(frozen=True, slots=True)
class Direct:
    """A back end's message to this user; each `mid` comes once."""

    mid: str
    data: Any
    frame: Frame


@dataclass(frozen=True, slots=True)
class Connected:
    """`hello` was accepted."""

    uid: str
    node: str
    session: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended; `reconnecting` says whether the client goes on by itself."""

    code: int | None
    reason: str
    reconnecting: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """The cluster moved this client from `old_node` to `new_node`, and it goes on where it was.

    `room` is the hot room that was the reason, "" where the old node ends. For `gap_s` seconds no
    connection could be used.
    """

    room: str
    old_node: str
    new_node: str
    gap_s: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """The application read too slowly: so many events were dropped here, by priority."""

    counts: dict[str, int]


RoomEvent = Push | Skipped | Lost | Reset | Joined | Left | Removed
Event = RoomEvent | ImEvent | Direct | Connected | Disconnected | Moved | Dropped
