"""Which region has a key of the mesh at home."""

from proto.conversations import is_hot_stream
from proto.heat import pool_and_room
from proto.regions import Regions


def home_of_key(regions: Regions, key: str) -> str:
    """Return the region whose routers send what is wanted by `key`: a room, a room's hot way, or
    the stream of a hot group."""
    hot = pool_and_room(key)
    room = hot[1] if hot is not None else key
    return regions.home_of_users if is_hot_stream(room) else regions.home_of_room(room)
