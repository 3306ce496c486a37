"""What logic works with, all of it from outside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backends.answers.interface import Answers
from backends.bus.interface import Bus
from backends.database.database import Database
from backends.leases.interface import Duties, Registry
from backends.likes.interface import Census, ChangedRooms, Likes
from backends.moderation.interface import Moderation
from backends.push.interface import Provider
from backends.rate_limit.interface import RateLimit, RateLimits
from backends.revocations.interface import Revocations
from backends.room_log.interface import RoomLog
from backends.routes.interface import Routes
from proto.ids import RandomBits


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The outer parts, time (Unix milliseconds) and randomness."""

    bus: Bus
    room_log: RoomLog
    moderation: Moderation
    registry: Registry
    duties: Duties
    likes: Likes
    census: Census
    changed: ChangedRooms
    urgent_limit: RateLimit
    answers: Answers
    database: Database
    routes: Routes
    providers: Mapping[str, Provider]
    revocations: Revocations
    rate_limits: RateLimits
    now_ms: Callable[[], int]
    random_bits: RandomBits
    figures: Callable[[], dict[str, Any]] = dict
    """What the links have carried, and when (`mesh.figures`)."""
