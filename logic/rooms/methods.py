"""What a logic node answers about rooms: each method to its handler."""

from collections.abc import Callable

from logic.counters import Counters
from logic.dispatch import Handle
from logic.living import Living
from logic.parts import Parts
from logic.rooms.capacity import Capacity
from logic.rooms.census import CensusHandler
from logic.rooms.likes import LikesHandler
from logic.rooms.publish import PublishHandler
from logic.rooms.push import PushHandler
from logic.rooms.repair import FetchHandler, HeadsHandler
from logic.rooms.writer import RoomWriter
from logic.settings import Settings
from proto.services import Method


def room_methods(
    settings: Callable[[], Settings],
    parts: Parts,
    writer: RoomWriter,
    living: Living,
    capacity: Capacity,
    counters: Counters,
) -> dict[Method, Handle]:
    """Return the handlers of rooms, likes and back ends' pushes; `settings` are those in effect."""
    now_ms, random_bits = parts.now_ms, parts.random_bits
    publish = PublishHandler(
        writer,
        parts.urgent_limit,
        lambda: settings().urgent_gift_value,
        capacity,
        now_ms=now_ms,
        random_bits=random_bits,
        counters=counters,
    )
    push = PushHandler(
        writer,
        parts.bus,
        parts.answers,
        lambda: settings().max_uids,
        capacity,
        now_ms=now_ms,
        random_bits=random_bits,
        counters=counters,
    )
    likes = LikesHandler(parts.bus, now_ms=now_ms, random_bits=random_bits, counters=counters)
    return {
        Method.PUBLISH: publish.handle,
        Method.PUSH: push.handle,
        Method.HEADS: HeadsHandler(parts.room_log, parts.likes, parts.census, living).handle,
        Method.FETCH: FetchHandler(parts.room_log, counters).handle,
        Method.LIKES: likes.handle,
        Method.CENSUS: CensusHandler(parts.census, parts.changed, counters).handle,
    }
