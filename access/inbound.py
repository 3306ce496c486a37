"""What the mesh brings to an access node: each kind of envelope to the part that takes it."""

import structlog
import trio

from access.counters import AccessCounters
from access.im.hot_groups import KEY_PREFIX
from access.im.messaging import Messaging
from access.rooms import Rooms
from access.users import Deliveries
from proto.envelopes import Envelope, Kind

log = structlog.get_logger()


class Inbound:
    """Hands on room messages, heads and messages to users; counts what is none of these."""

    def __init__(
        self,
        rooms: Rooms,
        messaging: Messaging,
        deliveries: Deliveries,
        counters: AccessCounters,
    ) -> None:
        self._rooms = rooms
        self._messaging = messaging
        self._deliveries = deliveries
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
        elif envelope.kind == Kind.USERS:
            self._deliveries.receive(envelope, trio.current_time())
        else:
            self._counters.bad_envelopes += 1
            log.warning("unexpected_envelope", relay=relay, kind=envelope.kind)
