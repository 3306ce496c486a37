"""What a role may send through a relay; whatever else comes is dropped and counted."""

from proto.envelopes import Kind
from proto.headers import NodeRole
from proto.services import Method

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

_FOR_ROOMS = frozenset((Method.HEADS, Method.FETCH, Method.MODERATE))
_FOR_CLIENTS = frozenset(
    (
        *(Method.PUBLISH, Method.LIKES, Method.CENSUS, Method.ROUTES),
        *(Method.IM, Method.OPEN, Method.SYNC, Method.TAILS, Method.CURSORS),
        *(Method.PRESENCE, Method.WATCHABLE),
    )
)
_FOR_BACK_ENDS = frozenset(
    (
        *(Method.PUSH, Method.MODERATION, Method.IM, Method.PRESENCE),
        *(Method.AUTH, Method.REVOKE, Method.LIVES, Method.LEASES),
    )
)

MAY_ASK: dict[NodeRole, frozenset[str]] = {
    "access": _FOR_ROOMS | _FOR_CLIENTS,
    "router": _FOR_ROOMS | _FOR_BACK_ENDS,
    "logic": frozenset((Method.LIVES, Method.REVOCATIONS)),
    "relay": frozenset(Method),
    "probe": frozenset(Method),
}
"""The methods of the requests that a role may send: an access node that somebody has taken over
publishes as no back end, and revokes nobody. A relay has let its own nodes ask no more."""

RECEIVERS: frozenset[NodeRole] = frozenset(("access",))
"""Who has clients: gets what is for every such node, and is waited for when it is behind."""

SENDERS: frozenset[NodeRole] = frozenset(("router", "probe"))
"""Who is pushed back when the receivers as a whole are behind."""
