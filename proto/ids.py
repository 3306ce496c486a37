"""What names look like: rooms, uids, nodes, pools, message ids, traces, incarnations, epochs."""

import re
from collections.abc import Callable

ROOM_PATTERN = r"^(?!hot:)[A-Za-z0-9_.:\-]{1,64}\Z"
"""Room names; also safe inside Redis keys, log lines and URLs. `hot:` begins the streams of hot
groups, which share the mesh's keys with rooms."""

UID_PATTERN = r"^[A-Za-z0-9_.:@\-]{1,64}\Z"
"""User ids, as the token's `sub` claim carries them."""

NODE_PATTERN = r"^[a-z0-9][a-z0-9\-]{0,62}\Z"
"""Node ids, such as `access-1`; unique in the cluster."""

POOL_PATTERN = r"^[a-z0-9][a-z0-9\-]{0,62}\Z"
"""Pools of dedicated access nodes, such as `hot-5f0c9a1b`."""

MESSAGE_ID_PATTERN = r"^[A-Za-z0-9_\-]{1,64}\Z"
"""A client's own id of a message (`mid`): a retry with the same one gets the first answer."""

SESSION_ID_PATTERN = r"^[A-Za-z0-9_.:\-]{1,64}\Z"
"""Logins (`sid` of a token), ours or another issuer's."""

_NODE = re.compile(NODE_PATTERN)
_POOL = re.compile(POOL_PATTERN)
_ROOM = re.compile(ROOM_PATTERN)
_UID = re.compile(UID_PATTERN)
_SESSION_ID = re.compile(SESSION_ID_PATTERN)

RandomBits = Callable[[int], int]
"""`random.Random.getrandbits`, or a seeded one: where ids get their randomness from."""


def is_room(name: str) -> bool:
    """Say whether `name` can be a room."""
    return _ROOM.match(name) is not None


def is_uid(name: str) -> bool:
    """Say whether `name` can be a user id."""
    return _UID.match(name) is not None


def is_session_id(name: str) -> bool:
    """Say whether `name` can be a login's id."""
    return _SESSION_ID.match(name) is not None


def is_node(name: str) -> bool:
    """Say whether `name` can be a node id."""
    return _NODE.match(name) is not None


def is_pool(name: str) -> bool:
    """Say whether `name` can be a pool of dedicated nodes."""
    return _POOL.match(name) is not None


def new_id(random_bits: RandomBits, bits: int = 64) -> str:
    """Return a random id of `bits` bits in hex: traces, incarnations, epochs, message ids."""
    return format(random_bits(bits), "x")
