"""Where a room's rule lies in Redis, beside its log: read by the log in its own atomic steps."""

from backends.redis.connection import Reply
from proto.heat import ORDINARY, HeatState, Rule, Ways


def heat_key(room: str) -> str:
    """Return the key of the hash with the room's rule."""
    return f"rm:{{{room}}}:heat"


def ways_of(reply: Reply) -> Ways:
    """Return which ways a message goes, of the rule's state, pool and fence."""
    state, pool, fence = reply
    return ORDINARY if state is None else Ways.of(_state(state), pool.decode(), int(fence))


def rule_of(room: str, reply: Reply) -> Rule | None:
    """Return the rule, of its state, pool, fence, firsts and spread_ms; `None` where none is."""
    state, pool, fence, firsts, spread_ms = reply
    if state is None:
        return None
    return Rule(room, _state(state), int(fence), pool.decode(), firsts_of(firsts), int(spread_ms))


def firsts_of(reply: bytes) -> tuple[int, int, int]:
    """Return `Rule.firsts`."""
    urgent, normal, bulk = map(int, reply.split())
    return urgent, normal, bulk


def _state(reply: bytes) -> HeatState:
    return HeatState(reply.decode())
