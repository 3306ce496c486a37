"""Hot rooms: what the cluster has decided about one, and which ways its messages go because of it.

A rule is made by a router, kept beside the room's log, and told to gateways, logic and access
nodes. Its `fence` grows with each transition, so that what is older is known to be.
"""

from enum import StrEnum
from typing import NamedTuple
from zlib import crc32

import msgspec

HOT_SHARDS = 4
"""Topics of the hot way for each priority: a relay consumes those of pools that it is asked for."""

_MARK = "@"
"""Begins an interest in the hot way; no room's name has it."""


class HeatState(StrEnum):
    """How far a room is on its way to dedicated nodes and back."""

    NORMAL = "normal"
    PREPARING = "preparing"
    """Dedicated nodes are being made ready."""
    MOVING = "moving"
    """Viewers move to them; both ways are active."""
    HOT = "hot"
    COOLING = "cooling"
    """Viewers move back; both ways are active."""

    @property
    def pooled(self) -> bool:
        """Whether messages go the hot way."""
        return self in (HeatState.MOVING, HeatState.HOT, HeatState.COOLING)

    @property
    def ordinary(self) -> bool:
        """Whether messages go the ordinary way."""
        return self is not HeatState.HOT


class Wish(StrEnum):
    """What an operator has said about a room."""

    AUTO = "auto"
    """Nothing: its viewers decide."""
    HOT = "hot"
    """It moves to dedicated nodes as soon as somebody is in it, and stays there."""
    COOL = "cool"
    """It never does."""


class Ways(NamedTuple):
    """Which ways a message goes: the ordinary one, and the hot one of `pool` ("" for none)."""

    ordinary: bool = True
    pool: str = ""
    fence: int = 0

    @classmethod
    def of(cls, state: HeatState, pool: str, fence: int) -> "Ways":
        """Return the ways in `state`."""
        return cls(state.ordinary, pool if state.pooled else "", fence)


ORDINARY = Ways()


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """What holds for `room` since `fence`.

    `firsts` are, by priority, the numbers of the first messages that this rule holds for: those
    before them went the ways of the rule before. `spread_ms` is the time over which viewers that
    have to move are spread.
    """

    room: str
    state: HeatState
    fence: int
    pool: str = ""
    firsts: tuple[int, int, int] = (1, 1, 1)
    spread_ms: int = 0

    @property
    def ways(self) -> Ways:
        """The ways of a message under this rule."""
        return Ways.of(self.state, self.pool, self.fence)


def shard_of_pool(pool: str) -> int:
    """Return the shard of hot topics that carries `pool`."""
    return crc32(pool.encode()) % HOT_SHARDS


def hot_key(pool: str, room: str) -> str:
    """Return the interest of a node that wants `room` by the hot way of `pool`."""
    return f"{_MARK}{pool}/{room}"


def pool_and_room(key: str) -> tuple[str, str] | None:
    """Return what `hot_key` was made of; `None` for an ordinary interest."""
    if not key.startswith(_MARK):
        return None
    pool, _, room = key[1:].partition("/")
    return pool, room


encode_rule = msgspec.msgpack.Encoder().encode
decode_rule = msgspec.msgpack.Decoder(Rule).decode
