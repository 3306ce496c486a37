"""Closes the connections of tokens that were revoked."""

from collections.abc import Iterable, Sequence

import structlog

from access.edge.interface import Connection
from access.session import Session
from access.users import Users
from backends.revocations.known import Known
from proto.auth_services import Revocation
from proto.close_codes import CloseCode

log = structlog.get_logger()


class Revoking:
    """Hears of revocations when `known` has them already."""

    def __init__(self, users: Users, known: Known) -> None:
        self._users = users
        self._known = known
        self.closed = 0

    def learned(self, revocations: Sequence[Revocation]) -> None:
        """Close whom these concern."""
        for connection in list(self._concerned(revocations)):
            session: Session = connection.state
            if session.gone or not self._known.is_revoked(session.who()):
                continue
            self.closed += 1
            log.info("connection_revoked", connection=connection.id, uid=session.who().sub)
            connection.close(CloseCode.REVOKED, "revoked; log in again")

    def _concerned(self, revocations: Sequence[Revocation]) -> Iterable[Connection]:
        """Return the connections to look at: all of them where the user of a login is not known,
        which only another issuer's can be."""
        if not all(each.uid for each in revocations):
            return self._users.everybody()
        uids = {each.uid for each in revocations}
        return (one for uid in uids for one in self._users.connections(uid))
