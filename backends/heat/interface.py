"""The heat of rooms as it is kept: any router may go on where another has stopped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from backends.errors import StoreUnavailableError as StoreUnavailableError
from proto.heat import HeatState, Rule, Wish


@dataclass(frozen=True, slots=True)
class Kept:
    """A room's rule, since when it holds (Unix ms), and what the heat machine needs to go on."""

    rule: Rule
    since_ms: int
    detail: bytes = b""


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of rooms that are, or were a minute ago, other than normal; `version` grows with
    each change."""

    version: int
    by_room: Mapping[str, Rule]


@dataclass(frozen=True, slots=True)
class Transition:
    """A step that a router wants to make: only from `fence`, which it has seen."""

    room: str
    fence: int
    to: HeatState
    pool: str
    spread_ms: int = 0
    detail: bytes = b""


@dataclass(frozen=True, slots=True)
class Tag:
    """Why a room starts hot when it goes live: an operator's word or its own history."""

    by: str = ""
    """`operator` or `history`; "" for a room with a history that is no reason yet."""
    hot_at_ms: tuple[int, ...] = ()
    """When it became hot, the newest last."""


Retag = Callable[[Tag | None], Tag | None]
"""Makes a room's tag of what it is, `None` for none. Asked again where it has changed meanwhile."""


class Retagged(NamedTuple):
    """A room's tag before a change and after it."""

    before: Tag | None
    after: Tag | None


class HeatStore(Protocol):
    """Kept beside the room log, whose numbers it fences with. All methods raise
    `StoreUnavailableError`."""

    async def load(self, room: str) -> Kept | None:
        """Return what is kept of `room`; `None` for one that was never anything but normal."""

    async def advance(self, transition: Transition, now_ms: int) -> Rule | None:
        """Make the step and return the new rule; `None` where the fence is no longer that one.

        The new fence, the state that `RoomLog.append` goes by and `Rule.firsts` are one atomic
        step: a message is either before it or behind it.
        """

    async def keep(self, room: str, fence: int, detail: bytes) -> bool:
        """Keep `detail` without a transition; false where the fence is no longer that one."""

    async def rules(self) -> Rules:
        """Return all rules."""

    async def publish(self, rule: Rule) -> int:
        """Put `rule` among the rules, unless a newer one is there; returns the version that has
        it. Repeating it changes nothing."""

    async def forget(self, room: str, fence: int) -> None:
        """Take a normal room's rule out of the rules."""

    async def acknowledge(self, gateway: str, version: int) -> None:
        """Say that `gateway` goes by the rules of `version`."""

    async def acknowledged(self) -> Mapping[str, int]:
        """Return the version that each gateway goes by."""

    async def tags(self) -> Mapping[str, Tag]:
        """Return the rooms that start hot, and those with a history of it."""

    async def retag(self, room: str, change: Retag) -> Retagged:
        """Change the tag of `room`, in one step with reading it: an operator's word and the
        room's history come from different routers, and neither may undo the other."""

    async def untag(self, room: str) -> None:
        """Forget the tag and the history of `room`."""

    async def wishes(self) -> Mapping[str, Wish]:
        """Return what operators have said about rooms."""

    async def wish(self, room: str, wish: Wish) -> None:
        """Keep an operator's wish until the next one; `auto` forgets it."""
