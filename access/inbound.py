"""What the mesh brings to an access node: each kind of envelope to the part that takes it."""

from collections.abc import Callable

import structlog
import trio

from access.announcements import Announcements
from access.counters import AccessCounters
from access.im.hot_groups import KEY_PREFIX
from access.im.messaging import Messaging
from access.kicks import Kicks
from access.rooms import Rooms
from access.users import Deliveries
from proto.envelopes import Envelope, Kind

Receive = Callable[[Envelope, float], None]

log = structlog.get_logger()


class Inbound:
    """Hands on room messages, heads, and what is for users; counts what is none of these."""

    def __init__(
        self,
        rooms: Rooms,
        messaging: Messaging,
        deliveries: Deliveries,
        announcements: Announcements,
        kicks: Kicks,
        counters: AccessCounters,
    ) -> None:
        self._rooms = rooms
        self._messaging = messaging
        self._to_users: dict[int, Receive] = {
            Kind.USERS: deliveries.receive,
            Kind.EVERYBODY: announcements.receive,
            Kind.KICK: kicks.receive,
        }
        self._counters = counters

    def receive(self, relay: str, envelope: Envelope) -> None:
        """See `mesh.interface.Receive`."""
        if envelope.kind == Kind.ROOM:
            if envelope.key.startswith(KEY_PREFIX):
                self._counters.bad_envelopes += not self._messaging.hot_groups.receive(envelope)
            else:
                self._rooms.receive_message(envelope)
        elif envelope.kind == Kind.HEADS:
            self._rooms.receive_heads(envelope)
        elif envelope.kind in self._to_users:
            self._to_users[envelope.kind](envelope, trio.current_time())
        else:
            self._counters.bad_envelopes += 1
            log.warning("unexpected_envelope", relay=relay, kind=envelope.kind)
