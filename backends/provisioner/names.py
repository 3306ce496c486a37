"""What a room's pool is called where it is made on demand."""

from hashlib import blake2b


def pool_of(room: str) -> str:
    """Return the name of the pool of `room`: `hot-` and 8 hex digits of its BLAKE2b (RFC 7693).

    The same for each router and each time, so that asking twice makes one pool. Two rooms whose
    names collide share a pool, which has the nodes for the larger one.
    """
    return f"hot-{blake2b(room.encode(), digest_size=4).hexdigest()}"
