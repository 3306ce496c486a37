"""What a logic node answers about rooms: each method to its handler."""

from collections.abc import Callable

from logic.counters import Counters
from logic.dispatch import Handle
from logic.living import Living
from logic.moderation.moderate import ModerateHandler
from logic.moderation.state import StateHandler
from logic.parts import Parts
from logic.rooms.capacity import Capacity
from logic.rooms.census import CensusHandler
from logic.rooms.gifts import Gifts
from logic.rooms.likes import LikesHandler
from logic.rooms.publish import PublishHandler
from logic.rooms.push import PushHandler
from logic.rooms.repair import FetchHandler, HeadsHandler
from logic.rooms.urgent import UrgentAllowance
from logic.rooms.writer import RoomWriter
from logic.settings import Settings
from proto.services import Method
from proto.token_keys import Keyring


def room_methods(
    settings: Callable[[], Settings],
    receipts: Keyring,
    parts: Parts,
    writer: RoomWriter,
    living: Living,
    capacity: Capacity,
    counters: Counters,
) -> dict[Method, Handle]:
    """Return the handlers of rooms, their moderation, likes and back ends' pushes; `settings` are
    those in effect, `receipts` the keys of gifts' receipts."""
    now_ms, random_bits = parts.now_ms, parts.random_bits
    urgent = UrgentAllowance(parts.urgent_limit, counters)
    publish = PublishHandler(
        writer,
        Gifts(receipts, lambda: settings().urgent_gift_value, now_ms),
        urgent,
        capacity,
        now_ms=now_ms,
        random_bits=random_bits,
    )
    moderate = ModerateHandler(
        writer, parts.moderation, urgent, capacity, now_ms=now_ms, random_bits=random_bits
    )
    heads = HeadsHandler(parts.room_log, parts.likes, parts.census, parts.moderation, living)
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
    census = CensusHandler(parts.census, parts.changed, parts.moderation, counters)
    return {
        Method.PUBLISH: publish.handle,
        Method.PUSH: push.handle,
        Method.MODERATE: moderate.handle,
        Method.MODERATION: StateHandler(parts.moderation).handle,
        Method.HEADS: heads.handle,
        Method.FETCH: FetchHandler(parts.room_log, counters).handle,
        Method.LIKES: likes.handle,
        Method.CENSUS: census.handle,
    }
