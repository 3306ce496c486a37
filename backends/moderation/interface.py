"""What holds in a room: who is muted, banned or has a role, and its slow mode.

It is read here. It is changed by `RoomLog.append`, in the one step that numbers the message which
tells of the change: no node learns of a change that is not kept, nor in another order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backends.errors import StoreUnavailableError as StoreUnavailableError
from proto.moderation import StateEntry

STAFF_S = 60.0
"""Nodes tell of them each ten seconds."""


def field_of(kind: str, uid: str) -> str:
    """Return the name of an entry within its room."""
    return f"{kind}:{uid}"


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one entry of a room: `entry` from now on, or (`None`) nothing. `rank` is that
    of who wants it: what somebody higher has made stays for as long as it holds."""

    kind: str
    uid: str
    entry: StateEntry | None
    rank: int

    @property
    def field(self) -> str:
        """The name of the entry within its room."""
        return field_of(self.kind, self.uid)


class Moderation(Protocol):
    """At most `MAX_ENTRIES` a room; an entry is there until its time is over.

    All methods raise `StoreUnavailableError`.
    """

    async def entries(self, room: str) -> list[StateEntry]:
        """Return what holds now, in the order of kinds and uids."""

    async def note_staff(self, room: str, staff: Sequence[tuple[str, str]]) -> None:
        """Note the members whose tokens give them these roles; known for `STAFF_S`."""

    async def staff_role(self, room: str, uid: str) -> str:
        """Return the role by its token of a member who is, or was a moment ago, in the room; ""
        where none is known."""

    async def roles(self, room: str, uids: list[str]) -> list[str]:
        """Return the role that each of `uids` was given in the room, "" where none."""
