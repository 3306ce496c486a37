"""Users whom a back end sends out: their connections to this node are closed."""

import msgspec
import structlog

from access.counters import AccessCounters
from access.edge.interface import Connection
from access.session import Session
from access.users import SeenOnce, Users
from proto.close_codes import CloseCode
from proto.envelopes import Envelope
from proto.headers import decode_kick

REASON = "sent out by the platform"

log = structlog.get_logger()


class Kicks:
    """Takes KICK envelopes. The same one comes over several relays; it counts once, so that who is
    back already stays."""

    def __init__(self, users: Users, counters: AccessCounters, seen: SeenOnce) -> None:
        self._users = users
        self._counters = counters
        self._seen = seen

    def receive(self, envelope: Envelope, now: float) -> None:
        """Close the connections that a kick is about, if it is new."""
        try:
            header = decode_kick(envelope.header)
        except msgspec.MsgspecError:
            self._counters.bad_envelopes += 1
            return
        if not self._seen.first((header.id, header.uid), now):
            return
        found = [
            each for each in self._users.all_of(header.uid) if header.device in ("", _device(each))
        ]
        for connection in found:
            connection.close(CloseCode.KICKED, header.reason or REASON)
        if found:
            log.info("user_kicked", uid=header.uid, connections=len(found), trace=header.trace)


def _device(connection: Connection) -> str:
    """Return the device that the connection's `hello` named, "" where it named none."""
    session: Session = connection.state
    return session.im.device_name if session.im is not None else ""
