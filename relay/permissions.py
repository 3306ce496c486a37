"""What a role may send through a relay; whatever else comes is dropped and counted."""

from proto.envelopes import Kind
from proto.headers import NodeRole

_ALL = frozenset((Kind.PING, Kind.LEAVING))
_TO_ALL = frozenset((Kind.EVERYBODY, Kind.KICK))
_FAN_OUT = _TO_ALL | {Kind.ROOM, Kind.HEADS, Kind.SPREAD, Kind.USERS}

MAY_SEND: dict[NodeRole, frozenset[int]] = {
    "access": _ALL | {Kind.INTEREST, Kind.REQUEST},
    "router": _ALL | _FAN_OUT | {Kind.REQUEST},
    "logic": _ALL | {Kind.REPLY, Kind.REQUEST},
    "relay": _ALL
    | _TO_ALL
    | {Kind.INTEREST, Kind.REQUEST, Kind.ROOM, Kind.HEADS, Kind.USERS, Kind.REPLY},
    "probe": _ALL | _FAN_OUT | {Kind.INTEREST, Kind.REQUEST, Kind.REPLY},
}
"""A relay is one of another region; probes are measuring tools and may do everything."""

RECEIVERS: frozenset[NodeRole] = frozenset(("access",))
"""Who has clients: gets what is for every such node, and is waited for when it is behind."""

SENDERS: frozenset[NodeRole] = frozenset(("router", "probe"))
"""Who is pushed back when the receivers as a whole are behind."""
