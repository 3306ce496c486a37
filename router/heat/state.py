"""What the heat machine knows of one room, what it is told each second, and what it wants done."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from proto.heat import HeatState, Rule, Wish

LONG_AGO_S = 1e9


class Reason(StrEnum):
    """Why a room goes from one state to another: in logs, metrics and `relaymesh room show`."""

    OVER_THRESHOLD = "over_threshold"
    TAGGED = "tagged"
    OPERATOR = "operator"
    NODES_READY = "nodes_ready"
    NO_CAPACITY = "no_capacity"
    """Too few dedicated nodes got ready in time."""
    VIEWERS_MOVED = "viewers_moved"
    STRAGGLERS = "stragglers"
    """Some viewers have not moved in time: they are served where they are."""
    BELOW_THRESHOLD = "below_threshold"
    EMPTY = "empty"
    POOL_LOST = "pool_lost"
    """No dedicated node has been ready for long."""
    STORE_LOST = "store_lost"
    """The store has lost the room's rule: it starts anew."""


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """One room. All durations are sums of the ticks' steps, never differences of two clocks:
    neither a step of a clock nor another router's clock makes one longer or shorter."""

    state: HeatState = HeatState.NORMAL
    fence: int = 0
    pool: str = ""
    """The dedicated nodes that the room has, or had and has not released yet."""
    nodes: int = 0
    """How many of them it should have."""
    spread_s: float = 0.0
    """The time over which viewers move, in moving and cooling."""
    online: int = 0
    """As last known."""
    in_state_s: float = 0.0
    told: bool = False
    """Whether every gateway goes by the rule, or has stopped sending anybody anywhere."""
    told_s: float = 0.0
    """Since then."""
    above_s: float = 0.0
    below_s: float = 0.0
    idle_s: float = 0.0
    """Since the room was last live."""
    unready_s: float = 0.0
    """Since a node of the pool was last ready."""
    asked_s: float = LONG_AGO_S
    """Since the provisioner was last asked."""
    retry_s: float = 0.0
    """Until the room may be prepared again."""
    failures: int = 0
    trouble: str = ""
    """Why there are no nodes, or too few: what the provisioner said, or that none got ready."""
    tag_s: float | None = None
    """Since its tag made the room start; `None` in a broadcast in which it has not."""
    at_s: float | None = None
    """When the machine last looked, on the caller's clock."""


class Signals(NamedTuple):
    """What is seen of a room now. `online` is `None` where nobody knows: then nothing is felt."""

    online: int | None = 0
    messages_per_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """By priority."""
    tagged: bool = False
    wish: Wish = Wish.AUTO
    ready: int = 0
    """Nodes of the room's pool that take connections."""
    told: bool = True
    """Whether every living gateway has acknowledged the room's rule."""
    remaining: int = 0
    """Viewers on nodes that they have to leave."""


@dataclass(frozen=True, slots=True)
class Advance:
    """Make the transition in the store; what follows in the step holds only if that worked."""

    to: HeatState
    pool: str
    spread_ms: int
    reason: Reason
    after_s: float
    """How long the state before has lasted."""


@dataclass(frozen=True, slots=True)
class Provide:
    """Ask the provisioner for `nodes` nodes; `pool` is "" where the room has none yet."""

    pool: str
    nodes: int


@dataclass(frozen=True, slots=True)
class Release:
    """Give `pool` back."""

    pool: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Take the normal room's rule out of the rules: everybody has heard it."""


Action = Advance | Provide | Release | Forget


class Step(NamedTuple):
    """The room after a tick, and what is to be done for it, in this order."""

    heat: Heat
    actions: tuple[Action, ...] = ()


def restored(rule: Rule, detail: bytes) -> Heat:
    """Return a room as another router left it; what can't be read of `detail` starts anew."""
    try:
        heat = _decode(detail)
    except msgspec.DecodeError:
        heat = Heat(pool=rule.pool, spread_s=rule.spread_ms / 1000)
    return msgspec.structs.replace(heat, state=rule.state, fence=rule.fence, at_s=None)


def detail_of(heat: Heat) -> bytes:
    """Return what `restored` needs."""
    return _encode(heat)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Heat).decode
